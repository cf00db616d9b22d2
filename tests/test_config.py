"""--folds, and that the common options are read without TensorFlow."""

import subprocess
import sys

import pytest

from vidsim.config import parse_folds
from vidsim.errors import VidsimError


@pytest.mark.parametrize(
    ("folds", "expected"),
    [("all", [0, 1, 2, 3]), (" all ", [0, 1, 2, 3]), ("2", [2]), ("3, 0,3", [0, 3])],
)
def test_folds(folds, expected):
    assert parse_folds(folds, 4) == expected


@pytest.mark.parametrize("folds", ["4", "-1", "0,x", "", "1,", "0-2", "1.0"])
def test_not_a_fold(folds):
    with pytest.raises(
        VidsimError, match="is not a fold; accepted are all, or a comma list of 0 to 3"
    ):
        parse_folds(folds, 4)


def test_the_command_line_and_every_recipe_are_read_without_keras():
    """`--help` and a mistyped stage answer at once."""
    code = (
        "import sys; from vidsim import cli; from vidsim.recipes import registry\n"
        "import vidsim.tasks.similarity.configs\n"
        "registry.load('every', 'tiny', pretrained=True)\n"
        "print({'keras', 'tensorflow', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
