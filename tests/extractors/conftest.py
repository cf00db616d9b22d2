"""Made folders of models, and what the references compute of them."""

from pathlib import Path

import numpy as np
import pytest

from made_models import write_folder

GOLDENS = Path(__file__).parent / "goldens"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """`folder(kind)`: the path of a made folder; not to be changed."""
    known: dict[str, Path] = {}

    def of(kind: str) -> Path:
        if kind not in known:
            known[kind] = write_folder(kind, tmp_path_factory.mktemp("models") / kind)
        return known[kind]

    return of


@pytest.fixture(scope="session")
def goldens():
    """What the references in PyTorch compute, by name."""
    with np.load(GOLDENS / "parity.npz") as file:
        return dict(file)
