"""A picture as a model expects it: resized as Pillow does it, cut, and its colours scaled.

Resizing must be antialiased as it was when the model was trained: without it, vectors of CLIP come
to a cosine of 0.94 with the right ones. Only numpy and Pillow are needed here, so that a process
which decodes videos can do this part and never loads TensorFlow.
"""

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from types import ModuleType

import numpy as np

from vidsim.errors import VidsimError

RESAMPLE = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
"""Pillow's filters, and the numbers that preprocessor_config.json has for them."""

_WHOLE = 4
"""A side that is resized to at most so many times what is kept of it is resized whole, unless its
middle alone comes to the same."""

_REACH = 3
"""Pixels on each side that a filter reads, as many times more as it makes the picture smaller."""

_MOST_PARTS = 1024  # of a pixel, which are exact in single precision for pictures of 16,384 pixels

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

        Raises:
            VidsimError: as for the call.
        """
        _check(picture)
        height, width = self._resized_shape(*picture.shape[:2])
        if picture.shape[:2] == (height, width) == (self.height, self.width):
            return picture
        rows = _Axis.middle(picture.shape[0], height, self.height)
        columns = _Axis.middle(picture.shape[1], width, self.width)
        filtered, part = RESAMPLE[self.resample], picture[rows.read, columns.read]
        image = _pillow().fromarray(np.ascontiguousarray(part))
        # Pillow's own order, and between the two steps the columns that are not kept are left out
        box = (columns.box[0], 0, columns.box[1], image.height)
        image = image.resize((columns.size, image.height), filtered, box)
        image = image.crop((columns.kept.start, 0, columns.kept.stop, image.height))
        box = (0, rows.box[0], image.width, rows.box[1])
        kept = np.asarray(image.resize((image.width, rows.size), filtered, box))[rows.kept]
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
        np.multiply(resized.reshape(self.height, -1), np.tile(factor, self.width), out=values)
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
    def middle(cls, given: int, resized: int, kept: int) -> "_Axis":
        """The middle `kept` pixels of `given` ones that are resized to `resized`.

        Only what is kept is computed where Pillow, which has single precision for its place, makes
        the same numbers of it: where a step is a sum of few halves, as for all that is resized to
        256. And where what is kept is little: a picture of 2 x 20000 pixels, resized whole, would
        fill the memory. There a few values differ by 1 or 2.
        """
        begin, before = max(resized - kept, 0) // 2, max(kept - resized, 0) // 2
        end = min(begin + kept, resized)
        parts = Fraction(given, resized).denominator
        if resized <= _WHOLE * kept and (parts & (parts - 1) or parts > _MOST_PARTS):
            return cls(slice(0, given), (0, given), resized, slice(begin, end), before)
        step = given / resized
        reach = _REACH * max(step, 1) + 1
        first, last = max(int(begin * step - reach), 0), min(int(end * step + reach) + 1, given)
        box = begin * step - first, min(end * step, given) - first
        return cls(slice(first, last), box, end - begin, slice(0, end - begin), before)


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
