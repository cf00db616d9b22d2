"""What --help prints: short, only what a command uses, with the numbers of the recipes."""

from vidsim import cli, cli_read
from vidsim.cli_help import OFTEN


def help_of(leave, words, capsys):
    assert leave(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert max(len(line) for line in out.splitlines()) <= 80
    return out


def test_help(capsys, asked, leave):
    assert "finetune" in help_of(leave, ["--help"], capsys) == help_of(leave, ["-h"], capsys)
    for command in cli.STAGES:
        short, long = (help_of(leave, [command, word], capsys) for word in ("--help", "--help-all"))
        assert "--data-dir" in short
        assert len(short.splitlines()) <= 60
        assert ("--lr X" in short) == ("--clip-norm X" in long) == (command in cli_read.TRAINING)
        assert "--clip-norm" not in short
        # only what it uses, though it accepts all
        assert ("--output-zip" in long) == (command in ("run", "ensemble"))
        assert ("--size" in long) == (command in ("plan", "run", *cli_read.TRAINING))
        assert "python" not in short + long
    assert asked == []


def test_help_has_the_numbers_of_the_recipes_asked_for(capsys, asked, leave):
    words = ["finetune", "--help-all", "--recipes", "mix,uniter", "--size", "tiny"]
    out = " ".join(help_of(leave, words, capsys).split())
    assert (
        "--batch-size N Videos (pretraining) or pairs (finetuning) in one update. [default 32;"
        in out
    )
    assert "from 1 to 1048576]" in out
    assert "[default 3; from 1 to 1024; only mix]" in out
    words = ["finetune", "--recipes", "mix,uniter,mix_roformer", "--help"]
    out = " ".join(help_of(leave, words, capsys).split())
    assert (
        "--total-steps N Updates; fewer if --epochs ends the run sooner. "
        "[default 4000; 3000 for uniter]" in out
    )
    known = {
        name
        for parts in (cli_read.FinetuneConfig(), cli_read.PretrainConfig())
        for name in cli_read._fields(parts)
    }
    assert set(OFTEN) <= known


def test_help_of_a_recipe_file(tmp_path, capsys, asked, leave):
    """Its own fields are flags like any other."""
    path = tmp_path / "own.py"
    path.write_text(OWN)
    out = " ".join(
        help_of(leave, ["pretrain", "--recipes", str(path), "--help-all"], capsys).split()
    )
    assert (
        "Pretraining, smooth: --smooth-weight X Weight of smoothness. [default 0.5; from 0 to"
        in out
    )
    flags = ["pretrain", "--recipes", f"mix,{path}", "--smooth-weight", "2"]
    assert leave(flags) == 2
    assert "--smooth-weight is a flag of own, and mix has none such" in capsys.readouterr().err
    assert leave(["pretrain", "--recipes", str(path), "--smooth-weight", "2"]) == 0
    ((_, (recipe,)),) = asked
    assert recipe.pretrain.smooth.weight == 2
    assert recipe.origin["pretrain.smooth_weight"] == "flag"


OWN = """
from dataclasses import dataclass, field, replace
from vidsim.config_fields import Weight
from vidsim.objectives.configs import ObjectiveConfig
from vidsim.recipes import mix
from vidsim.recipes.recipe import PretrainConfig

@dataclass(frozen=True)
class SmoothConfig(ObjectiveConfig):
    smooth_weight: Weight = 0.5
    \"\"\"Weight of smoothness.\"\"\"

    @property
    def weight(self):
        return self.smooth_weight

@dataclass(frozen=True)
class Mine(PretrainConfig):
    smooth: SmoothConfig = field(default_factory=SmoothConfig)

def recipe():
    return replace(mix.recipe(), pretrain=Mine())
"""
