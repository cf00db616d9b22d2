"""The videos that `vidsim embed` is given, a part at a time: records, or tables with features."""

import contextlib
import hashlib
import tempfile
from collections.abc import Container, Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.records.feature_origin import FeatureOrigin
from vidsim.records.sidecar import INDEX_SUFFIX
from vidsim.records.text_table import TextTable
from vidsim.records.video_table import VideoTable, load_videos
from vidsim.records.writer import write_records
from vidsim.tables.data_files import RecordMaker
from vidsim.tables.feature_files import Features
from vidsim.tables.video_list import VideoList


@contextlib.contextmanager
def scratch_folder(out: Path) -> Iterator[Path]:
    """A folder beside the output for what is needed in between; it is removed in the end."""
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=f".{out.name}.") as folder:
        yield Path(folder)


class Videos(Protocol):
    """Videos that are given a part at a time.

    Attributes:
        digest: of all that they are read from.
        origin: of their features, where it is known.
    """

    @property
    def digest(self) -> str: ...
    @property
    def origin(self) -> FeatureOrigin | None: ...
    def __len__(self) -> int: ...
    def has(self, name: str) -> bool:
        """Whether there is anything of a field."""
        ...

    def width(self, name: str) -> int | None:
        """Numbers in a vector of a stream; None where there is none."""
        ...

    def parts(self, size: int, wanted: Container[int]) -> Iterator[tuple[int, VideoTable]]:
        """The wanted parts of so many videos each, by their numbers, in order."""
        ...


class _OfOne:
    """Videos that one table or one index knows, named as it names itself."""

    def __init__(self, table: VideoTable | TextTable):
        self.digest, self.has, self.width = table.digest, table.has, table.width
        self._count, self._named = len(table), str(table)

    def __len__(self) -> int:
        return self._count

    def __str__(self) -> str:
        return self._named


class RecordedVideos(_OfOne):
    """The videos of TFRecord files."""

    def __init__(self, table: VideoTable, origin: FeatureOrigin | None):
        super().__init__(table)
        self._table, self.origin = table, origin

    def parts(self, size: int, wanted: Container[int]) -> Iterator[tuple[int, VideoTable]]:
        for number, start in enumerate(range(0, len(self), size)):
            if number in wanted:
                rows = np.arange(start, min(start + size, len(self)))
                yield number, self._table.take(rows)


class WrittenVideos(_OfOne):
    """The videos of a table of texts."""

    origin = None

    def __init__(self, table: TextTable):
        super().__init__(table)
        self._table = table

    def parts(self, size: int, wanted: Container[int]) -> Iterator[tuple[int, VideoTable]]:
        for number, table in enumerate(self._table.parts(size)):
            if number in wanted:
                yield number, table


class FeaturedVideos:
    """The videos of a table with features that are on disk.

    Each part is written to a file of records, which models read as any other, and removed.

    Args:
        videos: of the table.
        features: of them.
        scratch: a folder for that file.
    """

    def __init__(self, videos: VideoList, features: Features, scratch: Path):
        self._videos, self._scratch, self.origin = videos, scratch, features.origin
        self._maker, rows = RecordMaker(videos, features), np.arange(len(videos))
        made_of = f"{videos.table.digest} {self._maker.stamp(rows)}"
        self.digest = hashlib.sha256(made_of.encode()).hexdigest()
        self._first = self._first_width(rows)

    def __len__(self) -> int:
        return len(self._videos)

    def __str__(self) -> str:
        return f"the {len(self):,} videos of {self._videos.table.path}"

    def has(self, name: str) -> bool:
        return self._videos.has(name)

    def width(self, name: str) -> int | None:
        return self._first[0] if name == schema.FRAME_FEATURE and self._first else None

    def parts(self, size: int, wanted: Container[int]) -> Iterator[tuple[int, VideoTable]]:
        videos = self._videos.videos()
        for number, start in enumerate(range(0, len(self), size)):
            rows = np.arange(start, min(start + size, len(self)))
            part = list(islice(videos, len(rows)))
            if number in wanted:
                path = self._scratch / f"part-{number}.tfrecords"
                write_records(path, self._records(rows, part))
                yield number, load_videos(path)
                for made in (path, path.with_name(path.name + INDEX_SUFFIX)):
                    made.unlink(missing_ok=True)

    def _records(self, rows: np.ndarray, part: list) -> Iterator[bytes]:
        for row, video, given in zip(rows.tolist(), part, self._maker.read(rows), strict=True):
            try:
                yield self._maker.record(video, given(), self._first)
            except ValueError as error:
                raise VidsimError(f"{self._maker.file(row)}: {error}") from None

    def _first_width(self, rows: np.ndarray) -> tuple[int, str] | None:
        """Of the first video that has frames."""
        for row, given in zip(rows.tolist(), self._maker.read(rows), strict=True):
            try:
                frames = given().frames
            except ValueError as error:
                raise VidsimError(f"{self._maker.file(row)}: {error}") from None
            if frames is not None:
                return frames.shape[1], bytes(self._videos.ids.ids[row]).decode()
        return None
