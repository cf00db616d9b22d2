"""Files of videos in the challenge's layout, written from a table and features, and resumed.

A file is whole or not there. Beside the data lies, as long as they are written, a note on each file
that is finished: what it was made of, and what was left out.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidsim.files import atomic_file, write_json
from vidsim.records.shown import shown
from vidsim.records.writer import write_records
from vidsim.tables.feature_files import Features, VideoFeatures
from vidsim.tables.record_maker import RecordMaker
from vidsim.tables.row_log import RowLog
from vidsim.tables.values import TableVideo
from vidsim.tables.video_list import VideoList

PAIRWISE, TEST = "pairwise/pairwise.tfrecords", "test_b/test_b.tfrecords"
POINTWISE = "pointwise/videos-{:05d}.tfrecords"


@dataclass(frozen=True, eq=False)
class Output:
    """One file of videos: its name in the data folder, and the rows of the list, ascending."""

    name: str
    rows: np.ndarray


def outputs(train: np.ndarray, test: np.ndarray, rated: np.ndarray, size: int) -> list[Output]:
    """The files of N videos.

    Args:
        train: (N,) bool, to train on.
        test: (N,) bool, of the test.
        rated: (N,) bool, of pairs to train on.
        size: videos in a file of those that are not rated.
    """
    made = [Output(PAIRWISE, np.flatnonzero(rated)), Output(TEST, np.flatnonzero(test))]
    others = np.flatnonzero(train & ~rated)
    for number, start in enumerate(range(0, len(others), size)):
        made.append(Output(POINTWISE.format(number), others[start : start + size]))
    return [output for output in made if len(output.rows)]


@dataclass(eq=False)
class Written:
    """What was written of some files.

    Attributes:
        videos: in them.
        size: of the files, bytes.
        without_frames: videos.
        width: numbers of a frame, and the first video that has some; None where none has.
        gone: ids of videos that were left out.
    """

    videos: int = 0
    size: int = 0
    without_frames: int = 0
    width: tuple[int, str] | None = None
    gone: tuple[bytes, ...] = ()

    def add(self, other: "Written") -> None:
        """Counts another file's videos too."""
        self.videos += other.videos
        self.size += other.size
        self.without_frames += other.without_frames
        self.width = self.width or other.width
        self.gone += other.gone


class DataFiles:
    """Writes files of videos into a data folder.

    Args:
        folder: the data folder.
        notes: a folder for the notes on finished files.
        videos: the list.
        features: of the videos; None: there are none.
        log: takes videos whose features cannot be used.

    Attributes:
        written: in all files, those of an interrupted command included.
    """

    def __init__(
        self, folder: Path, notes: Path, videos: VideoList, features: Features | None, log: RowLog
    ):
        self._folder, self._notes, self._log = folder, notes, log
        self._videos, self._maker = videos, RecordMaker(videos, features)
        self._stamps: dict[str, str] = {}
        self.written = Written()

    def write(self, files: list[Output], advance: Callable[[int], None]) -> None:
        """Writes those that are not finished; `advance` is told how many videos were done.

        Raises:
            VidsimError: features that cannot be used, unless the log skips their videos.
        """
        for group in _groups(files):
            rows = np.concatenate([output.rows for output in group])
            chosen = _taken(self._videos.videos(), rows)
            for output in group:
                stamp = self._stamp(output)
                found = self._finished(output, stamp)
                if found is None:
                    found = self._write(output, chosen, stamp, advance)
                else:
                    for _ in range(len(output.rows)):
                        next(chosen)
                    advance(len(output.rows))
                self.written.add(found)

    def stamp(self, files: list[Output]) -> str:
        """sha256 (hex) of all that the files are made of, by the stamp of each."""
        stamps = [f"{output.name} {self._stamp(output)}\n" for output in files]
        return hashlib.sha256("".join(stamps).encode()).hexdigest()

    def _stamp(self, output: Output) -> str:
        if output.name not in self._stamps:
            self._stamps[output.name] = self._maker.stamp(output.rows)
        return self._stamps[output.name]

    def _write(
        self,
        output: Output,
        chosen: Iterator[TableVideo],
        stamp: str,
        advance: Callable[[int], None],
    ) -> Written:
        found, log = Written(width=self.written.width), RowLog(self._log.skip)
        records = self._records(output, chosen, found, log, advance)
        found.size = write_records(self._folder / output.name, records)
        if not found.videos:
            (self._folder / output.name).unlink()
        self._log.add(log.state)
        note = {"stamp": stamp, "log": log.state, **vars(found)}
        note["gone"] = [video.decode() for video in found.gone]
        write_json(self._note(output), note)
        return found

    def _records(
        self,
        output: Output,
        chosen: Iterator[TableVideo],
        found: Written,
        log: RowLog,
        advance: Callable[[int], None],
    ) -> Iterator[bytes]:
        maker = self._maker
        for row, given in zip(output.rows.tolist(), maker.read(output.rows), strict=True):
            video = next(chosen)
            advance(1)
            try:
                features = given()
                found.width = found.width or _width(video, features)
                record = maker.record(video, features, found.width)
            except ValueError as error:
                path = maker.file(row)
                log.bad(path, str(path), f"{error} (id {shown(video.id.decode())})")
                found.gone += (video.id,)
                continue
            found.videos += 1
            found.without_frames += features.frames is None
            yield record

    def _finished(self, output: Output, stamp: str) -> Written | None:
        """What a file has that was finished of the same videos and features; None without one."""
        path = self._folder / output.name
        try:
            note: dict[str, Any] = json.loads(self._note(output).read_text(encoding="utf-8"))
            size = path.stat().st_size
        except (OSError, ValueError):
            return None
        if note.get("stamp") != stamp or note.get("size") != size:
            return None
        self._log.add(note.pop("log"))
        note.pop("stamp")
        gone = tuple(video.encode() for video in note.pop("gone"))
        width = note.pop("width")
        return Written(**note, gone=gone, width=None if width is None else tuple(width))

    def _note(self, output: Output) -> Path:
        return self._notes / f"{output.name.replace('/', '-')}.json"


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Writes a text file, whole or not at all; without a line none. Returns the lines."""
    lines = iter(lines)
    first, count = next(lines, None), 0
    if first is None:
        return 0
    with atomic_file(path) as file:
        for line in itertools.chain((first,), lines):
            file.write(line.encode())
            count += 1
    return count


def _groups(files: list[Output]) -> Iterator[list[Output]]:
    """Files whose rows rise from one to the next, so that one reading of the table does."""
    group: list[Output] = []
    for output in files:
        if group and output.rows[0] <= group[-1].rows[-1]:
            yield group
            group = []
        group.append(output)
    if group:
        yield group


def _taken(videos: Iterator[TableVideo], rows: np.ndarray) -> Iterator[TableVideo]:
    """The videos at some rows, ascending."""
    wanted = iter(rows.tolist())
    row = next(wanted, None)
    for number, video in enumerate(videos):
        if row is None:
            return
        if number == row:
            yield video
            row = next(wanted, None)


def _width(video: TableVideo, features: VideoFeatures) -> tuple[int, str] | None:
    frames = features.frames
    return None if frames is None else (frames.shape[1], video.id.decode())
