"""Where features come from: features.json in a folder of features, and in a data folder.

Features of two extractors are numbers of the same width that mean different things, so a folder, a
data set and a model keep to one origin.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidsim.errors import VidsimError
from vidsim.files import write_json

ORIGIN_FILE = "features.json"
FORMAT = 1
_READ_BY_MODELS = ("extractor", "digest", "width")


@dataclass(frozen=True)
class FeatureOrigin:
    """What made the features of videos.

    Attributes:
        extractor: name of the model, such as efficientnet_lite0.
        digest: sha256 (hex) of its weights and of how it prepares pictures.
        width: numbers of a frame.
        decoder: what decoded the videos, such as "PyAV 18.0.0, FFmpeg 8.0".
        sampling: which frames were taken, such as "32 frames at bin centres".
    """

    extractor: str
    digest: str
    width: int
    decoder: str
    sampling: str

    @classmethod
    def read(cls, folder: Path) -> "FeatureOrigin | None":
        """The origin that a folder states; None where it states none.

        Raises:
            VidsimError: its file is damaged, or of a later format.
        """
        path = folder / ORIGIN_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, RecursionError) as error:
            raise VidsimError(f"{path}: damaged: this is not JSON ({error})") from None
        number = content.get("format") if isinstance(content, dict) else None
        if type(number) is int and number > FORMAT:
            raise VidsimError(
                f"{path}: of format {number}, written by a later version of vidsim; this version "
                f"reads formats up to {FORMAT}"
            )
        found = cls.of(content)
        if found is None:
            raise VidsimError(
                f"{path}: damaged; accepted is an object with format, "
                + ", ".join(item.name for item in dataclasses.fields(cls))
            )
        return found

    @classmethod
    def of(cls, content: Any) -> "FeatureOrigin | None":
        """The origin of JSON data; None where these are none, as those of older checkpoints."""
        if not isinstance(content, Mapping):
            return None
        kinds = {
            item.name: int if item.name == "width" else str for item in dataclasses.fields(cls)
        }
        if any(type(content.get(name)) is not kind for name, kind in kinds.items()):
            return None
        return cls(**{name: content[name] for name in kinds})

    def write(self, folder: Path) -> None:
        """States the origin in a folder.

        Raises:
            VidsimError: the folder states another one.
        """
        before = self.read(folder)
        if before is None:
            write_json(folder / ORIGIN_FILE, {"format": FORMAT, **dataclasses.asdict(self)})
        else:
            self.require_same(before, str(folder))

    def require_same(self, other: "FeatureOrigin", where: str) -> None:
        """Refuses features of another origin, field by field.

        Args:
            other: of the features that are there.
            where: they are.

        Raises:
            VidsimError: a field differs.
        """
        self._refuse(other, where, tuple(item.name for item in dataclasses.fields(self)))

    def require_readable(self, other: "FeatureOrigin", where: str) -> None:
        """Refuses features whose numbers mean something else to a model.

        Decoder and sampling may be others: they change numbers a little, and not what they mean.

        Args:
            other: of the features that the model was trained on.
            where: the model is.

        Raises:
            VidsimError: extractor, weights or width differ.
        """
        self._refuse(other, where, _READ_BY_MODELS)

    def _refuse(self, other: "FeatureOrigin", where: str, names: tuple[str, ...]) -> None:
        lines = [
            f"    {name}: {getattr(other, name)} -> {getattr(self, name)}"
            for name in names
            if getattr(other, name) != getattr(self, name)
        ]
        if lines:
            raise VidsimError(
                f"{where}: features of another origin (there -> here):\n"
                + "\n".join(lines)
                + "\nFeatures that are used together must be made alike"
            )


def origin_info(folder: Path) -> dict[str, Any]:
    """What checkpoints of runs on a data folder say of its features; {} where nothing is known."""
    origin = FeatureOrigin.read(folder)
    return {} if origin is None else {"features": dataclasses.asdict(origin)}
