"""A small data set in the challenge's exact files, for trying things out and for the tests.

600 made-up videos with Chinese titles and 1,620 rated pairs. A rating is half how alike the
titles' themes are and half how alike the scenes in the frames are, plus the raters' noise, so
neither title nor frames alone suffices. Two sentences a video tell its scenes, for retrieval. The
cases that break pipelines in practice are in it (see `_AWKWARD`). It is drawn with integers only:
every machine writes the same bytes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.files import write_folder
from vidsim.records.sample_captions import make_captions
from vidsim.records.sample_titles import THEMES, make_title
from vidsim.records.video import Video
from vidsim.records.writer import write_videos

POINTWISE_FILES, POINTWISE_VIDEOS = 2, 120  # videos of each file
PAIRWISE_VIDEOS, PAIRWISE_PAIRS = 240, 1320
TEST_A_VIDEOS, TEST_B_VIDEOS, TEST_B_PAIRS = 20, 100, 300
UNLISTED_TAG = 99999  # a tag that is not in tag_list.txt

FRAME_WIDTH = 1536  # as the challenge's frames have it

_SEED = 2021
_N_SCENES = 8
_TAGS = tuple(range(10007, 10007 + 97 * 32, 97))  # 8 of themes, 8 of scenes, 16 of anything
_RATING_UNITS = 10_000  # a rating has four decimals
_SENTENCES = 2  # of a video, for retrieval
_RATER_NOISE = 400  # greatest deviation of a rating, in those units
_NO_FRAMES, _NO_TITLE, _NO_TAGS, _ODD_TAG = 0, 4, 5, 6  # places in a file, see _AWKWARD
_HUB, _LONER = 7, 8
_HUB_PAIRS = 44
_AWKWARD = {_NO_FRAMES: 0, 1: 1, 2: 33, 3: 63}  # place in every file -> number of frames
_SPEECH = ("大家好，欢迎来到我的频道，今天我们继续。", "nan", "")


@dataclass(frozen=True, eq=False)
class _Made:
    """A video and what it is really about: its words per theme, its frames per scene."""

    video: Video
    theme_counts: np.ndarray  # (themes,) int64
    scene_counts: np.ndarray  # (scenes,) int64
    scenes: tuple[int, ...]  # one or two, in the order of its frames; none without frames


def write_sample(data_dir: str | Path) -> None:
    """Write the sample data set; the folder appears when it is complete.

    Raises:
        VidsimError: the folder is there and not empty: nothing of the user's is overwritten.
    """
    data_dir = Path(data_dir)
    if data_dir.exists() and (not data_dir.is_dir() or any(data_dir.iterdir())):
        raise VidsimError(f"{data_dir} is not empty; the sample data set needs a folder of its own")
    with write_folder(data_dir) as new:
        _write_files(new)


def _write_files(folder: Path) -> None:
    rng, captions_rng = np.random.default_rng(_SEED), np.random.default_rng(_SEED + 1)
    scenes = rng.integers(-64, 65, (_N_SCENES, FRAME_WIDTH))
    ids: set[str] = set()
    tags: Counter[int] = Counter()

    def make(path: str, count: int, tagged: bool = True) -> list[_Made]:
        made = [_make_video(rng, place, scenes, ids, tagged) for place in range(count)]
        write_videos(folder / path, (item.video for item in made))
        tags.update(tag for item in made for tag in item.video.tags or ())
        return made

    files = [f"pointwise/pretrain_{number}.tfrecords" for number in range(POINTWISE_FILES)]
    pointwise = [item for path in files for item in make(path, POINTWISE_VIDEOS)]
    pairwise = make("pairwise/pairwise.tfrecords", PAIRWISE_VIDEOS)
    make("test_a/test_a.tfrecords", TEST_A_VIDEOS, tagged=False)
    test_b = make("test_b/test_b.tfrecords", TEST_B_VIDEOS, tagged=False)
    frequent = [tag for tag, _ in tags.most_common() if tag != UNLISTED_TAG]
    (folder / "tag_list.txt").write_bytes("".join(f"{tag}\n" for tag in frequent).encode())
    for name, videos, count in (
        ("pairwise", pairwise, PAIRWISE_PAIRS),
        ("test_b", test_b, TEST_B_PAIRS),
    ):
        lines = _rate_pairs(rng, videos, count)
        (folder / name / "label.tsv").write_bytes("".join(lines).encode())
    (folder / "retrieval").mkdir()
    for name, videos in (("captions", [*pointwise, *pairwise]), ("test_captions", test_b)):
        lines = _describe(captions_rng, videos)
        (folder / "retrieval" / f"{name}.tsv").write_bytes("".join(lines).encode())


def _make_video(
    rng: np.random.Generator, place: int, scenes: np.ndarray, ids: set[str], tagged: bool
) -> _Made:
    theme, other_theme = rng.integers(0, len(THEMES), 2).tolist()
    scene, other_scene = rng.integers(0, _N_SCENES, 2).tolist()
    title, theme_counts = make_title(rng, theme, other_theme)
    if place == _NO_TITLE:
        title, theme_counts = "", np.zeros_like(theme_counts)
    first, second = rng.integers(0, 63, 2).tolist()
    n_frames = 1 + first * second // 84  # 1 to 46, 12 on average
    if place in _AWKWARD:
        n_frames = _AWKWARD[place]
    in_scene = np.full(n_frames, scene)
    in_scene[n_frames - n_frames * int(rng.integers(0, 3)) // 4 :] = other_scene
    video = Video(
        id=_make_id(rng, ids),
        title=title,
        frames=_make_frames(rng, scenes[in_scene]),
        asr_text=_SPEECH[place % len(_SPEECH)],
    )
    if tagged:
        tags = _make_tags(rng, place, theme, scene)
        video = replace(video, tags=tags, category=(100 + theme) * 100 + scene)
    counts = np.bincount(in_scene, minlength=_N_SCENES)
    return _Made(video, theme_counts, counts, tuple(dict.fromkeys(in_scene.tolist())))


def _make_id(rng: np.random.Generator, taken: set[str]) -> str:
    """A decimal string of 16 to 19 digits that is not taken yet."""
    while True:
        video_id = str(int(rng.integers(1 << 60, (1 << 63) - 1)) >> int(rng.integers(0, 10)))
        if video_id not in taken:
            taken.add(video_id)
            return video_id


def _make_frames(rng: np.random.Generator, scene: np.ndarray) -> np.ndarray:
    """(n, 1536) float16: the scene of each frame, the video's own look and each frame's noise.

    All are integers below 2048 over a power of two, so float16 holds them exactly.
    """
    look = rng.integers(-64, 65, FRAME_WIDTH)
    noise = rng.integers(-64, 65, scene.shape)
    return ((2 * scene + look + noise) / 128).astype(np.float16)


def _make_tags(rng: np.random.Generator, place: int, theme: int, scene: int) -> tuple[int, ...]:
    if place == _NO_TAGS:
        return ()
    anything = len(THEMES) + _N_SCENES + int(rng.integers(16))
    likely = ((theme, 9), (len(THEMES) + scene, 9), (anything, 4))  # in how many cases of ten
    tags = [_TAGS[number] for number, tenths in likely if rng.integers(10) < tenths]
    return (*tags, UNLISTED_TAG) if place == _ODD_TAG else tuple(tags)


def _rate_pairs(rng: np.random.Generator, made: Sequence[_Made], count: int) -> list[str]:
    """Lines of a label.tsv: different pairs, as many with like as with unlike titles and scenes."""
    by_title = _cosines(np.stack([item.theme_counts for item in made]))
    by_frames = _cosines(np.stack([item.scene_counts for item in made]))
    rating = np.rint((by_title + by_frames) * (_RATING_UNITS // 2)).astype(np.int64)
    free = ~np.eye(len(made), dtype=bool)
    free[_LONER] = free[:, _LONER] = False
    lines = []
    while len(lines) < count:
        first = _HUB if len(lines) < _HUB_PAIRS else int(rng.integers(len(made)))
        like_title, like_frames = rng.integers(0, 2, 2).astype(bool)
        fits = (by_title[first] >= 0.5) == like_title
        fits &= (by_frames[first] >= 0.5) == like_frames
        others = np.flatnonzero(fits & free[first])
        if not len(others):
            continue
        second = int(others[rng.integers(len(others))])
        free[first, second] = free[second, first] = False
        noise = int(rng.integers(-_RATER_NOISE, _RATER_NOISE + 1))
        units = min(max(int(rating[first, second]) + noise, 0), _RATING_UNITS)
        ids = f"{made[first].video.id}\t{made[second].video.id}"
        lines.append(f"{ids}\t{units / _RATING_UNITS:.4f}\n")
    return lines


def _describe(rng: np.random.Generator, made: Sequence[_Made]) -> list[str]:
    """Lines of a captions.tsv: sentences of each video that has frames."""
    return [
        f"{item.video.id}\t{sentence}\n"
        for item in made
        if item.scenes
        for sentence in make_captions(rng, item.scenes, _SENTENCES)
    ]


def _cosines(counts: np.ndarray) -> np.ndarray:
    """(N, N) cosines between rows of integers, 0 where a row is zero; the dots are exact."""
    dots = counts @ counts.T
    squares = np.diag(dots)
    return dots / np.sqrt(np.maximum(np.outer(squares, squares), 1))
