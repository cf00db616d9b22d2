"""Frame features for a batch, taken straight from the memory-mapped TFRecord files.

A frame is 3072 bytes at a known place. Seeing each file as one overlapping window per byte turns
a whole batch into a single indexed copy, at the speed of memory and without Python per video.
"""

from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.records.video_table import VideoTable
from vidsim.schema import FRAME_BYTES, FRAME_SIZE

_FRAME = np.dtype(f"V{FRAME_BYTES}")


class FrameReader:
    """Reads frames of the videos of a table; may be used from several threads at once.

    Args:
        table: the videos. All its files are mapped now; nothing is read before `read`.

    Raises:
        VidsimError: a file is shorter than the table says.
    """

    def __init__(self, table: VideoTable) -> None:
        self.table = table
        last = table.frame_offset + (table.n_frames - 1) * table.frame_stride.astype(np.int64)
        ends = np.where(table.n_frames > 0, last + FRAME_BYTES, 0)
        self._windows = [
            _windows(path, int(ends[table.file_no == number].max(initial=0)))
            for number, path in enumerate(table.paths)
        ]

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
        for number in np.unique(self.table.file_no[row]):
            here = self.table.file_no[row] == number
            out[video[here], slot[here]] = self._windows[number][place[here]]
        return out.view("<f2").reshape(*frame_mask.shape, FRAME_SIZE)


def _windows(path: Path, needed: int) -> np.ndarray:
    """One window of a frame's size per byte of the file: (bytes - 3071,) overlapping items.

    Nothing is mapped where `needed`, the byte after the last frame, is 0.
    """
    if not needed:
        return np.zeros(0, _FRAME)
    size = path.stat().st_size if path.is_file() else 0
    if size < needed:
        raise VidsimError(
            f"{path}: {size} bytes, but its frames end at byte {needed}; "
            "the file was changed while it was in use"
        )
    data = np.memmap(path, np.uint8, "r")
    return np.ndarray((size - FRAME_BYTES + 1,), _FRAME, data, strides=(1,))
