"""docs/reliability.md: every test that it names is there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def missing(text: str) -> list[str]:
    """Of the tests named as path::name in a text, those that are not there."""
    absent = []
    for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text):
        file = ROOT / path
        tree = ast.parse(file.read_text(encoding="utf-8")) if file.is_file() else ast.Module([], [])
        if name not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
            absent.append(f"{path}::{name}")
    return absent


def test_every_named_test_is_there():
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    rows = [row for row in rows if "| what happens |" not in row]
    assert len(rows) > 30
    assert [row for row in rows if "::" not in row] == []
    assert missing(text) == []


def test_a_test_that_is_not_there_is_found():
    here = "`tests/test_reliability.py::test_every_named_test_is_there`"
    assert missing(here) == []
    assert missing(here.replace("named_", "")) and missing(here.replace("/test_rel", "/rel"))
