"""The command line: what is refused, how it says so, and where a flag's value ends up."""

import contextlib
import io
import os
import subprocess
import sys

import pytest

import vidsim.stages
from vidsim import cli
from vidsim.errors import VidsimError


@pytest.mark.parametrize("arguments", [[], ["finetun"], ["--recipes", "mix"]])
def test_an_unknown_command(arguments, capsys, asked, leave):
    assert leave(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert all(stage in err for stage in cli.STAGES)
    assert err.startswith(
        f"vidsim: {arguments[0]!r} is not" if arguments else "usage: vidsim COMMAND"
    )
    assert ("did you mean finetune?" in err) == (arguments == ["finetun"])
    assert asked == []


def test_version(capsys, leave):
    assert leave(["--version"]) == 0
    assert capsys.readouterr().out.startswith("vidsim 0.")


@pytest.mark.parametrize("module", ["vidsim", "vidsim.cli"])
def test_the_modules_are_commands(module, tmp_path):
    """With the exit status of what they found, and any letters in the names that they print."""
    folder = str(tmp_path / "数据")
    run = subprocess.run(
        [sys.executable, "-m", module, "check", folder],
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
    )
    assert run.returncode == 1
    said = run.stdout + run.stderr
    assert b"\\u6570\\u636e" in said
    assert b"Traceback" not in said


def test_output_may_be_caught_by_a_caller(asked, tmp_path):
    """As a notebook does."""
    with contextlib.redirect_stdout(io.StringIO()):
        assert cli.main(["check", str(tmp_path)]) == 0
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (["finetune", "--recipes", "mix", "--batch-sise", "4"], "--batch-size"),
        (["pretrain", "--recipes", "uniter", "--mlm-wait", "4"], "--mlm-weight"),
        (["ensemble", "--output-zipp", "a.zip"], "--output-zip"),
    ],
)
def test_an_unknown_flag_names_the_nearest(arguments, nearest, capsys, asked, leave):
    assert leave(arguments) == 2
    err = capsys.readouterr().err
    assert arguments[-2] in err
    assert nearest in err
    assert "belongs to no flag" not in err
    assert asked == []


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ("finetune --kl-form hard", 2, "--kl-form: 'hard': accepted are raw, softmax"),
        ("finetune --batch-size 1.5", 2, "--batch-size: '1.5': accepted are whole numbers from 1"),
        ("finetune --batch-size", 2, "--batch-size: expected one argument"),
        ("finetune stray", 2, "a word that belongs to no flag: 'stray'"),
        ("finetune --redo=yes", 2, "--redo/--no-redo: it takes no value, but there is 'yes'"),
        ("finetune --uniter-pooling max", 2, "is a flag of uniter, uniter_asl, uniter_roformer,"),
        ("finetune --batch-size 0", 1, "--batch-size 0: accepted are whole numbers from 1 to"),
        (
            "finetune --lr -1e-3",
            1,
            "recipe mix, finetune: --lr -0.001: accepted are numbers from 0",
        ),
        ("finetune --lr nan", 1, "--lr nan: accepted"),
        ("finetune --encoder-heads 5", 1, "--encoder-heads 5 does not divide --encoder-width 768"),
        ("pretrain --mlm-probability 1.5", 1, "--mlm-probability 1.5: accepted"),
        ("pretrain --seed -1", 1, "--seed -1: accepted are whole numbers from 0 to"),
        ("write_tfrecord --num-folds 0", 1, "--num-folds 0: accepted"),
        ("inference --test-batch-size -3", 1, "--test-batch-size -3: accepted"),
    ],
)
def test_a_value_that_is_not_accepted(words, status, message, capsys, asked, leave):
    words = words.split()
    assert leave([*words[:1], "--recipes", "mix", *words[1:]]) == status
    assert message in capsys.readouterr().err
    assert asked == []


def test_overrides_reach_the_recipe_and_only_theirs(asked, leave):
    flags = ["--recipes", "mix,uniter", "--batch-size", "12", "--kl-weight", "0.25", "--seed", "7"]
    assert leave(["finetune", *flags]) == 0
    ((common, (mix, uniter)),) = asked
    assert (common.seed, common.recipes) == (7, "mix,uniter")
    for recipe in (mix, uniter):
        assert recipe.finetune.batch_size == 12
        assert recipe.finetune.similarity.kl_weight == 0.25
    assert (mix.finetune.total_steps, uniter.finetune.total_steps) == (4000, 3000)  # their own
    assert mix.pretrain.batch_size == 256


