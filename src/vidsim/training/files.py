"""Files that are there whole or not at all: written aside, flushed to disk, renamed."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file


@contextlib.contextmanager
def write_folder(folder: Path) -> Iterator[Path]:
    """A folder beside the wanted one to write into; renamed into place when the block ends well."""
    aside = folder.with_name(f".{folder.name}.tmp-{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
        for path in aside.rglob("*"):
            _sync(path)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(aside, folder)
        _sync(folder.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_json(path: Path, content: Any) -> None:
    """Writes indented JSON atomically. Paths and other objects are written as their text."""
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str, sort_keys=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    aside.write_text(text + "\n", encoding="utf-8")
    _sync(aside)
    os.replace(aside, path)


def save_tensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Writes a safetensors file."""
    save_file(tensors, str(path))


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
