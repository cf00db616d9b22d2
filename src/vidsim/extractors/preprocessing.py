"""A picture as a model expects it: resized as Pillow does it, cut, and its colours scaled.

Resizing must be antialiased as it was when the model was trained: without it, vectors of CLIP come
to a cosine of 0.94 with the right ones. Only numpy and Pillow are needed here, so that a process
which decodes videos can do this part and never loads TensorFlow.
"""

import json
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
        resized = self.resized(picture)
        if self.bgr:
            resized = resized[:, :, ::-1]
        std = np.array(self.std, "float64")
        factor = (self.scale / std).astype("float32")
        offset = (np.array(self.mean, "float64") / std).astype("float32")
        # rows as one axis: numpy is ten times as fast on it as on three numbers at a time
        rows = resized.reshape(self.height, -1)
        values = np.multiply(rows, np.tile(factor, self.width), dtype="float32")
        values -= np.tile(offset, self.width)
        return values.reshape(resized.shape)

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
        begin, before = max(resized - kept, 0) // 2, max(kept - resized, 0) // 2
        end = min(begin + kept, resized)
        if resized <= _WHOLE * kept:
            return cls((0, given), resized, slice(begin, end), before)
        step = given / resized
        return cls((begin * step, min(end * step, given)), end - begin, slice(None), before)


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