def test_underscores_are_hyphens(asked, leave):
    words = ["finetune", "--recipes", "mix"]
    assert leave([*words, "--pretrain_model_dir", "none", "--total_steps=9"]) == 0
    assert leave([*words, "--pretrain-model-dir", "none", "--total-steps", "9"]) == 0
    (_, first), (_, second) = asked
    assert first == second
    assert first[0].finetune.pretrain_model_dir == "none"
    assert first[0].finetune.total_steps == 9


def test_a_folder_in_the_home_folder(asked, monkeypatch, leave, tmp_path):
    """A shell leaves ~ alone where it stands behind an equals sign."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert leave(["check", "--data-dir=~/data"]) == 0
    assert asked[0][0].data_dir == tmp_path / "data"


def test_a_flag_wins_over_the_size(asked, leave):
    assert leave(["pretrain", "--recipes", "uniter", "--size", "tiny", "--lr", "0.5"]) == 0
    ((_, (recipe,)),) = asked
    assert recipe.model.encoder_layers == 1
    assert recipe.pretrain.optimizer.lr == 0.5
    assert recipe.pretrain.optimizer.bert_lr != 0.5


def test_all_recipes_by_default(asked, leave):
    assert leave(["pretrain"]) == 0
    assert [recipe.name for recipe in asked[0][1]][::5] == ["mix", "uniter_roformer"]


@pytest.mark.parametrize("stage", ["write_tfrecord", "inference", "ensemble"])
def test_stages_without_recipes_take_the_common_options(stage, asked, leave):
    assert leave([stage, "--data-dir", "a b", "--folds", "0,2"]) == 0
    ((common, _),) = asked
    assert (str(common.data_dir), common.folds) == ("a b", "0,2")


@pytest.mark.parametrize("stage", cli.STAGES)
def test_every_stage_takes_what_run_sh_passes_on(stage, asked, capsys, leave):
    needed = {"embed": ["--checkpoint", "c", "--videos", "v", "--out", "o"]}
    needed |= {"extract": ["--video-files", "v", "--features-out", "f"]}
    needed = (needed | {"convert": ["--videos", "v.csv"], "cluster": ["status"]}).get(stage, [])
    flags = [*needed, "--recipes", "mix", "--on-bad-record", "skip"]
    assert leave([stage, *needed]) == leave([stage, *flags]) == 0
    assert [call[0].on_bad_record for call in asked] == ["stop", "skip"]
    wrong = ["--recipes", "mix", "--on-bad-record", "ignore"]
    assert leave([stage, *needed, *wrong]) == 2
    assert "stop" in capsys.readouterr().err


def test_embed_says_what_must_be_named(asked, capsys, leave):
    both = ["--checkpoint", "c", "--blend", "b", "--videos", "v", "--out", "o"]
    for words, missing in (
        ([], "--videos names"),
        (both, "one of --checkpoint FOLDER and --blend"),
    ):
        assert leave(["embed", *words]) == 1
        assert missing in capsys.readouterr().err
    assert asked == []


def test_convert_says_what_must_be_named_and_what_excludes_each_other(asked, capsys, leave):
    for words, missing in (
        ([], "--videos names a table"),
        (["--features", "f", "--video-files", "d"], "--features and --video-files: one of them"),
        (["--rating-range", "0,5"], "--rating-range has no meaning without --ratings"),
        (["--folds-only", "--test-share", "0.1"], "--folds-only and --test-share"),
        (["--fps", "1"], "--fps 1.0 has no meaning without --video-files"),
        (["--test-share", "1"], "--test-share 1.0: accepted are numbers from 0 to 1, 1 itself"),
    ):
        named = ["--videos", "v.csv"] * bool(words)
        assert leave(["convert", *named, *words]) == 1
        assert missing in capsys.readouterr().err
    assert asked == []


@pytest.mark.parametrize("words", [["a b"], ["--data-dir", "a b"], ["a b", "--seed", "7"]])
def test_check_takes_the_folder_with_or_without_its_flag(words, asked, leave):
    assert leave(["check", *words]) == 0
    ((common,),) = asked
    assert str(common.data_dir) == "a b"


def test_a_mistake_of_the_user_is_a_message(monkeypatch, capsys, asked):
    def fail(*_):
        raise VidsimError("data/x: no such file")

    monkeypatch.setattr(vidsim.stages.ensemble, "run", fail)
    assert cli.main(["ensemble"]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", "vidsim ensemble: data/x: no such file\n")


def test_a_mistake_in_the_recipes_too(capsys, asked):
    assert cli.main(["finetune", "--recipes", "mix,tower"]) == 1
    assert capsys.readouterr().err.startswith("vidsim finetune: --recipes: 'tower' is neither")
    assert asked == []


def test_a_defect_is_not_hidden(monkeypatch, asked):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(vidsim.stages.ensemble, "run", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["ensemble"])
