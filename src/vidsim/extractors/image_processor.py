"""preprocessor_config.json of a Hugging Face folder: how its pictures are resized, cut and scaled.

transformers 5 writes the same object as `image_processor` in processor_config.json.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidsim.errors import VidsimError
from vidsim.extractors.preprocessing import RESAMPLE, Preprocessing
from vidsim.pretrained.json_files import read_json_object

FILE_NAME, PROCESSOR_NAME = "preprocessor_config.json", "processor_config.json"
_FILTERS = {number: name for name, number in RESAMPLE.items()}
_SQUARE = ("vit", "deit")  # of these, one number for the size is both sides' and not the shorter's
_LARGEST = 1 << 12


def read_image_processor(folder: Path, model_type: str, side: int) -> Preprocessing:
    """What the file says, for a model that reads pictures of side x side pixels.

    Args:
        folder: with one of the two files.
        model_type: of config.json; older files leave to it what one number for the size means.
        side: pixels.

    Raises:
        VidsimError: neither file is there, one says what is not supported, or makes pictures of
            another size.
    """
    path, stated = _read(folder)
    reader = _Reader(path, stated)
    resized = reader.size("size", model_type in _SQUARE) if reader.flag("do_resize") else None
    cut = reader.size("crop_size", True) if reader.flag("do_center_crop", False) else None
    if resized is None or (isinstance(resized, int) and cut is None):
        raise reader.refusal(
            "size", "pictures of one size: a height and a width, or a shortest_edge and a crop_size"
        )
    made = cut or resized
    if made != (side, side):
        raise VidsimError(
            f"{path}: it makes pictures of {made} pixels; by its config.json the model reads "
            f"{side} x {side}"
        )
    normalize, rescale = reader.flag("do_normalize"), reader.flag("do_rescale")
    return Preprocessing(
        height=side,
        width=side,
        resize=None if resized == made else resized,
        resample=reader.resample(),
        scale=reader.number("rescale_factor", 1 / 255) if rescale else 1.0,
        mean=reader.colours("image_mean") if normalize else (0.0, 0.0, 0.0),
        std=reader.colours("image_std") if normalize else (1.0, 1.0, 1.0),
    )


def _read(folder: Path) -> tuple[Path, dict[str, Any]]:
    if (folder / FILE_NAME).is_file():
        return folder / FILE_NAME, read_json_object(folder / FILE_NAME)
    path = folder / PROCESSOR_NAME
    stated = read_json_object(path).get("image_processor") if path.is_file() else None
    if not isinstance(stated, dict):
        raise VidsimError(
            f"{folder / FILE_NAME}: no such file; it says how the model's pictures are made, and "
            "with others its numbers would be wrong"
        )
    return path, stated


class _Reader:
    """The entries of a file, each checked."""

    def __init__(self, path: Path, stated: Mapping[str, Any]):
        self._path, self._stated = path, stated

    def refusal(self, key: str, accepted: str) -> VidsimError:
        """The error for an entry."""
        found = self._stated.get(key)
        return VidsimError(f"{self._path}: {key} is {found!r:.200}; accepted is {accepted}")

    def flag(self, key: str, default: bool = True) -> bool:
        """Whether a step is done."""
        value = self._stated.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.refusal(key, "true or false")
        return default if value is None else value

    def size(self, key: str, square: bool) -> int | tuple[int, int]:
        """(height, width), or pixels of the shorter side."""
        value = self._stated.get(key)
        if isinstance(value, int):
            value = {"height": value, "width": value} if square else {"shortest_edge": value}
        if isinstance(value, dict):
            given = {name: size for name, size in value.items() if size is not None}
            sizes = list(given.values())
            whole = all(type(size) is int and 0 < size <= _LARGEST for size in sizes)
            if whole and set(given) == {"height", "width"}:
                return given["height"], given["width"]
            if whole and set(given) == {"shortest_edge"}:
                return sizes[0]
        raise self.refusal(key, "a height and a width, or a shortest_edge, in whole pixels")

    def resample(self) -> str:
        """The filter's name."""
        value = self._stated.get("resample")
        if isinstance(value, bool) or value not in _FILTERS:
            raise self.refusal("resample", f"a number of {_FILTERS}")
        return _FILTERS[value]

    def number(self, key: str, default: float) -> float:
        """A number above 0."""
        value = self._stated.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
            raise self.refusal(key, "a number above 0")
        return float(value)

    def colours(self, key: str) -> tuple[float, float, float]:
        """Three numbers, those of image_std not 0."""
        value = self._stated.get(key)
        if isinstance(value, list) and len(value) == 3:
            numbers = [v for v in value if isinstance(v, int | float) and abs(v) < 1e6]
            if len(numbers) == 3 and (key != "image_std" or all(v > 0 for v in numbers)):
                return float(numbers[0]), float(numbers[1]), float(numbers[2])
        raise self.refusal(key, "three numbers, for red, green and blue")
