"""The chosen frames of a file, decoded: upright, as RGB, with their times.

Only what the chosen frames need is decoded: from the last key frame before each of them. Frames of
which no other is made are left out on the way. The result is that of decoding everything.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vidsim.video_files.packet_reader import PacketReader, Run
from vidsim.video_files.pictures import check_readable, check_size, read_folder, read_picture
from vidsim.video_files.reasons import Reason, Unreadable
from vidsim.video_files.sampling import Sampling
from vidsim.video_files.sources import is_picture
from vidsim.video_files.turn import Turn, to_rgb, turn_of

Frame = tuple[float, np.ndarray]
"""Seconds, as the file's time stamps have them, and (H, W, 3) uint8 RGB."""


def read_frames(path: Path, sampling: Sampling, threads: int = 1) -> Iterator[Frame]:
    """The chosen frames of a video, a picture or a folder of pictures; not always in order of time.

    A process that reads files of unknown origin so may end by a signal: see `decoder_process`.

    Raises:
        Unreadable: there are none, and why.
        MemoryError: the decoder had not enough.
    """
    if path.is_dir():
        yield from read_folder(path, sampling)
    elif is_picture(path):
        yield 0.0, read_picture(path)
    else:
        check_readable(path)
        yield from _Video(path, sampling, threads).frames()


class _Video:
    """One file of video."""

    def __init__(self, path: Path, sampling: Sampling, threads: int):
        self._packets = PacketReader(path, threads)
        try:
            self._index = index = self._packets.index()
        except BaseException:
            self._packets.close()
            raise
        self._chosen = sampling.choose(index.stamps, index.end, index.unit).tolist()
        self._first_turn: Turn | None = None

    def frames(self) -> Iterator[Frame]:
        """What was chosen, each once."""
        found: set[int] = set()
        with contextlib.closing(self._packets):
            for stamp, frame in self._decoded(found):
                if stamp not in found:
                    found.add(stamp)
                    yield float(stamp * self._index.unit), self._picture(frame)
        if not found:
            said = self._packets.problem
            said = f"; {said}" if said else ""
            raise Unreadable(Reason.NO_FRAMES, f"of {self._index.count} packets{said}")

    def _decoded(self, found: set[int]) -> Iterator[tuple[int, Any]]:
        """Time stamps and frames; those that are not there yet are looked for at the end."""
        index = self._index
        if not index.by_stamp:
            yield from self._by_order()
            return
        stamps = {place: int(index.stamps[place]) for place in self._chosen}
        wanted, runs = set(stamps.values()), list(self._runs())
        if runs[0].first > 0:
            self._note_turn(next(self._packets.decode(Run(0, index.count - 1)), None))
        for run in runs:
            for frame in self._packets.decode(run):
                self._note_turn(frame)
                if frame.pts in wanted:
                    yield frame.pts, frame
        for place, stamp in stamps.items():
            if stamp not in found:
                yield from self._last_before(place, stamp)

    def _runs(self) -> Iterator[Run]:
        """What is decoded: from a key on, and further where the next frame needs no later key."""
        index, run = self._index, None
        for place in self._chosen:
            first, last = index.start_of(place), int(index.packets[place])
            if run is not None and first > run.last + 1:
                yield run
                run = None
            run = run or Run(first, last, set() if index.one_each else None)
            run.last = max(run.last, last)
            if run.needed is not None:
                run.needed.add(last)
        if run is not None:
            yield run

    def _last_before(self, place: int, stamp: int) -> Iterator[tuple[int, Any]]:
        """The frame that is seen where the chosen one cannot be decoded, or is none.

        Some codecs have packets that show nothing, and after some keys the first frames are wrong
        and held back, so decoding begins a key earlier.
        """
        first = self._index.start_of(place, earlier=1)
        best = None
        for frame in self._packets.decode(Run(first, int(self._index.packets[place]))):
            if frame.pts is not None and frame.pts <= stamp:
                best = frame if best is None or frame.pts >= best.pts else best
        if best is not None:
            yield best.pts, best

    def _by_order(self) -> Iterator[tuple[int, Any]]:
        """Of a video without time stamps, where everything is decoded."""
        index, wanted = self._index, set(self._chosen)
        for place, frame in enumerate(self._packets.decode(Run(0, index.count - 1))):
            self._note_turn(frame)
            if place in wanted:
                yield int(index.stamps[place]), frame

    def _note_turn(self, frame: Any) -> None:
        """Some files say on their first frame alone how all are turned."""
        if self._first_turn is None and frame is not None:
            self._first_turn = turn_of(frame) or Turn()

    def _picture(self, frame: Any) -> np.ndarray:
        check_size(frame.width, frame.height)
        turn = turn_of(frame) or self._first_turn or Turn()
        return np.ascontiguousarray(turn.upright(to_rgb(frame)))
