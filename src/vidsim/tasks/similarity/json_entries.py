"""The entries of one large JSON object, one after the other, in bounded memory."""

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

ENTRY = 1 << 16
"""Characters of the longest entry, blanks included; 256 numbers at their longest take 8,192."""
_MARK = re.compile(r"[ \t\n\r]*([{}:,])[ \t\n\r]*")
_PIECE = 1 << 17  # characters read at a time; as lists of nothing they are 30 times as many bytes


class JsonEntries:
    """Iterates over (key, value) in the order of the file, repeated keys included.

    Args:
        file: text of a JSON object; a little more than an entry of it is held.

    Raises:
        json.JSONDecodeError, RecursionError: while iterating; not JSON, or an entry of more than
            ``ENTRY`` characters. Places are those of the file.
    """

    def __init__(self, file: TextIO):
        self._file = file
        self._text, self._ended = "", False
        self._before = self._lines = self._column = 0  # what was let go of: characters, lines

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Reads the file from where it stands; once only."""
        at = 0
        try:
            at = self._let_go(at)
            mark, at = ",", self._punctuation(at, "{")[1]
            if self._text[at : at + 1] == "}":
                mark, at = self._punctuation(at, "}")
            while mark == ",":
                at = self._let_go(at)
                name, value, mark, at = self._entry(at)
                yield name, value
            if at != len(self._text) or self._file.read(1):
                raise json.JSONDecodeError("Extra data", self._text, at)
        except json.JSONDecodeError as error:
            raise self._placed(error) from None

    def _entry(self, at: int) -> tuple[str, Any, str, int]:
        """The key and value that begin at a place, the mark behind them and where it goes on."""
        begin, decoder = at, json.JSONDecoder()
        try:
            name, at = decoder.raw_decode(self._text, at)
            if not isinstance(name, str):
                raise json.JSONDecodeError("Expecting an id in double quotes", self._text, begin)
            _, at = self._punctuation(at, ":")
            value, at = decoder.raw_decode(self._text, at)
            mark, at = self._punctuation(at, ",}")
        except json.JSONDecodeError as error:
            # An entry that does not end in the text held is cut there: the error means nothing.
            cut = error.pos >= len(self._text) - ENTRY or error.msg.startswith("Unterminated")
            if self._ended or not cut:
                raise
            at = begin + ENTRY + 1
        if at - begin > ENTRY:
            said = f"An entry of more than {ENTRY:,} characters"
            raise json.JSONDecodeError(said, self._text, begin)
        return name, value, mark, at

    def _punctuation(self, at: int, accepted: str) -> tuple[str, int]:
        """The punctuation mark that must come next, and where the text goes on after it."""
        found = _MARK.match(self._text, at)
        if not found or found[1] not in accepted:
            raise json.JSONDecodeError(f"Expecting {' or '.join(accepted)}", self._text, at)
        return found[1], found.end()

    def _let_go(self, at: int) -> int:
        """Sees that two entries fit into what is held behind a place; returns where it is now."""
        if self._ended or len(self._text) - at >= 2 * ENTRY:
            return at
        gone, self._text = self._text[:at], self._text[at:]
        self._before += len(gone)
        self._lines += gone.count("\n")
        self._column = len(gone) - gone.rfind("\n") - 1 if "\n" in gone else self._column + at
        wanted = 2 * ENTRY + _PIECE - len(self._text)
        more = self._file.read(wanted)
        self._ended = len(more) < wanted
        self._text += more
        return 0

    def _placed(self, error: json.JSONDecodeError) -> json.JSONDecodeError:
        """The same error with its place in the file."""
        placed = json.JSONDecodeError(error.msg, "", 0)
        column = error.colno + (self._column if error.lineno == 1 else 0)
        line, place = error.lineno + self._lines, error.pos + self._before
        placed.args = (f"{error.msg}: line {line} column {column} (char {place})",)
        placed.pos, placed.lineno, placed.colno = place, line, column
        return placed
