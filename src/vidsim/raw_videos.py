"""Video files, and pictures in memory, to the features of their frames."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from vidsim.embedder_inputs import listed
from vidsim.errors import VidsimError
from vidsim.extractors.extractor import Extractor
from vidsim.extractors.registry import extractor_list, load_extractor
from vidsim.records.feature_origin import FeatureOrigin
from vidsim.video_files.decoder import Setup
from vidsim.video_files.decoder_pool import DecoderPool
from vidsim.video_files.libraries import decoder_version
from vidsim.video_files.limits import Limits
from vidsim.video_files.reasons import Unreadable
from vidsim.video_files.sampling import Sampling

_BATCH = 32  # frames that are kept until the model takes them


def checked_paths(videos: Any) -> list[Path]:
    """Any iterable of paths as a list.

    Raises:
        VidsimError: it is something else.
    """
    if isinstance(videos, str | Path):
        raise VidsimError(f"encode: videos is one path; a list is needed: [{str(videos)!r}]")
    paths = listed(videos, "videos", "paths of video files")
    for number, path in enumerate(paths):
        if not isinstance(path, str | os.PathLike):
            raise VidsimError(
                f"encode: videos[{number}] is {path!r:.60} ({type(path).__name__}); accepted is "
                "the path of a video, a picture, or a folder of pictures"
            )
    return [Path(path) for path in paths]


def checked_pictures(frames: Any) -> list[list[np.ndarray]]:
    """The pictures of N videos.

    Args:
        frames: any iterable of videos, each an iterable of (H, W, 3) uint8, or one array of them.

    Raises:
        VidsimError: it is something else, or a video has no picture.
    """
    videos = listed(frames, "frames", "videos' pictures")
    accepted = "accepted are a video's pictures, (n, H, W, 3) uint8 RGB or a list of (H, W, 3)"
    made = []
    for number, video in enumerate(videos):
        pictures = [
            np.asarray(picture) for picture in listed(video, f"frames[{number}]", "pictures")
        ]
        if not pictures:
            raise VidsimError(f"encode: frames[{number}] has no picture; {accepted}")
        for place, picture in enumerate(pictures):
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
                raise VidsimError(
                    f"encode: frames[{number}][{place}] is {picture.dtype} {picture.shape}; "
                    f"{accepted}"
                )
        made.append(pictures)
    return made


def matching_extractor(named: str | None, origin: FeatureOrigin | None, width: int) -> Extractor:
    """The extractor whose features a model reads.

    Args:
        named: by the user; None: what the model was trained on.
        origin: of the features that it was trained on, where that is known.
        width: numbers of a frame that it reads.

    Raises:
        VidsimError: it is not known, cannot be loaded, or is another one.
    """
    place = "from_checkpoint(PATH, extractor=...)"
    if named is None and origin is None:
        raise VidsimError(
            "encode: the checkpoint does not say what its frames were extracted by; name it by "
            f"{place}, or give frames; extractors are\n{extractor_list()}"
        )
    if named is None and origin is not None and ":" in origin.extractor:
        raise VidsimError(
            f"encode: the model was trained on features of {origin.extractor}; say where that is "
            f"by {place}; extractors are\n{extractor_list()}"
        )
    extractor = load_extractor(named or (origin.extractor if origin is not None else ""))
    if origin is not None and extractor.digest != origin.digest:
        name, digest, size = extractor.name, extractor.digest, extractor.width
        made = replace(origin, extractor=name, digest=digest, width=size)
        made.require_readable(origin, "the model")
    if extractor.width != width:
        raise VidsimError(
            f"encode: {extractor.name} makes frames of {extractor.width} numbers; this model reads "
            f"{width}"
        )
    return extractor


def extract_videos(
    paths: Sequence[Path], extractor: Extractor, sampling: Sampling, show: bool | None = None
) -> list[np.ndarray]:
    """The features of the frames of N files; decoders work ahead of the model.

    Args:
        paths: of videos, pictures and folders of pictures.
        extractor: the model.
        sampling: which frames.
        show: a progress bar; None: in a terminal only.

    Returns:
        N arrays (n, width) float32.

    Raises:
        VidsimError: PyAV or Pillow is missing, or a file gives no frames: which, and why.
    """
    decoder_version()  # before anything is read
    setup = Setup(extractor.preprocessing.resized, sampling, Limits())
    found: list[np.ndarray] = []
    with DecoderPool(enumerate(paths), setup) as pool:
        for number, video in _tracked(pool, len(paths), show):
            try:
                frames = (extractor.preprocessing.scaled(frame) for _, frame in video)
                found.append(_features(frames, extractor))
            except Unreadable as error:
                raise VidsimError(f"encode: videos[{number}], {paths[number]}: {error}") from error
    return found


def extract_pictures(
    videos: Sequence[Sequence[np.ndarray]], extractor: Extractor, show: bool | None = None
) -> list[np.ndarray]:
    """The same of pictures (H, W, 3) uint8 RGB in memory."""
    return [
        _features(map(extractor.preprocess, pictures), extractor)
        for pictures in _tracked(videos, len(videos), show)
    ]


def _features(frames: Iterator[np.ndarray], extractor: Extractor) -> np.ndarray:
    parts = []
    while batch := list(islice(frames, _BATCH)):
        parts.append(extractor.extract(np.stack(batch)))
    return np.concatenate(parts) if parts else np.zeros((0, extractor.width), "float32")


def _tracked(videos: Iterable[Any], count: int, show: bool | None) -> Iterable[Any]:
    console = Console(stderr=True)
    show = console.is_terminal if show is None else show
    return track(videos, "Videos", total=count, console=console, disable=not show)
