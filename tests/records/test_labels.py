"""label.tsv: what is tolerated, and an error with file and line for everything else."""

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.records.labels import read_labels


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
    "line",
    [
        "id_1\tid_2\tsim",
        "1 2 0.5",
        "1\t2",
        "1\t2\t0.5\t",
        "1\t2\tnan",
        "1\t2\tinf",
        "1\t2\t1.01",
        "1\t2\t-0.01",
        "1\t\t0.5",
        "",
    ],
)
def test_not_accepted(tmp_path, line):
    path = tmp_path / "label.tsv"
    path.write_text(f"1\t2\t0.5\n{line}\n3\t4\t0.5\n")
    with pytest.raises(VidsimError) as caught:
        read_labels(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:2: {line.strip()!r}; accepted is: id_1 <tab> id_2 <tab>")
    assert "from 0 to 1" in message


def test_no_text_at_all(tmp_path):
    with pytest.raises(VidsimError, match=r"label\.tsv: cannot be read"):
        read_labels(tmp_path / "label.tsv")
    (tmp_path / "label.tsv").write_bytes(b"")
    with pytest.raises(VidsimError, match=r"label\.tsv:1: "):
        read_labels(tmp_path / "label.tsv")
    (tmp_path / "label.tsv").write_bytes(b"\xff\xfe1\x00\t\x00")
    with pytest.raises(VidsimError, match=r"label\.tsv: not UTF-8"):
        read_labels(tmp_path / "label.tsv")
