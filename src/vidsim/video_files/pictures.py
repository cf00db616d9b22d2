"""Picture files as frames: JPEG, PNG and WebP by Pillow, turned as their EXIF data say."""

import os
import stat
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from vidsim.video_files.reasons import Reason, Unreadable
from vidsim.video_files.sampling import Sampling
from vidsim.video_files.sources import pictures_of

MOST_PIXELS = 100_000_000
"""Of a picture or a frame: more than any camera's, and 300 MB as RGB."""

_FORMATS = ("JPEG", "PNG", "WEBP")


def read_picture(path: Path) -> np.ndarray:
    """A picture, (H, W, 3) uint8 RGB; transparency is dropped, of an animation the first is taken.

    Raises:
        Unreadable: it is none, or has more pixels than the limit.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # the limit here comes first, and is no warning
    check_readable(path)
    try:
        with Image.open(path, formats=_FORMATS) as image:
            check_size(*image.size)
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return np.array(_eight_bits(image).convert("RGB"))
    except UnidentifiedImageError:
        raise Unreadable(Reason.UNKNOWN_FORMAT, "no JPEG, PNG or WebP") from None
    except MemoryError:
        raise
    except (OSError, ValueError, SyntaxError, ArithmeticError, LookupError, TypeError) as error:
        # Pillow's readers raise all of these for damage
        raise Unreadable(Reason.NO_FRAMES, f"{type(error).__name__}: {error}") from None


def read_folder(folder: Path, sampling: Sampling) -> Iterator[tuple[float, np.ndarray]]:
    """The chosen pictures of a folder, as frames of a second each: (seconds, (H, W, 3) uint8).

    Pictures that cannot be read are left out.

    Raises:
        Unreadable: of the last of them, if none can be read.
    """
    paths = pictures_of(folder)
    if not paths:
        raise Unreadable(Reason.EMPTY, "no picture in it")
    count, problem = 0, None
    for place in sampling.choose(np.arange(len(paths)), len(paths), Fraction(1)).tolist():
        try:
            picture = read_picture(paths[place])
        except Unreadable as error:
            problem = Unreadable(error.reason, f"{paths[place].name}: {error.detail}")
            continue
        count += 1
        yield float(place), picture
    if not count and problem is not None:
        raise problem


def check_readable(path: Path) -> None:
    """Compares a path with what can be opened and read to its end.

    Raises:
        Unreadable: it is not there, is no plain file, or is empty.
    """
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for
            raise Unreadable(Reason.MISSING, "no plain file")
        with open(path, "rb"):
            pass
    except OSError as error:
        raise Unreadable(Reason.MISSING, error.strerror or "") from None
    if not found.st_size:
        raise Unreadable(Reason.EMPTY)


def check_size(width: int, height: int) -> None:
    """Compares a picture's pixels with the limit.

    Raises:
        Unreadable: there are more.
    """
    if width * height > MOST_PIXELS:
        raise Unreadable(Reason.TOO_LARGE, f"{width} x {height}, limit {MOST_PIXELS:,}")


def _eight_bits(image):
    """A grey picture of 16 or 32 bits with 8; any other as it is."""
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    return Image.fromarray(np.clip(values >> 8, 0, 255).astype(np.uint8))
