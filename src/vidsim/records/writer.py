"""Videos and pairs into TFRecord files, byte for byte the same each time.

Pair files come in two kinds. A thin one holds two ids and the rating: 101 bytes for a pair of
19-digit ids, so that eleven folds of the challenge's 67,899 pairs take 75 MB. A self-contained
one holds both videos whole, as published: some 80 GB for the same folds.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from vidsim import schema
from vidsim.files import atomic_file
from vidsim.records.fields import FIELDS
from vidsim.records.pairs import Pairs
from vidsim.records.tfrecord import frame_record, map_file
from vidsim.records.video import Video
from vidsim.records.video_table import VideoTable
from vidsim.records.wire import BYTES, FLOAT, Feature, encode_example, parse_example


def write_records(path: Path, records: Iterable[bytes]) -> int:
    """Write records that are framed already (`frame_record`); returns the bytes written."""
    size = 0
    with atomic_file(path) as file:
        for record in records:
            size += file.write(record)
    return size


def write_videos(path: str | Path, videos: Iterable[Video]) -> int:
    """Write a video file; returns the bytes written.

    Raises:
        ValueError: a value is not as its field's kind accepts it, or vectors have several widths.
    """
    return write_records(Path(path), _encoded_videos(videos))


def thin_pair_records(pairs: Pairs) -> list[bytes]:
    """One framed record {id_1, id_2, sim} for each pair, in order."""
    columns = zip(pairs.id_1.tolist(), pairs.id_2.tolist(), pairs.sim.tolist(), strict=True)
    return [
        frame_record(
            encode_example(
                {
                    schema.ID_1: Feature(BYTES, (id_1,)),
                    schema.ID_2: Feature(BYTES, (id_2,)),
                    schema.SIM: Feature(FLOAT, (sim,)),
                }
            )
        )
        for id_1, id_2, sim in columns
    ]


def self_contained_records(table: VideoTable, rows: np.ndarray, sim: np.ndarray) -> Iterator[bytes]:
    """Framed records that hold both videos of each of N pairs, one by one.

    Args:
        table: the videos, all of one file.
        rows: (N, 2) rows of the two videos of each pair.
        sim: (N,) ratings.
    """
    (path,) = table.paths
    with map_file(path) as data:
        for pair, rating in zip(rows.tolist(), sim.tolist(), strict=True):
            features = {}
            for suffix, row in zip(("_1", "_2"), pair, strict=True):
                start = int(table.places.record_offset[row])
                stop = start + int(table.places.record_bytes[row])
                video = parse_example(data[start:stop])
                for name in (schema.ID, *FIELDS):
                    if name in video:
                        features[name + suffix] = video[name]
            features[schema.SIM] = Feature(FLOAT, (rating,))
            yield frame_record(encode_example(features))


def video_record(video: Video) -> bytes:
    """The framed record of a video.

    Raises:
        ValueError: a value is not as its field's kind accepts it.
    """
    features = {schema.ID: Feature(BYTES, (video.id.encode(),))}
    for name, value in video.content().items():
        try:
            FIELDS[name].check(value)
        except ValueError as error:
            raise ValueError(f"{name} of {video.id}: {error}") from None
        features[name] = FIELDS[name].encode(value)
    if video.frame_times is not None:
        features[schema.FRAME_TIME] = Feature(FLOAT, video.frame_times.tolist())
    return frame_record(encode_example(features))


def _encoded_videos(videos: Iterable[Video]) -> Iterator[bytes]:
    """Framed records of videos whose streams have one width each."""
    widths: dict[str, tuple[int, str]] = {}
    for video in videos:
        for name, value in video.content().items():
            if FIELDS[name].in_place and len(value) and np.ndim(value) == 2:
                width, first = widths.setdefault(name, (value.shape[1], video.id))
                if width != value.shape[1]:
                    raise ValueError(
                        f"{name} of {video.id}: vectors of {value.shape[1]} numbers, and those of "
                        f"{first} have {width}; one file has one width"
                    )
        yield video_record(video)
