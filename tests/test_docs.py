"""The documentation names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMED = re.findall(
    r"`(?:python )?(tests/[\w/]+\.py)(?:::(\w+))?",
    (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8"),
)


def test_there_are_many():
    assert len(NAMED) > 60


@pytest.mark.parametrize(("path", "test"), sorted(set(NAMED)))
def test_a_test_that_is_named_exists(path, test):
    source = (ROOT / path).read_text(encoding="utf-8")
    assert not test or re.search(rf"^def {test}\(", source, re.MULTILINE)
