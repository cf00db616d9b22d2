"""Records of the videos of a table, with features that are read when they are written."""

import hashlib
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from vidsim import schema
from vidsim.records.shown import shown
from vidsim.records.video import Video
from vidsim.records.writer import video_record
from vidsim.tables.feature_files import Features, VideoFeatures
from vidsim.tables.prefetch import prefetched
from vidsim.tables.values import TableVideo
from vidsim.tables.video_list import VideoList

_NO_FEATURES = VideoFeatures(None, None)


class RecordMaker:
    """Records of a list's videos with their features.

    Args:
        videos: the list.
        features: of the videos; None: there are none.
    """

    def __init__(self, videos: VideoList, features: Features | None):
        self._videos, self._features = videos, features
        self._places = np.full(len(videos), -1)
        if features is not None:
            self._places = features.ids.find(videos.ids.ids)

    def read(self, rows: np.ndarray) -> Iterator[Callable[[], VideoFeatures]]:
        """For each row a function that gives its features, read ahead, or raises ValueError."""
        return prefetched(self._read, self._places[rows].tolist())

    def file(self, row: int) -> Path:
        """The file that a row's features are in; of a row without any, the table."""
        place = int(self._places[row])
        if self._features is None or place < 0:
            return self._videos.table.path
        return self._features.file(place)

    def record(
        self, row: TableVideo, features: VideoFeatures, width: tuple[int, str] | None
    ) -> bytes:
        """The framed record of a video.

        Args:
            row: of the table.
            features: of the video.
            width: numbers that its frames must have, and the first video that had so many.

        Raises:
            ValueError: the frames have another width.
        """
        frames = features.frames
        if frames is not None and width is not None and frames.shape[1] != width[0]:
            raise ValueError(
                f"frames of {frames.shape[1]} numbers, and those of {shown(width[1])} have "
                f"{width[0]}; one data set has one width"
            )
        tags, category = self._videos.tags.numbers, self._videos.categories.numbers
        texts = {name: text for name, text in row.texts.items() if text}
        if schema.TITLE not in self._videos.fields and row.captions:
            texts[schema.TITLE] = row.captions[0]
        video = Video(
            row.id.decode(),
            frames=frames,
            tags=tuple(tags[tag] for tag in row.tags) or None,
            category=category[row.category] if row.category else None,
            more=texts,
            frame_times=features.times,
        )
        return video_record(video)

    def stamp(self, rows: np.ndarray) -> str:
        """sha256 (hex) over ids and the size and time of each one's file of features."""
        sha = hashlib.sha256()
        ids, places = self._videos.ids.ids[rows].tolist(), self._places[rows].tolist()
        for video, place in zip(ids, places, strict=True):
            stamp = self._features.stamp(place) if self._features and place >= 0 else (-1, -1)
            sha.update(struct.pack("<qq", *stamp) + video + b"\0")
        return sha.hexdigest()

    def _read(self, place: int) -> VideoFeatures:
        return _NO_FEATURES if self._features is None or place < 0 else self._features.read(place)
