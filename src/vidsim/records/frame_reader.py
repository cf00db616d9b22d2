"""Frame features for a batch, taken straight from the memory-mapped TFRecord files.

A frame is 3072 bytes at a known place. Seeing each file as one overlapping window per byte turns
a whole batch into a single indexed copy, at the speed of memory and without Python per video.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.records.mapped_files import MAPS, MappedFile
from vidsim.records.video_table import VideoTable
from vidsim.schema import FRAME_BYTES, FRAME_SIZE

_FRAME = np.dtype(f"V{FRAME_BYTES}")


class FrameReader:
    """Reads frames of the videos of a table; may be used from several threads at once.

    Args:
        table: the videos. Its files are looked at now, and mapped when they are read.

    Raises:
        VidsimError: a file is shorter than the table says.
    """

    def __init__(self, table: VideoTable) -> None:
        self.table = table
        last = table.frame_offset + (table.n_frames - 1) * table.frame_stride.astype(np.int64)
        ends = np.where(table.n_frames > 0, last + FRAME_BYTES, 0)
        needed = np.zeros(len(table.paths), np.int64)  # the byte after each file's last frame
        np.maximum.at(needed, table.file_no, ends)
        numbers = np.flatnonzero(needed).tolist()
        self._files = {number: _whole(table.paths[number], needed[number]) for number in numbers}
        MAPS.add_user(self, self._files.values())

    def read(self, rows: np.ndarray, frame_index: np.ndarray, frame_mask: np.ndarray) -> np.ndarray:
        """Gather T frames of each of B videos.

        Args:
            rows: (B,) rows of the table.
            frame_index: (B, T) which frames; looked at only where the mask is True.
            frame_mask: (B, T) bool.

        Returns:
            (B, T, 1536) float16, zero where the mask is False.

        Raises:
            IndexError: a frame is asked for that its video does not have.
            VidsimError: a file was changed or taken away.
        """
        video, slot = np.nonzero(frame_mask)
        row, frame = np.asarray(rows)[video], np.asarray(frame_index)[video, slot]
        outside = (frame < 0) | (frame >= self.table.n_frames[row])
        if outside.any():
            first = int(outside.argmax())
            raise IndexError(
                f"frame {frame[first]} of row {row[first]}, "
                f"which has {self.table.n_frames[row[first]]} frames"
            )
        stride = self.table.frame_stride[row].astype(np.int64)
        place = self.table.frame_offset[row] + frame * stride
        out = np.zeros(frame_mask.shape, _FRAME)
        for number, part in _by_file(self.table.file_no[row]):
            window = _window(MAPS.bytes_of(self._files[number]))
            out[video[part], slot[part]] = window[place[part]]
        return out.view("<f2").reshape(*frame_mask.shape, FRAME_SIZE)


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
            f"{path}: {file.size} bytes, but its frames end at byte {needed}; "
            "the file was changed while it was in use"
        )
    return file


def _window(data: np.ndarray) -> np.ndarray:
    """One window of a frame's size per byte of a file: (bytes - 3071,) overlapping items."""
    return np.ndarray((len(data) - FRAME_BYTES + 1,), _FRAME, data, strides=(1,))
