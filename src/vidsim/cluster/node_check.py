"""What must be equal on all machines that work on one run, and how it is compared."""

import hashlib
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vidsim
from vidsim.errors import VidsimError
from vidsim.provenance import installed_versions

PROBE = ".visible_from_all_nodes"
LEAST_GB = 1.0
_SMALL, _END = 2**20, 2**16  # bytes: of a file that is hashed whole; of the ends of others

Facts = dict[str, str]


@dataclass(frozen=True)
class Places:
    """Where a run's files lie, which all nodes must see under the same path.

    Attributes:
        written: folder of logs and results.
        compared: folder whose files must be equal, the data's; None: there is none.
        seen: files and folders that are only read.
    """

    written: Path
    compared: Path | None = None
    seen: tuple[Path, ...] = ()


def software() -> Facts:
    """Python, the installed libraries, and this package's own code."""
    return {"Python": platform.python_version(), **installed_versions(), "code": code_digest()}


def code_digest() -> str:
    """sha256 of the package's source files, their names included."""
    found, folder = hashlib.sha256(), Path(vidsim.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        found.update(str(path.relative_to(folder)).encode() + b"\0")
        found.update(path.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def node_facts(places: Places, token: str) -> dict[str, Any]:
    """What a node says of itself.

    Args:
        places: absolute paths.
        token: what `put_probe` wrote.

    Returns:
        software: `software()`; files: digest by name; problem: None or a sentence; free_gb.
    """
    problem, free, written = None, 0.0, places.written
    try:
        free = shutil.disk_usage(written).free / 1e9
        if (written / PROBE).read_text(encoding="utf-8") != token:
            problem = f"{written} is another folder there"
    except OSError as error:
        problem = f"{written} cannot be read there ({error.strerror})"
    read = [*places.seen, *([places.compared] if places.compared else [])]
    for path in read if problem is None else []:
        if not path.exists():
            problem = f"{path} cannot be seen there"
    if problem is None and not os.access(written, os.W_OK):
        problem = f"{written} cannot be written there"
    compared = places.compared if problem is None else None
    files = dict(file_digests(compared)) if compared else {}
    return {"software": software(), "files": files, "problem": problem, "free_gb": free}


def put_probe(folder: Path, token: str) -> None:
    """Writes the file by which nodes tell that they see the same folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PROBE).write_text(token, encoding="utf-8")


def compare(here: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> None:
    """Compares every node's facts with this one's.

    Raises:
        VidsimError: each node that differs, and by which value.
    """
    problems = [
        f"node {name}: {problem}"
        for name, there in nodes.items()
        for problem in _differences(here, there)
    ]
    if problems:
        lines = "\n  ".join(problems)
        raise VidsimError(f"these nodes cannot work on this run:\n  {lines}")


def software_differences(here: Facts, there: Facts) -> list[str]:
    """A sentence for each value that differs."""
    return [
        f"{name} is {there.get(name, 'not installed')}, here {here.get(name, 'not installed')}"
        for name in {**here, **there}
        if here.get(name) != there.get(name)
    ]


def file_digests(folder: Path) -> Iterator[tuple[str, str]]:
    """Size and content of every file, of large ones the first and last 64 kB, by path in it."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if any(part.startswith(".") for part in name.parts) or not path.is_file():
            continue
        size = path.stat().st_size
        with path.open("rb") as file:
            content = file.read(_SMALL if size <= _SMALL else _END)
            if size > _SMALL:
                file.seek(-_END, os.SEEK_END)
                content += file.read()
        yield str(name), f"{size} bytes, {hashlib.sha256(content).hexdigest()[:12]}"


def _differences(here: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[str]:
    if there["problem"]:
        yield there["problem"]
        return
    yield from software_differences(here["software"], there["software"])
    if there["free_gb"] < LEAST_GB:
        yield f"{there['free_gb']:.1f} GB of disk are free; at least {LEAST_GB:g} are needed"
    names = {**here["files"], **there["files"]}
    differing = [name for name in names if here["files"].get(name) != there["files"].get(name)]
    for name in differing[:3]:
        values = there["files"].get(name, "missing"), here["files"].get(name, "missing")
        yield f"data file {name}: {values[0]}, here {values[1]}"
    if len(differing) > 3:
        yield f"and {len(differing) - 3} data files more"
