"""One id in several records: read once where they say the same, an error where they do not."""

from pathlib import Path

import pytest

from vidsim.records.record_error import RecordError
from vidsim.records.record_log import RecordLog
from vidsim.records.tfrecord import frame_record
from vidsim.records.video_table import load_videos
from vidsim.records.wire import BYTES, INT64, Feature, encode_example

FRAME = bytes(3072)
SEVEN = {
    "id": Feature(BYTES, [b"7"]),
    "title": Feature(BYTES, [b"seven"]),
    "frame_feature": Feature(BYTES, [FRAME]),
    "tag_id": Feature(INT64, [3]),
}
EIGHT = {**SEVEN, "id": Feature(BYTES, [b"8"])}
BACKWARDS = dict(reversed(SEVEN.items()))  # the same fields in another order
START = len(frame_record(encode_example(SEVEN)))


def write(path: Path, *records: dict[str, Feature]) -> Path:
    path.write_bytes(b"".join(frame_record(encode_example(record)) for record in records))
    return path


def test_the_same_again_in_one_file_is_read_once_and_counted(tmp_path):
    path = write(tmp_path / "a", SEVEN, EIGHT, BACKWARDS, SEVEN)
    for _ in ("from the file", "from its index"):
        log = RecordLog()
        table = load_videos(path, log=log)
        assert table.ids.tolist() == [b"7", b"8"]
        assert table.places.record_no.tolist() == [0, 1] and table.skipped == 0
        assert [(repeat.record, repeat.offset) for repeat in log.repeated] == [
            (2, 2 * START),
            (3, 3 * START),
        ]
        assert "id '7' stands in record 0 already, with the same content" in str(log.repeated[0])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"title": Feature(BYTES, [b"other"])}, "title"),
        ({"frame_feature": Feature(BYTES, [bytes(3071) + b"\1"])}, "frame_feature"),
        ({"tag_id": Feature(INT64, [3, 4]), "asr_text": Feature(BYTES, [b""])}, "tag_id and asr"),
    ],
)
def test_another_content_is_an_error_that_names_both_records(tmp_path, change, named):
    path = write(tmp_path / "a", SEVEN, EIGHT, {**SEVEN, **change})
    with pytest.raises(RecordError) as caught:
        load_videos(path)
    assert (caught.value.path, caught.value.record, caught.value.offset) == (path, 2, 2 * START)
    assert f"id '7' stands in record 0 already, with another {named}" in caught.value.reason
    log = RecordLog(skip=True)
    table = load_videos(path, log=log)
    assert table.titles == ["seven", "seven"] and table.skipped == 1
    assert [error.record for error in log.bad] == [2]
    with pytest.raises(RecordError):
        load_videos(path)  # the index hides nothing


def test_in_two_files_too(tmp_path):
    first, same = write(tmp_path / "a", EIGHT, SEVEN), write(tmp_path / "b", BACKWARDS)
    log = RecordLog()
    assert load_videos([first, same], log=log).places.file_no.tolist() == [0, 0]
    assert f"id '7' stands in record 1 of {first} already" in str(log.repeated[0])
    other = write(tmp_path / "c", EIGHT, {**SEVEN, "title": Feature(BYTES, [b""])})
    with pytest.raises(RecordError, match=rf"/c: record 1 .*record 1 of {first} already"):
        load_videos([first, other])
