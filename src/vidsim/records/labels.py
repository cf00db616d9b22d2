"""label.tsv, the challenge's list of rated pairs, into arrays; every odd line is an error."""

import math
from pathlib import Path

from vidsim.errors import VidsimError
from vidsim.records.pairs import Pairs

_ACCEPTED = (
    "accepted is: id_1 <tab> id_2 <tab> similarity, a number from 0 to 1, without a header line"
)


def read_labels(path: str | Path) -> Pairs:
    """Read the rated pairs of a label.tsv, in file order.

    Line ends of any system, a byte order mark, blanks around a field and empty lines at the end
    are tolerated.

    Raises:
        VidsimError: there is no such file, it holds no pair, or a line is not as accepted; it
            names the file and the line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise VidsimError(f"{path}: cannot be read ({error.strerror}); {_ACCEPTED}") from None
    except UnicodeDecodeError as error:
        raise VidsimError(f"{path}: not UTF-8 text ({error}); {_ACCEPTED}") from None
    id_1: list[bytes] = []
    id_2: list[bytes] = []
    sim: list[float] = []
    for number, line in enumerate(text.rstrip().split("\n"), 1):
        fields = [field.strip() for field in line.split("\t")]
        rating = _rating(fields[2]) if len(fields) == 3 else math.nan
        if math.isnan(rating) or not (fields[0] and fields[1]):
            raise VidsimError(f"{path}:{number}: {line.strip()[:80]!r}; {_ACCEPTED}")
        id_1.append(fields[0].encode())
        id_2.append(fields[1].encode())
        sim.append(rating)
    return Pairs.from_lists(id_1, id_2, sim)


def _rating(field: str) -> float:
    """The number of a field, NaN where it is none in [0, 1]."""
    try:
        value = float(field)
    except ValueError:
        return math.nan
    return value if 0 <= value <= 1 else math.nan
