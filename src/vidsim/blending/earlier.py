"""An ensemble's earlier report is kept where the new one is of another blend."""

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidsim.files import as_json


def keep_earlier(folder: Path, names: Sequence[str], resolved: Any) -> None:
    """Moves the files of a report to NAME.old-<n> beside them, if they are of another blend.

    Args:
        folder: of the report.
        names: of its files. The last one says how it was made; it is also moved last, so that after
            an interruption the same call moves the rest.
        resolved: what that last file is going to say.
    """
    try:
        earlier = json.loads((folder / names[-1]).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except ValueError:
        earlier = None  # damaged: whatever it was
    if _of_the_blend(earlier) == _of_the_blend(json.loads(as_json(resolved))):
        return
    paths = [folder / name for name in names]
    mark = free_mark(paths)
    move_aside(paths, mark)
    print(f"ensemble: {paths[0]} was of another blend; it is {marked(paths[0], mark)} now")


def move_aside(paths: Sequence[Path], mark: str) -> None:
    """Gives those of the files that there are a mark."""
    for path in paths:
        if path.exists():
            path.rename(marked(path, mark))


def free_mark(paths: Sequence[Path]) -> str:
    """The first of old-1, old-2, ... that none of the files has a copy of."""
    marks = (f"old-{number}" for number in itertools.count(1))
    return next(m for m in marks if not any(marked(path, m).exists() for path in paths))


def marked(path: Path, mark: str) -> Path:
    """The path with a mark before its suffix: result.old-1.zip."""
    return path.with_name(f"{path.stem}.{mark}{path.suffix}")


def _of_the_blend(resolved: Any) -> Any:
    """Flags, weights and folds; not where files lie."""
    if not isinstance(resolved, Mapping):
        return None
    return {name: resolved.get(name) for name in ("ensemble", "weights", "folds")}
