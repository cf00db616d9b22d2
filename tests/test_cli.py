"""The command line: what is refused, how it says so, and where a flag's value ends up."""

import contextlib
import io

import pytest

from vidsim import cli
from vidsim.errors import VidsimError


@pytest.fixture
def asked(monkeypatch):
    """Puts a stand-in behind every stage; the list holds what each was called with."""
    from vidsim.stages import check, ensemble, finetune, inference, pretrain, write_tfrecord

    calls = []
    for stage in (check, write_tfrecord, pretrain, finetune, inference, ensemble):
        monkeypatch.setattr(stage, "run", lambda *config: calls.append(config))
    return calls


def leave(arguments):
    """The exit status, whether returned or raised."""
    try:
        return cli.main(arguments)
    except SystemExit as exit_:
        return exit_.code


@pytest.mark.parametrize("arguments", [[], ["finetun"], ["--recipes", "mix"]])
def test_an_unknown_stage(arguments, capsys, asked):
    assert leave(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert all(stage in err for stage in cli.STAGES)
    assert (repr(arguments[0]) if arguments else "nothing") in err
    assert asked == []


def test_output_may_be_caught_by_a_caller(asked, tmp_path):
    """As a notebook does."""
    with contextlib.redirect_stdout(io.StringIO()):
        assert cli.main(["check", str(tmp_path)]) == 0
    assert len(asked) == 1


@pytest.mark.parametrize("words", [["--help"], ["-h"], *([s, "--help"] for s in cli.STAGES)])
def test_help(words, capsys, asked):
    assert leave(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    expected = "finetune" if words[0].startswith("-") else "--data-dir"
    assert expected in out
    assert asked == []


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (["finetune", "--recipes", "mix", "--batch-sise", "4"], "--batch-size"),
        (["pretrain", "--recipes", "uniter", "--mlm-wait", "4"], "--mlm-weight"),
        (["ensemble", "--output-zipp", "a.zip"], "--output-zip"),
    ],
)
def test_an_unknown_flag_names_the_nearest(arguments, nearest, capsys, asked):
    assert leave(arguments) == 2
    err = capsys.readouterr().err
    assert arguments[-2] in err
    assert nearest in err
    assert asked == []


def test_a_value_that_is_not_accepted(capsys, asked):
    assert leave(["finetune", "--recipes", "mix", "--kl-form", "hard"]) == 2
    err = capsys.readouterr().err
    assert "softmax" in err
    assert "raw" in err


def test_overrides_reach_the_recipe_and_only_theirs(asked):
    flags = ["--recipes", "mix,uniter", "--batch-size", "12", "--kl-weight", "0.25", "--seed", "7"]
    assert leave(["finetune", *flags]) == 0
    ((common, (mix, uniter)),) = asked
    assert (common.seed, common.recipes) == (7, "mix,uniter")
    for recipe in (mix, uniter):
        assert recipe.finetune.batch_size == 12
        assert recipe.finetune.similarity.kl_weight == 0.25
    assert (mix.finetune.total_steps, uniter.finetune.total_steps) == (4000, 3000)  # their own
    assert mix.pretrain.batch_size == 256


def test_underscores_are_hyphens(asked):
    words = ["finetune", "--recipes", "mix"]
    assert leave([*words, "--pretrain_model_dir", "none", "--total_steps=9"]) == 0
    assert leave([*words, "--pretrain-model-dir", "none", "--total-steps", "9"]) == 0
    (_, first), (_, second) = asked
    assert first == second
    assert first[0].finetune.pretrain_model_dir == "none"
    assert first[0].finetune.total_steps == 9


def test_a_flag_wins_over_the_size(asked):
    assert leave(["pretrain", "--recipes", "uniter", "--size", "tiny", "--lr", "0.5"]) == 0
    ((_, (recipe,)),) = asked
    assert recipe.model.encoder_layers == 1
    assert recipe.pretrain.optimizer.lr == 0.5
    assert recipe.pretrain.optimizer.bert_lr != 0.5


def test_all_recipes_by_default(asked):
    assert leave(["pretrain"]) == 0
    assert [recipe.name for recipe in asked[0][1]][::5] == ["mix", "uniter_roformer"]


@pytest.mark.parametrize("stage", ["write_tfrecord", "inference", "ensemble"])
def test_stages_without_recipes_take_the_common_options(stage, asked):
    assert leave([stage, "--data-dir", "a b", "--folds", "0,2"]) == 0
    ((common, _),) = asked
    assert (str(common.data_dir), common.folds) == ("a b", "0,2")


@pytest.mark.parametrize("stage", cli.STAGES)
def test_every_stage_takes_what_run_sh_passes_on(stage, asked, capsys):
    flags = ["--recipes", "mix", "--on-bad-record", "skip"]
    assert leave([stage]) == leave([stage, *flags]) == 0
    assert [call[0].on_bad_record for call in asked] == ["stop", "skip"]
    assert leave([stage, "--recipes", "mix", "--on-bad-record", "ignore"]) == 2
    assert "stop" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["a b"], ["--data-dir", "a b"], ["a b", "--seed", "7"]])
def test_check_takes_the_folder_with_or_without_its_flag(words, asked):
    assert leave(["check", *words]) == 0
    ((common,),) = asked
    assert str(common.data_dir) == "a b"


def test_a_mistake_of_the_user_is_a_message(monkeypatch, capsys):
    from vidsim.stages import ensemble

    def fail(*_):
        raise VidsimError("data/x: no such file")

    monkeypatch.setattr(ensemble, "run", fail)
    assert cli.main(["ensemble"]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", "vidsim ensemble: data/x: no such file\n")


def test_a_mistake_in_the_recipes_too(capsys, asked):
    assert cli.main(["finetune", "--recipes", "mix,tower"]) == 1
    assert capsys.readouterr().err.startswith("vidsim finetune: --recipes: 'tower' is neither")
    assert asked == []


def test_a_defect_is_not_hidden(monkeypatch):
    from vidsim.stages import ensemble

    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(ensemble, "run", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["ensemble"])
