"""Made data sets at the challenge's scale, written once into a folder and found there again."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vidsim.files import atomic_file
from vidsim.records.pairs import Pairs
from vidsim.records.video import Video
from vidsim.records.writer import (
    self_contained_records,
    thin_pair_records,
    write_records,
    write_videos,
)

FRAMES = 32
TAGS = 10000
TAG_LIST = "tag_list.txt"


def write_video_file(path: Path, videos: int, seed: int = 0, frames: int = FRAMES) -> Path:
    """A TFRecord file of that many videos unless it is there: 1536 x 2 bytes a frame."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_videos(path, _videos(videos, seed, frames))
    return path


def write_tag_list(path: Path) -> Path:
    """The tags that the made videos have."""
    with atomic_file(path) as file:
        file.write("".join(f"{tag}\n" for tag in range(TAGS)).encode())
    return path


def random_pairs(table, pairs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(P, 2) rows and (P,) ratings."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, len(table), (pairs, 2)), rng.random(pairs).astype("float32")


def write_published_pairs(path: Path, table, rows: np.ndarray, sim: np.ndarray) -> Path:
    """A pair file as the published system wrote it: both videos whole in every record."""
    if not path.is_file():
        write_records(path, self_contained_records(table, rows, sim))
    return path


def write_thin_pairs(path: Path, ids: np.ndarray, rows: np.ndarray, sim: np.ndarray) -> Path:
    """A pair file as vidsim writes it: two ids and a rating."""
    write_records(path, thin_pair_records(Pairs(ids[rows[:, 0]], ids[rows[:, 1]], sim)))
    return path


def _videos(count: int, seed: int, frames: int) -> Iterator[Video]:
    rng = np.random.default_rng(seed)
    letters = np.array([chr(code) for code in range(0x4E00, 0x4E00 + 3000)])
    for number in range(count):
        title = "".join(rng.choice(letters, rng.integers(6, 31)))
        features = rng.standard_normal((frames, 1536), "float32").astype("float16")
        tags = tuple(rng.choice(TAGS, 5, False).tolist())
        yield Video(f"{10**18 + number + seed * 10**9}", title, features, tags, 1)
