"""Files of videos in the challenge's layout, written from a table and features, and resumed.

A file is whole or not there. Beside the data lies, as long as they are written, a note on each file
that is finished: what it was made of, and what was left out.
"""

import hashlib
import itertools
import json
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidsim import schema
from vidsim.files import atomic_file, write_json
from vidsim.records.shown import shown
from vidsim.records.video import Video
from vidsim.records.writer import video_record, write_records
from vidsim.tables.feature_files import Features, VideoFeatures
from vidsim.tables.prefetch import prefetched
from vidsim.tables.row_log import RowLog
from vidsim.tables.values import TableVideo
from vidsim.tables.video_list import VideoList

PAIRWISE, TEST = "pairwise/pairwise.tfrecords", "test_b/test_b.tfrecords"
POINTWISE = "pointwise/videos-{:05d}.tfrecords"
_NO_FEATURES = VideoFeatures(None, None)


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
        self._videos, self._features = videos, features
        self._places = np.full(len(videos), -1)
        if features is not None:
            self._places = features.ids.find(videos.ids.ids)
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
                stamp = self.stamp(output.rows)
                found = self._finished(output, stamp)
                if found is None:
                    found = self._write(output, chosen, stamp, advance)
                else:
                    for _ in range(len(output.rows)):
                        next(chosen)
                    advance(len(output.rows))
                self.written.add(found)

    def stamp(self, rows: np.ndarray) -> str:
        """sha256 (hex) over ids and the size and time of each one's file of features."""
        sha = hashlib.sha256()
        ids, places = self._videos.ids.ids[rows].tolist(), self._places[rows].tolist()
        for video, place in zip(ids, places, strict=True):
            stamp = self._features.stamp(place) if self._features and place >= 0 else (-1, -1)
            sha.update(struct.pack("<qq", *stamp) + video + b"\0")
        return sha.hexdigest()

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
        places = self._places[output.rows].tolist()
        for place, given in zip(places, prefetched(self._read, places), strict=True):
            row = next(chosen)
            advance(1)
            try:
                features = given()
                record = video_record(self._video(row, features, found))
            except ValueError as error:
                path = self._features.file(place) if self._features else self._videos.table.path
                log.bad(path, str(path), f"{error} (id {shown(row.id.decode())})")
                found.gone += (row.id,)
                continue
            found.videos += 1
            found.without_frames += features.frames is None
            yield record

    def _read(self, place: int) -> VideoFeatures:
        return _NO_FEATURES if self._features is None or place < 0 else self._features.read(place)

    def _video(self, row: TableVideo, features: VideoFeatures, found: Written) -> Video:
        frames = features.frames
        if frames is not None:
            width, first = found.width = found.width or (frames.shape[1], row.id.decode())
            if frames.shape[1] != width:
                raise ValueError(
                    f"frames of {frames.shape[1]} numbers, and those of {shown(first)} have "
                    f"{width}; one data set has one width"
                )
        tags = self._videos.tags.numbers
        category = self._videos.categories.numbers
        texts = {name: text for name, text in row.texts.items() if text}
        if schema.TITLE not in self._videos.fields and row.captions:
            texts[schema.TITLE] = row.captions[0]
        return Video(
            row.id.decode(),
            frames=frames,
            tags=tuple(tags[tag] for tag in row.tags) or None,
            category=category[row.category] if row.category else None,
            more=texts,
            frame_times=features.times,
        )

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
