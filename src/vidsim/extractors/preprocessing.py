"""A picture as a model expects it: resized as Pillow does it, cut, and its colours scaled.

Resizing must be antialiased as it was when the model was trained: without it, vectors of CLIP come
to a cosine of 0.94 with the right ones. Only numpy and Pillow are needed here, so that a process
which decodes videos can do this part and never loads TensorFlow.
"""

import functools
import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from vidsim.errors import VidsimError

if TYPE_CHECKING:
    from PIL.Image import Image

RESAMPLE = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
"""Pillow's filters, and the numbers that preprocessor_config.json has for them."""

_WHOLE = 4
"""A side is resized whole by a filter that is not continuous, unless it then has more than so many
times the pixels that are kept of it."""

_FARTHER = 8  # pixels beyond those kept, at most, with which the rounding of edges may be smaller

_REACH = 3
"""Pixels on each side that a filter reads, as many times more as it makes the picture smaller."""

_ROWS_FIRST_SINCE = 13  # Pillow's version; until then columns are always resized first

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a picture before the model; a description, and the function it describes.

    Attributes:
        height: of the result, in pixels.
        width: of the result, in pixels.
        resize: what the whole picture is resized to before its middle is cut out, and black added
            where it is too small: pixels of the shorter side, or height and width, by which its
            proportions are lost; None: height and width of the result.
        resample: a filter of RESAMPLE; all but "nearest" are antialiased.
        scale: a value of 0 to 255 is multiplied by this first; then `mean` is subtracted and the
            rest divided by `std`, for red, green and blue.
        mean: three numbers.
        std: three numbers.
        bgr: whether the model wants blue, green, red; mean and std then are in this order.

    Shapes:
        (H, W, 3) uint8 RGB -> (height, width, 3) float32
    """

    height: int
    width: int
    resize: int | tuple[int, int] | None = None
    resample: str = "bicubic"
    scale: float = 1 / 255
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    bgr: bool = False

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """The picture as the model's input.

        Raises:
            VidsimError: it is not (H, W, 3) uint8 with at least one pixel, or Pillow is missing.
        """
        return self.scaled(self.resized(picture))

    def resized(self, picture: np.ndarray) -> np.ndarray:
        """The picture resized and cut, colours as they are: (height, width, 3) uint8.

        The numbers are those of the installed Pillow for the whole picture, cut afterwards; few
        differ by 1 (see `_Axis.middle`): 2 of 10,000 with the bicubic filter.

        Raises:
            VidsimError: as for the call.
        """
        _check(picture)
        height, width = self._resized_shape(*picture.shape[:2])
        if picture.shape[:2] == (height, width) == (self.height, self.width):
            return picture
        continuous = self.resample not in ("nearest", "box")
        rows = _Axis.middle(picture.shape[0], height, self.height, continuous)
        columns = _Axis.middle(picture.shape[1], width, self.width, continuous)
        part = np.ascontiguousarray(picture[rows.read, columns.read])
        passes = [(_resize_columns, columns), (_resize_rows, rows)]
        if _rows_come_first(picture.shape, (height, width)):
            passes.reverse()
        image = _pillow().fromarray(part)
        for resize, axis in passes:
            image = resize(image, axis, RESAMPLE[self.resample])
        kept = np.asarray(image)
        if kept.shape[:2] == (self.height, self.width):
            return kept
        padded = np.zeros((self.height, self.width, 3), "uint8")
        height, width = kept.shape[:2]
        padded[rows.before : rows.before + height, columns.before : columns.before + width] = kept
        return padded

    def scaled(self, resized: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """The model's input of what `resized` gives, which is a quarter of its bytes.

        Args:
            resized: (height, width, 3) uint8.
            out: where to write it, (height, width, 3) float32 in one piece; None: a new array.
        """
        if self.bgr:
            resized = resized[:, :, ::-1]
        out = np.empty(resized.shape, "float32") if out is None else out
        std = np.array(self.std, "float64")
        factor = (self.scale / std).astype("float32")
        offset = (np.array(self.mean, "float64") / std).astype("float32")
        # rows as one axis: numpy is ten times as fast on it as on three numbers at a time
        values = out.reshape(self.height, -1)
        np.copyto(values, resized.reshape(self.height, -1))
        values *= np.tile(factor, self.width)
        values -= np.tile(offset, self.width)
        return out

    @property
    def description(self) -> str:
        """All of the above as JSON: equal for two that do the same."""
        return json.dumps(asdict(self), sort_keys=True)

    def _resized_shape(self, height: int, width: int) -> tuple[int, int]:
        if self.resize is None:
            return self.height, self.width
        if isinstance(self.resize, tuple):
            return self.resize
        shorter = min(height, width)
        return self.resize * height // shorter, self.resize * width // shorter


@dataclass(frozen=True)
class _Axis:
    """How a picture's height or width is resized and cut.

    Attributes:
        read: pixels of the picture that are read.
        box: where the resized part begins and ends in them.
        size: pixels that this part is resized to.
        kept: those of them that are kept.
        before: black pixels before them.
    """

    read: slice
    box: tuple[float, float]
    size: int
    kept: slice
    before: int

    @classmethod
    @functools.lru_cache(64)
    def middle(cls, given: int, resized: int, kept: int, continuous: bool) -> "_Axis":
        """The middle `kept` pixels of `given` ones that are resized to `resized`.

        Pillow stores the edges of the part that it resizes in single precision, and what is lost by
        that moves the pixels. A part somewhat larger than what is kept is chosen where less is
        lost: none if given / resized has a power of two below the line (all that is resized to 256
        has), otherwise 1e-5 to 1e-7 pixels. A filter that is not continuous would show it, so then
        the whole side is resized, unless it is so long that it would fill the memory.

        Args:
            given: pixels of the picture.
            resized: pixels of the whole result.
            kept: pixels that the model wants.
            continuous: whether the filter is a continuous function.
        """
        begin, before = max(resized - kept, 0) // 2, max(kept - resized, 0) // 2
        end = min(begin + kept, resized)
        start, stop, lost = begin, end, _lost(given, resized, begin, end, begin, end)
        if continuous:
            starts = range(begin, max(begin - _FARTHER, 0) - 1, -1)
            stops = range(end, min(end + _FARTHER, resized) + 1)
            pairs = itertools.product(starts, stops)
            start, stop = min(pairs, key=lambda pair: _lost(given, resized, begin, end, *pair))
        elif lost and resized <= _WHOLE * kept:
            start, stop = 0, resized
        first, last = _read(given, resized, start, stop)
        box = start * given / resized - first, stop * given / resized - first
        inside = slice(begin - start, end - start)
        return cls(slice(first, last), box, stop - start, inside, before)


def _read(given: int, resized: int, start: int, stop: int) -> tuple[int, int]:
    """First and last of `given` pixels of which those from start to stop of `resized` are made."""
    reach = _REACH * max(given / resized, 1) + 1
    first, last = int(start * given / resized - reach), int(stop * given / resized + reach) + 1
    return max(first, 0), min(last, given)


def _lost(given: int, resized: int, begin: int, end: int, start: int, stop: int) -> float:
    """How far single precision moves `begin` and `end` if `start` to `stop` are resized, pixels."""
    first, _ = _read(given, resized, start, stop)
    near = np.float32(start * given / resized - first)
    far = np.float32(stop * given / resized - first)
    step = float(far - near) / (stop - start)
    places = (float(near) + (at - start) * step + first for at in (begin, end))
    true = (at * given / resized for at in (begin, end))
    return max(abs(place - right) for place, right in zip(places, true, strict=True))


def _resize_columns(image: "Image", axis: _Axis, resample: int) -> "Image":
    box = (axis.box[0], 0, axis.box[1], image.height)
    resized = image.resize((axis.size, image.height), resample, box)
    return resized.crop((axis.kept.start, 0, axis.kept.stop, image.height))


def _resize_rows(image: "Image", axis: _Axis, resample: int) -> "Image":
    box = (0, axis.box[0], image.width, axis.box[1])
    resized = image.resize((image.width, axis.size), resample, box)
    return resized.crop((0, axis.kept.start, image.width, axis.kept.stop))


def _rows_come_first(given: Sequence[int], resized: tuple[int, int]) -> bool:
    """Whether Pillow resizes the rows of a whole picture before its columns.

    With the other order values differ by 1 or 2.

    Args:
        given: height and width, and what may follow.
        resized: height and width.
    """
    if int(_pillow().__version__.split(".")[0]) < _ROWS_FIRST_SINCE:
        return False
    fewer_rows, fewer_columns = given[0] - resized[0], given[1] - resized[1]
    return fewer_rows > max(2 * fewer_columns, 0)


def _check(picture: np.ndarray) -> None:
    fits = picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == np.uint8
    if not fits or 0 in picture.shape:
        raise VidsimError(
            f"a picture of shape {picture.shape} and type {picture.dtype}; accepted are arrays "
            "(height, width, 3) of uint8: red, green, blue"
        )


def _pillow() -> ModuleType:
    try:
        from PIL import Image
    except ImportError as error:
        raise VidsimError(
            "resizing pictures needs Pillow, which is not installed; run: sh setup.sh video, or "
            "pip install pillow"
        ) from error
    return Image
