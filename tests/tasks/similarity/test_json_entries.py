"""Entries one by one: the same as Python's own reader, errors and their places included."""

import io
import json

import pytest

from vidsim.tasks.similarity import json_entries
from vidsim.tasks.similarity.json_entries import JsonEntries

NUMBERS = [1, -2.5, 3e-05]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Entries of at most 128 characters, read 50 at a time."""
    monkeypatch.setattr(json_entries, "ENTRY", 128)
    monkeypatch.setattr(json_entries, "_PIECE", 50)


def entries(text):
    return list(JsonEntries(io.StringIO(text, newline="")))


@pytest.mark.parametrize("indent", [None, 1, 4])
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_all_entries_in_order(indent, count):
    made = {f"id {n} é": [*NUMBERS, n] for n in range(count)}
    for text in (json.dumps(made, indent=indent), " \n" + json.dumps(made, indent=indent) + "\n "):
        assert entries(text) == list(made.items())


def test_what_is_no_object():
    with pytest.raises(json.JSONDecodeError, match=r"Expecting \{: line 1 column 1 \(char 0\)"):
        entries("[1]")


def test_repeated_keys_are_all_there():
    assert entries('{"a": 1, "a": [2]}') == [("a", 1), ("a", [2])]


WHOLE = ",\n".join(f'"{n}": [1, 2, {n}]' for n in range(30))


@pytest.mark.parametrize(
    "text",
    [
        f"{{{WHOLE}, ]}}",
        f'{{{WHOLE}, "a" [1]}}',
        f'{{{WHOLE}, "a": [1, 2}}',
        f'{{{WHOLE}, "a": [1 2]}}',
        f'{{{WHOLE},\n  "a": [1, x]}}',
        f"{{{WHOLE}",
        f'{{{WHOLE}, "a',
        f"{{{WHOLE}}} {{",
        f"{{{WHOLE}}} {' ' * 100}",
        f"{{{WHOLE}}}{{{WHOLE}}}",
        "",
        "{1: 2}",
    ],
)
def test_errors_tell_the_place_in_the_file(text):
    """Line, column and character as the standard library tells them, of what it says too."""
    try:
        json.loads(text)
        expected = None
    except json.JSONDecodeError as error:
        expected = error
    if expected is None:
        assert len(entries(text)) == 30
        return
    with pytest.raises(json.JSONDecodeError) as found:
        entries(text)
    assert str(found.value).endswith(
        f"line {found.value.lineno} column {found.value.colno} (char {found.value.pos})"
    )
    assert abs(found.value.pos - expected.pos) <= 1
    assert found.value.lineno == expected.lineno
    before = text[: found.value.pos]
    assert found.value.lineno == before.count("\n") + 1
    assert found.value.colno == len(before) - before.rfind("\n")


@pytest.mark.parametrize(
    "entry",
    ['"a": [' + "1, " * 60 + "1]", f'"{"a" * 190}": 1', f'"{"a" * 1900}": 1', '"a": ' + "1" * 300],
)
@pytest.mark.parametrize("end", ["}", ', "b": 2}', "", f",{WHOLE}}}"])
def test_an_entry_too_long_is_refused(entry, end):
    """And named by where it begins; unless nothing follows that it could be told by."""
    with pytest.raises(json.JSONDecodeError) as error:
        entries(f"{{{WHOLE}, {entry}{end}")
    if end:
        assert "An entry of more than 128 characters" in str(error.value)
        assert error.value.pos == len(WHOLE) + 3


def test_no_more_than_a_few_entries_are_held():
    class Watched(io.StringIO):
        largest = 0

        def read(self, size=-1):
            Watched.largest = max(Watched.largest, len(reader._text))
            return super().read(size)

    reader = JsonEntries(Watched("{" + ",".join(f'"{n}": [1]' for n in range(5000)) + "}"))
    assert sum(1 for _ in reader) == 5000
    assert 0 < Watched.largest <= 2 * 128 + 50
