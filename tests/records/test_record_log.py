"""The log of bad records: stops at the first, or keeps and lists them."""

from pathlib import Path

import pytest

from vidsim.records.record_error import RecordError
from vidsim.records.record_log import NAMED, RecordLog


def error(record: int, path: str = "a") -> RecordError:
    return RecordError(Path(path), record, 10 * record, "odd")


def test_the_first_bad_record_stops():
    log = RecordLog()
    first = error(3)
    with pytest.raises(RecordError) as caught:
        log.add_bad(first)
    assert caught.value is first
    log.add_repeated(error(4))  # never does


def test_what_another_log_kept_counts_as_met_now():
    kept = RecordLog(skip=True)
    kept.add_bad(error(1))
    kept.add_repeated(error(2))
    with pytest.raises(RecordError, match="record 1 "):
        RecordLog().extend(kept)
    again = RecordLog(skip=True)
    again.extend(kept)
    assert (again.bad, again.repeated) == (kept.bad, kept.repeated)


def test_nothing_to_say():
    assert list(RecordLog(skip=True).lines()) == []


def test_the_count_of_each_file_and_the_first_of_all():
    log = RecordLog(skip=True)
    for record in range(NAMED):
        log.add_bad(error(record))
    for record in range(5):
        log.add_bad(error(record, "b"))
    log.add_repeated(error(7))
    lines = list(log.lines())
    assert lines[0] == "1 repeated records are read once (1 in a)"
    assert lines[1] == f"SKIPPED {NAMED + 5} bad records ({NAMED} in a, 5 in b):"
    assert lines[2] == "  a: record 0 (at byte 0): odd"
    assert len(lines) == 2 + NAMED + 1
    assert lines[-1] == "  and 5 more"
