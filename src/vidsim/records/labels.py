"""label.tsv, the challenge's list of rated pairs, into arrays; every odd line is an error."""

import re
from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.records.pairs import Pairs, pair_keys
from vidsim.records.shown import shown
from vidsim.records.video_id import ACCEPTED_ID, is_video_id

_ACCEPTED = (
    "accepted is: id_1 <tab> id_2 <tab> similarity, a number from 0 to 1 with a decimal point, "
    "without a header line"
)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_NAMED = 5  # how many further lines an error names


def read_labels(path: str | Path) -> Pairs:
    """Read the rated pairs of a label.tsv, in file order: row i is line i + 1.

    Line ends of any system, a byte order mark, blanks around a field and empty lines at the end
    are tolerated.

    Raises:
        VidsimError: there is no such file, it holds no pair, or a line is not as accepted; it
            names the file and the line, and further such lines.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise VidsimError(f"{path}: cannot be read ({error.strerror}); {_ACCEPTED}") from None
    except UnicodeDecodeError as error:
        raise VidsimError(f"{path}: not UTF-8 text ({error}); {_ACCEPTED}") from None
    lines = text.split("\n")
    while len(lines) > 1 and not lines[-1].strip():
        lines.pop()
    pairs, odd = [], []
    for number, line in enumerate(lines, 1):
        pair = _pair(line)
        if pair is None:
            odd.append(number)
        else:
            pairs.append(pair)
    if odd:
        first = lines[odd[0] - 1]
        more = f" ({_named_lines(odd[1:])} too)" if len(odd) > 1 else ""
        raise VidsimError(
            f"{path}:{odd[0]}: {shown(first)}, {_what_is_odd(first)}; {_ACCEPTED}{more}"
        )
    id_1, id_2, sim = (list(column) for column in zip(*pairs, strict=True))
    return Pairs.from_lists(id_1, id_2, sim)


def label_notes(pairs: Pairs) -> list[str]:
    """What is unusual in a list of ratings and yet taken as it is: every line is a rating.

    Returns:
        How many pairs are rated several times, either video first, and how many of a video with
        itself; each with its first line, and nothing where there are none.
    """
    notes = []
    if len(own := np.flatnonzero(pairs.id_1 == pairs.id_2)):
        notes.append(f"{len(own)} ratings of a video with itself (first: line {own[0] + 1})")
    places: dict[tuple[bytes, bytes], int] = {}
    keys = enumerate(pair_keys(pairs))
    origin = np.array([places.setdefault(key, row) for row, key in keys])  # (N,) its first row
    if len(again := np.flatnonzero(origin != np.arange(len(pairs)))):
        unlike = again[pairs.sim[again] != pairs.sim[origin[again]]]
        differing = f", {len(unlike)} of them differently" if len(unlike) else ""
        row = (unlike if len(unlike) else again)[0]
        lines = f"lines {origin[row] + 1} and {row + 1}"
        notes.append(f"{len(again)} ratings of pairs rated before{differing} (first: {lines})")
    return notes


def _pair(line: str) -> tuple[bytes, bytes, float] | None:
    """The ids and the rating of a line, None where it is not as accepted."""
    fields = [field.strip() for field in line.split("\t")]
    if len(fields) != 3 or not _NUMBER.fullmatch(fields[2]):
        return None
    id_1, id_2, rating = fields[0].encode(), fields[1].encode(), float(fields[2])
    if not (is_video_id(id_1) and is_video_id(id_2) and 0 <= rating <= 1):
        return None
    return id_1, id_2, rating


def _what_is_odd(line: str) -> str:
    """What of a line that is not accepted is not, as far as it can be told."""
    fields = [field.strip() for field in line.split("\t")]
    if len(fields) == 1:
        return "an empty line" if not fields[0] else "a line without a tab"
    if len(fields) > 3 and not any(fields[3:]):
        return f"{len(fields)} columns: a tab too many at the end of the line"
    if len(fields) != 3:
        return f"{len(fields)} columns"
    for name, field in zip(("id_1", "id_2"), fields, strict=False):
        if not is_video_id(field.encode()):
            return f"{name} is {shown(field)}; {ACCEPTED_ID}"
    return f"similarity is {shown(fields[2])}"


def _named_lines(numbers: list[int]) -> str:
    named = ", ".join(map(str, numbers[:_NAMED]))
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    return f"line{'s' * (len(numbers) > 1)} {named}{more}"
