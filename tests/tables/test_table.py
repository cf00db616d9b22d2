"""Rows of every kind of table, each with the line at which it stands in the file."""

import json

import pytest

from vidsim.errors import VidsimError
from vidsim.tables import json_rows
from vidsim.tables.row_log import RowLog
from vidsim.tables.table import Table

VIDEOS = [{"id": "07", "title": "a, b"}, {"id": "8", "title": 'two\nlines of "words"'}]
VIDEOS += [{"id": "9", "title": "NA"}, {"id": "10", "title": ""}]


def rows(path, text=None, skip=False, encoding="utf-8"):
    if text is not None:
        path.write_bytes(text.encode(encoding, "surrogateescape"))
    log = RowLog(skip)
    return [(row.line, dict(row.values)) for row in Table(path).rows(log)], log


def test_the_same_videos_in_every_format(tmp_path):
    """A record behind a line feed within quotes is a line later; so is one behind a blank line."""
    csv = 'id,title\r\n07,"a, b"\r\n8,"two\nlines of ""words"""\r\n\r\n9,NA\r\n10\r\n'
    found, _ = rows(tmp_path / "a.csv", "\ufeff" + csv)
    assert found == list(zip([2, 3, 6, 7], VIDEOS, strict=True))
    lines = "\n".join(json.dumps(video) for video in VIDEOS)
    assert rows(tmp_path / "a.jsonl", lines + "\n\n")[0] == list(enumerate(VIDEOS, 1))
    array = json.dumps(VIDEOS, indent=1)
    found, _ = rows(tmp_path / "a.json", array)
    assert found == list(zip([2, 6, 10, 14], VIDEOS, strict=True))
    assert rows(tmp_path / "b.json", "[]\n")[0] == []
    tsv = 'id\ttitle\n7\ta "quote\n'
    assert rows(tmp_path / "a.tsv", tsv)[0] == [(2, {"id": "7", "title": 'a "quote'})]


def test_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="sh setup.sh parquet")
    from pyarrow import Table as ArrowTable

    parquet.write_table(ArrowTable.from_pylist(VIDEOS), tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet")[0] == list(enumerate(VIDEOS, 1))
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(VidsimError, match=r"b.parquet: not a Parquet file"):
        rows(tmp_path / "b.parquet")


def test_an_array_that_is_longer_than_the_buffer(tmp_path, monkeypatch):
    """Cut anywhere by blocks of 1 to 40 characters, numbers at its end too, it reads the same."""
    values = [*VIDEOS, {"n": [1, 2.5e10, None]}]
    text = json.dumps(values, indent=1, ensure_ascii=False)
    for block in range(1, 41):
        monkeypatch.setattr(json_rows, "BLOCK", block)
        found, log = rows(tmp_path / "a.json", text.replace("\n]", ",\n 123456 ]"), skip=True)
        assert [row for _, row in found] == values
        assert log.first == [f"{tmp_path / 'a.json'}:25: '123456' is no object {{...}}"]


def test_a_damaged_array_is_told_by_its_line(tmp_path, monkeypatch):
    for text, line, reason in (
        ('[{"id": "1"},\n {"id": "2",]', 2, "no JSON"),
        ('[{"id": "1"},\n {"id": "2"}', 2, "',' or ']' is expected"),
        ('[{"id": "1"}]\n x', 2, "something follows"),
        ('{"id": "1"}', 1, "no array"),
        ("", 1, "no array"),
        ('[{"id": "\udcff"}]', 0, "not UTF-8"),
    ):
        with pytest.raises(VidsimError, match=rf"a.json:{line}: .*{reason}"):
            rows(tmp_path / "a.json", text, skip=True)
    monkeypatch.setattr(json_rows, "LONGEST", 50)
    monkeypatch.setattr(json_rows, "BLOCK", 10)
    with pytest.raises(VidsimError, match=r"a.json:1: no JSON"):
        rows(tmp_path / "a.json", '[{"id": "' + "a" * 100 + '"}]')


def test_bad_lines_stop_or_are_skipped(tmp_path):
    """Two values too many in record 3, which is line 4 behind a title of two lines."""
    text = 'id,title\n1,"a\nb"\n2,b,c,d\n3,c\n4,d,e\n'
    with pytest.raises(VidsimError, match=r"a.csv: not a table: .*line 3, saw 4"):
        rows(tmp_path / "a.csv", text)
    found, log = rows(tmp_path / "a.csv", text, skip=True)
    assert [line for line, _ in found] == [2, 5]
    assert log.first == [
        f"{tmp_path / 'a.csv'}:4: 4 values; the first line has 2 names",
        f"{tmp_path / 'a.csv'}:6: 3 values; the first line has 2 names",
    ]
    found, log = rows(tmp_path / "a.jsonl", '{"id": "1"}\n[2]\n{"id"\n{"id": "4"}\n', skip=True)
    assert [line for line, _ in found] == [1, 4] and log.counts == {str(tmp_path / "a.jsonl"): 2}
    with pytest.raises(VidsimError, match=r"a.jsonl:2: '\[2\]' is no object"):
        rows(tmp_path / "a.jsonl")


def test_what_is_no_table(tmp_path):
    for name, text, message in (
        ("a.xlsx", "", r"tables are .csv, .tsv"),
        ("a.csv", "", "empty; a first line with names"),
        ("b.csv", 'id\n"1\n', "not a table: .*EOF inside string"),
    ):
        with pytest.raises(VidsimError, match=message):
            rows(tmp_path / name, text)
    with pytest.raises(VidsimError, match="there is no such file"):
        rows(tmp_path / "none.csv")


def test_many_bad_rows_are_counted_and_the_first_named(tmp_path):
    log = RowLog(skip=True)
    for number in range(30):
        log.bad(tmp_path / "a.csv", f"a.csv:{number}", "odd")
    lines = list(log.lines())
    assert lines[0] == f"SKIPPED 30 bad rows (30 in {tmp_path / 'a.csv'}):"
    assert lines[1] == "  a.csv:0: odd" and lines[-1] == "  and 10 more" and len(lines) == 22
