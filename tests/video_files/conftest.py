"""Files that several tests read, made once."""

from pathlib import Path

import pytest

from made_files import corners, film, greys


class Films:
    """Small films by name; each is made when it is asked for, and kept.

    Args:
        folder: they lie in it.
    """

    def __init__(self, folder: Path):
        self._folder = folder

    def __call__(self, name: str, count: int = 40, **how) -> Path:
        """The film of grey frames of that file name."""
        path = self._folder / name
        if not path.exists():
            film(path, greys(count), **how)
        return path

    def corners(self, name: str, **how) -> Path:
        """Three frames of four colours."""
        path = self._folder / name
        if not path.exists():
            film(path, [corners()] * 3, **how)
        return path


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    return Films(tmp_path_factory.mktemp("films"))
