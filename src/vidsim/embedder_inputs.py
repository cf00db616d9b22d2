"""What `Embedder.encode` is given, checked before the model sees it.

A model computes a vector of whatever it is shown: of a frame that is not finite it is NaN, of two
texts in a tuple it is that of a sentence pair. So every value is looked at here, and a wrong one is
named by its place.
"""

from collections.abc import Iterable, Mapping, Set
from numbers import Integral
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from vidsim.errors import VidsimError

_SHOWN = 60  # characters of a value that an error repeats


def checked_inputs(
    titles: Any, frames: Any, width: int | None
) -> tuple[list[str], list[np.ndarray]]:
    """Both sides of N videos, as many of one as of the other.

    Args:
        titles: any iterable of texts, read once; None where there are none, as if each was empty.
        frames: any iterable of (n, width) numbers, read once; None where there are none.
        width: of the frames that the model reads; None: it reads none.

    Returns:
        N texts, and N arrays (n, width) of finite numbers that float16 can hold.

    Raises:
        VidsimError: neither side, another number of one than of the other, or a value that is
            neither a text nor a video's frames of that width, with its place.
    """
    if titles is None and frames is None:
        raise VidsimError("encode: give titles, frames or both")
    if frames is not None and width is None:
        raise VidsimError("encode: this model reads texts alone; give titles, and no frames")
    texts = None if titles is None else checked_texts(titles, "titles")
    videos = None if frames is None or width is None else _videos(frames, width)
    if texts is None:
        texts = [""] * len(videos or ())
    if videos is None:
        videos = [np.zeros((0, width or 0), "float16")] * len(texts)
    if len(texts) != len(videos):
        raise VidsimError(
            f"encode: {len(texts)} titles and {len(videos)} videos' frames; as many are needed"
        )
    return texts, videos


def checked_titles(titles: Any) -> list[str]:
    """N texts, of an encoder that reads nothing else.

    Raises:
        VidsimError: none, or a value that is no text, with its place.
    """
    if titles is None:
        raise VidsimError("encode: give titles; a text encoder embeds nothing else")
    return checked_texts(titles, "titles")


def checked_batch_size(batch_size: Any) -> int:
    """The number as an int.

    Raises:
        VidsimError: it is not a whole number from 1.
    """
    whole = isinstance(batch_size, Integral) and not isinstance(batch_size, bool)
    if not whole or int(batch_size) < 1:
        raise VidsimError(f"encode: batch_size is {_shown(batch_size)}; accepted is 1, 2, 3, ...")
    return int(batch_size)


def tracked(batches: list[np.ndarray], show: bool | None) -> Iterable[np.ndarray]:
    """The batches one by one, with a progress bar; None: in a terminal only."""
    console = Console(stderr=True)
    show = console.is_terminal if show is None else show
    return track(batches, "Batches", console=console, disable=not show)


def checked_texts(titles: Any, name: str) -> list[str]:
    """Any iterable of texts as a list; `name` is how errors call it.

    Raises:
        VidsimError: it is something else, or a value is no text.
    """
    if isinstance(titles, str):
        raise VidsimError(f"encode: {name} is one text; a list of texts is needed")
    texts = listed(titles, name, "texts")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise VidsimError(
                f"encode: {name}[{number}] is {_shown(text)} ({type(text).__name__}); accepted is "
                "a text (str), '' for a video without a title"
            )
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise VidsimError(
                f"encode: {name}[{number}] is {_shown(text)}: {text[error.start]!r} at place "
                f"{error.start} is half a character (a lone surrogate); accepted is text that can "
                "be written as UTF-8"
            ) from None
    return texts


def _videos(frames: Any, width: int) -> list[np.ndarray]:
    if isinstance(frames, np.ndarray) and frames.ndim == 2 and frames.dtype != object:
        raise VidsimError(
            f"encode: frames is one array of shape {frames.shape}; a list of videos' frames is "
            f"needed, or an array (videos, n, {width}): [frames] where it is of one video"
        )
    videos = listed(frames, "frames", f"arrays (n, {width})")
    return [_video(video, number, width) for number, video in enumerate(videos)]


def _video(video: Any, number: int, width: int) -> np.ndarray:
    accepted = f"a video's frames are numbers (n, {width}), n is 0 where there are none"
    try:
        array = np.asarray(video)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise VidsimError(f"encode: frames[{number}]: no array ({error}); {accepted}") from error
    if array.shape == (0,):
        array = np.zeros((0, width), "float16")
    if array.dtype.kind not in "fiu":
        given = f"{_shown(video)} ({type(video).__name__}, as an array {array.dtype})"
        raise VidsimError(f"encode: frames[{number}] is {given}; {accepted}")
    if array.ndim != 2 or array.shape[1] != width:
        raise VidsimError(f"encode: frames[{number}] has shape {array.shape}; {accepted}")
    with np.errstate(over="ignore", invalid="ignore"):
        held = np.isfinite(array.astype(np.float16))  # the model reads them in this precision
    if not held.all():
        frame, column = (int(place) for place in np.argwhere(~held)[0])
        raise VidsimError(
            f"encode: frames[{number}][{frame}] has {array[frame, column]} in column {column}; "
            "accepted are finite numbers within float16, from -65504 to 65504"
        )
    return array


def listed(values: Any, name: str, kind: str) -> list[Any]:
    """The values of an iterable in its order."""
    unordered = isinstance(values, Mapping | Set | bytes | bytearray)
    if unordered or not isinstance(values, Iterable):
        raise VidsimError(
            f"encode: {name} is {_shown(values)} ({type(values).__name__}); accepted is a list of "
            f"{kind}, or anything else that gives them in order"
        )
    try:
        return list(values)
    except TypeError as error:  # an array without dimensions
        raise VidsimError(f"encode: {name}: {error}; accepted is a list of {kind}") from error


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
