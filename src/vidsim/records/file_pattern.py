"""Files named by a pattern: what a user wrote as one is a pattern, a folder's name never is.

A folder may be called "data [v2]" or "set[12]". Taken for a pattern, the second one fits its
neighbour set1, whose files would be read in its place.
"""

import glob
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FilePattern:
    """A pattern below a folder.

    Attributes:
        folder: taken as it is spelled.
        pattern: relative to the folder; `*`, `?` and `[...]` fit within one name, `**` fits
            folders of any depth. Empty: the folder is itself the path of one file.
    """

    folder: Path
    pattern: str

    @classmethod
    def of(cls, named: "str | Path | FilePattern") -> "FilePattern":
        """The pattern that is meant.

        Args:
            named: a Path is one file. A text, as a user gives it, is the file of that name if it
                is there; otherwise its leading folders that are there are taken as they are
                spelled, and only what follows them is a pattern.
        """
        if isinstance(named, FilePattern):
            return named
        path = Path(named)
        if isinstance(named, Path) or path.is_file():
            return cls(path, "")
        folder, names = Path(path.anchor), list(path.parts[bool(path.anchor) :])
        while len(names) > 1 and (folder / names[0]).is_dir():
            folder /= names.pop(0)
        return cls(folder, "/".join(names))

    def files(self, suffix: str = "") -> list[Path]:
        """The files that fit, pretrain_2 before pretrain_10; `suffix` is added to their name."""
        if not self.pattern:
            path = Path(f"{self.folder}{suffix}")
            return [path] if path.is_file() else []
        found = glob.glob(self.pattern + suffix, root_dir=self.folder, recursive=True)
        paths = (self.folder / name for name in found)
        return sorted((path for path in paths if path.is_file()), key=_natural)

    def __str__(self) -> str:
        return str(self.folder / self.pattern)


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in parts]
