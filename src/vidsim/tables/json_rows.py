"""Objects of a JSON file one by one: of JSON lines, or of one array, which is never read whole.

A contest hands out its million videos as one array of a gigabyte. The array is decoded an element
at a time from a buffer that holds little more than the longest element.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

BLOCK = 1 << 20  # characters that are read at a time
LONGEST = 1 << 26  # characters of one element; what is longer is no video but a damaged file
_BLANKS = " \t\r\n"


class JsonError(ValueError):
    """A place where a file is no JSON.

    Attributes:
        line: of the file, from 1.
        goes_on: whether what follows can be read all the same.
    """

    def __init__(self, line: int, reason: str, goes_on: bool):
        super().__init__(reason)
        self.line, self.goes_on = line, goes_on


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """The values of a file of JSON lines, each with its line; of a bad line, a JsonError."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except (ValueError, RecursionError) as error:
                yield number, JsonError(number, f"no JSON ({error})", goes_on=True)


def json_array(path: Path) -> Iterator[tuple[int, Any]]:
    """The elements of a file that is one JSON array, each with the line at which it begins.

    The last one is a JsonError where the file is damaged: nothing says where the next would begin.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            yield from _Elements(file)
        except JsonError as error:
            yield error.line, error
        except UnicodeDecodeError as error:
            yield 0, JsonError(0, f"not UTF-8 ({error})", goes_on=False)


class _Elements:
    """Elements of an array, decoded from a growing and shrinking buffer."""

    def __init__(self, file: TextIO):
        self._file, self._text, self._at = file, "", 0
        self._line, self._ended = 1, False
        self._decode = json.JSONDecoder().raw_decode

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        if self._next() != "[":
            raise self._error("no array [ ... ]; of .jsonl files each line is an object")
        self._step(1)
        if self._next() == "]":
            self._step(1)
            self._end()
            return
        while True:
            self._next()
            yield self._line, self._element()
            mark = self._next()
            if mark not in (",", "]"):
                raise self._error("',' or ']' is expected after an element")
            self._step(1)
            if mark == "]":
                self._end()
                return

    def _element(self) -> Any:
        """Decodes the element at the buffer's place, with more text where it is cut off."""
        while True:
            try:
                value, stop = self._decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if self._ended or len(self._text) - self._at > LONGEST:
                    raise self._error(f"no JSON ({error})") from None
            else:
                if stop < len(self._text) or self._ended:  # else a number may go on
                    self._step(stop - self._at)
                    return value
            self._more()

    def _next(self) -> str:
        """The next character that is not blank; "" at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _BLANKS:
                    return self._text[self._at]
                self._step(1)
            if self._ended:
                return ""
            self._more()

    def _more(self) -> None:
        """Drops what was decoded and reads as much again as is left, a block at least."""
        kept = self._text[self._at :]
        block = self._file.read(max(BLOCK, len(kept)))
        self._text, self._at, self._ended = kept + block, 0, not block

    def _step(self, count: int) -> None:
        self._line += self._text.count("\n", self._at, self._at + count)
        self._at += count

    def _end(self) -> None:
        if self._next():
            raise self._error("something follows the array's end")

    def _error(self, reason: str) -> JsonError:
        return JsonError(self._line, reason, goes_on=False)
