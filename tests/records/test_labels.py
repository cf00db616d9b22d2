"""label.tsv: what is tolerated, and an error with file and line for everything else."""

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.records.labels import label_notes, read_labels
from vidsim.records.pairs import Pairs


def test_derived_pairs(tmp_path):
    path = tmp_path / "label.tsv"
    path.write_bytes(b"12\t345\t0.25\n9223372036854775807\t12\t1\n")
    pairs = read_labels(path)
    assert pairs.id_1.tolist() == [b"12", b"9223372036854775807"]
    assert pairs.id_2.tolist() == [b"345", b"12"]
    assert pairs.sim.tolist() == [0.25, 1.0] and pairs.sim.dtype == np.float32


@pytest.mark.parametrize(
    "content",
    [
        b"1\t2\t0.5\r\n3\t4\t0\r\n",
        b"\xef\xbb\xbf1\t2\t0.5\n3\t4\t0",
        b"1\t2\t0.5\n3\t4\t0\n\n  \n\n",
        b" 1 \t 2\t0.5 \n3 \t4\t0e0\n",
    ],
)
def test_tolerated(tmp_path, content):
    path = tmp_path / "label.tsv"
    path.write_bytes(content)
    pairs = read_labels(path)
    assert (pairs.id_1.tolist(), pairs.id_2.tolist()) == ([b"1", b"3"], [b"2", b"4"])
    assert pairs.sim.tolist() == [0.5, 0]


@pytest.mark.parametrize(
    ("line", "odd"),
    [
        ("id_1\tid_2\tsim", "similarity is 'sim'"),
        ("1 2 0.5", "a line without a tab"),
        ("1\t2", "2 columns"),
        ("1\t2\t0.5\t", "4 columns: a tab too many at the end of the line"),
        ("1\t2\t0.5\t \t", "5 columns: a tab too many at the end of the line"),
        ("1\t2\t0.5\tx ", "4 columns"),
        ("1\t2\tnan", "similarity is 'nan'"),
        ("1\t2\tinf", "similarity is 'inf'"),
        ("1\t2\t1.01", "similarity is '1.01'"),
        ("1\t2\t-0.01", "similarity is '-0.01'"),
        ("1\t2\t0,5", "similarity is '0,5'"),
        ("1\t2\t0_1", "similarity is '0_1'"),
        ("1\t2\t０.5", "similarity is '０.5'"),
        ("1\t2\t", "similarity is ''"),
        ("1\t\t0.5", "id_2 is ''; a text of 1 to 256 bytes"),
        ("1\0\t2\t0.5", "id_1 is '1\\x00'; a text of"),
        (f"{'9' * 257}\t2\t0.5", f"id_1 is '{'9' * 80}'... of 257 characters; a text of"),
        ("", "an empty line"),
        ("  ", "an empty line"),
    ],
)
def test_not_accepted(tmp_path, line, odd):
    """The line is shown as it is: a tab at its end is seen."""
    path = tmp_path / "label.tsv"
    path.write_text(f"1\t2\t0.5\n{line}\n3\t4\t0.5\n")
    with pytest.raises(VidsimError) as caught:
        read_labels(path)
    message = str(caught.value)
    length = f"... of {len(line)} characters" if len(line) > 80 else ""
    assert message.startswith(f"{path}:2: {line[:80]!r}{length}, {odd}")
    assert "; accepted is: id_1 <tab> id_2 <tab>" in message and "from 0 to 1" in message


def test_no_text_at_all(tmp_path):
    with pytest.raises(VidsimError, match=r"label\.tsv: cannot be read"):
        read_labels(tmp_path / "label.tsv")
    (tmp_path / "label.tsv").write_bytes(b"")
    with pytest.raises(VidsimError, match=r"label\.tsv:1: "):
        read_labels(tmp_path / "label.tsv")
    (tmp_path / "label.tsv").write_bytes(b"\xff\xfe1\x00\t\x00")
    with pytest.raises(VidsimError, match=r"label\.tsv: not UTF-8"):
        read_labels(tmp_path / "label.tsv")


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ([2], None),
        ([2, 4], r" \(line 4 too\)$"),
        ([1, 2, 3], r" \(lines 2, 3 too\)$"),
        (list(range(2, 10)), r" \(lines 3, 4, 5, 6, 7 and 2 more too\)$"),
    ],
)
def test_all_odd_lines_are_told_at_once(tmp_path, odd, told):
    path = tmp_path / "label.tsv"
    path.write_text("".join(f"1\t2\t{7 if n in odd else 1}\n" for n in range(1, 11)))
    with pytest.raises(VidsimError, match=rf"label\.tsv:{odd[0]}: .*{told or 'header line$'}"):
        read_labels(path)


def noted(*rows: tuple[str, str, float]) -> list[str]:
    id_1, id_2, sim = map(list, zip(*rows, strict=True))
    return label_notes(
        Pairs.from_lists([i.encode() for i in id_1], [i.encode() for i in id_2], sim)
    )


def test_ratings_that_are_unusual_are_counted():
    """Lines 4 and 5 rate the pair of line 1 again, line 5 the other way round and differently."""
    rows = [("1", "2", 0.5), ("1", "3", 0.5), ("4", "4", 1), ("1", "2", 0.5), ("2", "1", 0.75)]
    assert noted(*rows[:2]) == []
    assert noted(*rows[:3]) == ["1 ratings of a video with itself (first: line 3)"]
    again = "ratings of pairs rated before"
    assert noted(*rows[:2], rows[3]) == [f"1 {again} (first: lines 1 and 3)"]
    assert noted(*rows)[1:] == [f"2 {again}, 1 of them differently (first: lines 1 and 5)"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "odd", ["9" * 1_000_000 + "x", "0." + "1" * 1_000_000 + "e", "1" * 1_000_000]
)
def test_a_number_of_a_million_digits_is_refused_at_once(tmp_path, odd):
    path = tmp_path / "label.tsv"
    path.write_text(f"1\t2\t{odd}\n")
    with pytest.raises(VidsimError, match=r"label\.tsv:1: .*accepted is"):
        read_labels(path)
    path.write_text(f"1\t2\t0.{'1' * 1_000_000}\n")
    assert read_labels(path).sim.tolist() == [np.float32(1 / 9)]
