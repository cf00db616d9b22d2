"""One file of videos, read whole."""

from pathlib import Path

from vidsim.records.fields import streams_in_place
from vidsim.records.record_error import RecordError
from vidsim.records.record_log import RecordLog
from vidsim.records.tfrecord import iter_records
from vidsim.records.video_columns import FileVideos, VideoColumns
from vidsim.records.wire import WireError, parse_example


def read_videos(path: Path, log: RecordLog) -> FileVideos:
    """Read every video of a file, verifying each record; streams stay where they are.

    Raises:
        RecordError: a record is damaged or is not a video, unless the log skips those; or not a
            single video could be read.
    """
    columns, own, in_place = VideoColumns(), RecordLog(log.skip), streams_in_place()
    for record in iter_records(path, own):
        try:
            columns.add(record, parse_example(record.payload, in_place))
        except WireError as error:
            own.add_bad(RecordError(path, record.number, record.start, str(error)))
    log.extend(own)
    if not columns.ids:
        raise own.bad[0]
    return columns.videos(path)
