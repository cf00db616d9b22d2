"""The error that says which record of which file is damaged.

TensorFlow's own message names neither the file nor the record number, and is silent about some
truncations; a data set of a million videos needs both to be mended.
"""

from pathlib import Path

from vidsim.errors import VidsimError


class RecordError(VidsimError):
    """A record that cannot be read.

    Attributes:
        path: the TFRecord file.
        record: number of the record in the file, the first is 0.
        offset: byte offset at which the record begins.
        reason: what is wrong with it, and what is accepted.
        ends_file: nothing behind it can be read.
    """

    def __init__(
        self, path: Path, record: int, offset: int, reason: str, ends_file: bool = False
    ) -> None:
        super().__init__(f"{path}: record {record} (at byte {offset}): {reason}")
        self.path = path
        self.record = record
        self.offset = offset
        self.reason = reason
        self.ends_file = ends_file
