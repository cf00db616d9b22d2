"""Vectors for a batch - frames, actions, regions - straight from the memory-mapped TFRecord files.

A vector is some bytes at a known place. Seeing each file as one overlapping window per byte turns
a whole batch into a single indexed copy, at the speed of memory and without Python per video.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.records.mapped_files import MAPS, MappedFile
from vidsim.records.video_table import VideoTable


class FrameReader:
    """Reads a stream of the videos of a table; may be used from several threads at once.

    Args:
        table: the videos. Its files are looked at now, and mapped when they are read.
        field: the stream, a name of vidsim.schema.
        width: numbers in a vector, which the data must have too where they have any; None: as the
            data say.

    Raises:
        VidsimError: a file is shorter than the table says, the data have vectors of another width,
            or have none where no width is given.
    """

    def __init__(
        self, table: VideoTable, field: str = schema.FRAME_FEATURE, width: int | None = None
    ) -> None:
        self.table, self.field = table, field
        found = table.width(field)
        if found is None and width is None:
            raise VidsimError(
                f"{field}: not one vector in {table}, so that nothing says how many numbers one has"
            )
        if found is not None and width is not None and found != width:
            raise VidsimError(
                f"{field}: vectors of {width} numbers are expected, and those of {table} have "
                f"{found}"
            )
        self.width = found or width or 0
        self._stream = table.stream(field)
        needed = np.zeros(len(table.paths), np.int64)  # the byte after each file's last vector
        np.maximum.at(needed, table.places.file_no, self._stream.ends)
        numbers = np.flatnonzero(needed).tolist()
        self._files = {number: _whole(table.paths[number], needed[number]) for number in numbers}
        MAPS.add_user(self, self._files.values())

    def read(self, rows: np.ndarray, index: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Gather T vectors of each of B videos.

        Args:
            rows: (B,) rows of the table.
            index: (B, T) which vectors; looked at only where the mask is True.
            mask: (B, T) bool.

        Returns:
            (B, T, width) float16, zero where the mask is False.

        Raises:
            IndexError: a vector is asked for that its video does not have.
            VidsimError: a file was changed or taken away.
        """
        video, slot = np.nonzero(mask)
        row, number = np.asarray(rows)[video], np.asarray(index)[video, slot]
        count = self._stream.count[row]
        outside = (number < 0) | (number >= count)
        if outside.any():
            first = int(outside.argmax())
            raise IndexError(
                f"element {number[first]} of {self.field} of row {row[first]}, which has "
                f"{count[first]}"
            )
        place = self._stream.offset[row] + number.astype(np.int64) * self._stream.stride
        vector = np.dtype(f"V{2 * self.width}")
        out = np.zeros(mask.shape, vector)
        for file, part in _by_file(self.table.places.file_no[row]):
            window = _window(MAPS.bytes_of(self._files[file]), vector)
            out[video[part], slot[part]] = window[place[part]]
        return out.view("<f2").reshape(*mask.shape, self.width)


def _by_file(file_no: np.ndarray) -> Iterator[tuple[int, np.ndarray | slice]]:
    """Each file of (K,) file numbers, and which of the K are in it."""
    if not len(file_no):
        return
    if (file_no == file_no[0]).all():
        yield int(file_no[0]), slice(None)
        return
    order = np.argsort(file_no, kind="stable")
    cuts = np.flatnonzero(np.diff(file_no[order])) + 1
    for part in np.split(order, cuts):
        yield int(file_no[part[0]]), part


def _whole(path: Path, needed: int) -> MappedFile:
    file = MappedFile.of(path)
    if file.size < needed:
        raise VidsimError(
            f"{path}: {file.size} bytes, but its vectors end at byte {needed}; "
            "the file was changed while it was in use"
        )
    return file


def _window(data: np.ndarray, vector: np.dtype) -> np.ndarray:
    """One window of a vector's size per byte of a file, overlapping items."""
    return np.ndarray((len(data) - vector.itemsize + 1,), vector, data, strides=(1,))
