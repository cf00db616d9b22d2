"""One file of videos, read whole."""

from pathlib import Path

import numpy as np

from vidsim import schema
from vidsim.records.record_error import RecordError
from vidsim.records.record_log import RecordLog
from vidsim.records.tfrecord import iter_records
from vidsim.records.video_columns import VideoColumns
from vidsim.records.wire import WireError, parse_example

_FRAMES = frozenset((schema.FRAME_FEATURE,))


def read_video_columns(path: Path, log: RecordLog) -> dict[str, np.ndarray]:
    """Read every video of a file, verifying each record; frame features stay where they are.

    Raises:
        RecordError: a record is damaged or is not a video, unless the log skips those; or not a
            single video could be read.
    """
    columns, own = VideoColumns(), RecordLog(log.skip)
    for record in iter_records(path, own):
        try:
            columns.add(record, parse_example(record.payload, _FRAMES))
        except WireError as error:
            own.add_bad(RecordError(path, record.number, record.start, str(error)))
    log.extend(own)
    if not columns.ids:
        raise own.bad[0]
    return columns.arrays()
