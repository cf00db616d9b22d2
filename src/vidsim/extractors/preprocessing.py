"""A picture as a model expects it: resized as Pillow does it, cut, and its colours scaled.

Resizing must be antialiased as it was when the model was trained: without it, vectors of CLIP come
to a cosine of 0.94 with the right ones. Only numpy and Pillow are needed here, so that a process
which decodes videos can do this part and never loads TensorFlow.
"""

import json
import math
from dataclasses import asdict, dataclass
from types import ModuleType

import numpy as np

from vidsim.errors import VidsimError

RESAMPLE = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
"""Pillow's filters, and the numbers that preprocessor_config.json has for them."""

_WHOLE = 4
"""A side that is resized to at most so many times what is kept of it is resized whole."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a picture before the model; a description, and the function it describes.

    Attributes:
        height: of the result, in pixels.
        width: of the result, in pixels.
        shorter_side: pixels of the resized picture's shorter side, of which the middle is then
            cut out, and black added where it is too small; None: resized to height and width, its
            proportions lost.
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
    shorter_side: int | None = None
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
        resized = self.resized(picture)
        if self.bgr:
            resized = resized[:, :, ::-1]
        std = np.array(self.std, "float64")
        factor = (self.scale / std).astype("float32")
        offset = (np.array(self.mean, "float64") / std).astype("float32")
        return np.multiply(resized, factor, dtype="float32") - offset

    def resized(self, picture: np.ndarray) -> np.ndarray:
        """The picture resized and cut, colours as they are: (height, width, 3) uint8.

        Raises:
            VidsimError: as for the call.
        """
        _check(picture)
        if picture.shape[:2] == (self.height, self.width) and self.shorter_side is None:
            return picture
        rows, columns = self._axes(*picture.shape[:2])
        image = _pillow().fromarray(np.ascontiguousarray(picture))
        box = (columns.box[0], rows.box[0], columns.box[1], rows.box[1])
        small = image.resize((columns.size, rows.size), RESAMPLE[self.resample], box)
        kept = np.asarray(small)[rows.kept, columns.kept]
        if kept.shape[:2] == (self.height, self.width):
            return kept
        padded = np.zeros((self.height, self.width, 3), "uint8")
        height, width = kept.shape[:2]
        padded[rows.before : rows.before + height, columns.before : columns.before + width] = kept
        return padded

    @property
    def description(self) -> str:
        """All of the above as JSON: equal for two that do the same."""
        return json.dumps(asdict(self), sort_keys=True)

    def _axes(self, height: int, width: int) -> "tuple[_Axis, _Axis]":
        if self.shorter_side is None:
            return (
                _Axis.middle(height, self.height, self.height),
                _Axis.middle(width, self.width, self.width),
            )
        shorter, longer = sorted((height, width))
        sizes = {shorter: self.shorter_side, longer: self.shorter_side * longer // shorter}
        return (
            _Axis.middle(height, sizes[height], self.height),
            _Axis.middle(width, sizes[width], self.width),
        )


@dataclass(frozen=True)
class _Axis:
    """How a picture's height or width is resized and cut.

    Attributes:
        box: where the resized part begins and ends in the picture.
        size: pixels that this part is resized to.
        kept: those of them that are kept.
        before: black pixels before them.
    """

    box: tuple[float, float]
    size: int
    kept: slice
    before: int

    @classmethod
    def middle(cls, given: int, resized: int, kept: int) -> "_Axis":
        """The middle `kept` pixels of `given` ones that are resized to `resized`.

        Where that is far more than is kept, only the latter is computed: a picture of 2 x 20000
        pixels would fill the memory. Pillow's rounding of its place makes a few values differ by 1
        or 2, so other pictures are resized whole.
        """
        start = math.floor((resized - kept) / 2)  # negative: so many pixels are missing before it
        begin, end = max(start, 0), min(start + kept, resized)
        if resized <= _WHOLE * kept:
            return cls((0, given), resized, slice(begin, end), begin - start)
        step = given / resized
        box = (begin * step, min(end * step, given))
        return cls(box, end - begin, slice(None), begin - start)


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
