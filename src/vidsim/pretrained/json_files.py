"""JSON that others wrote: read with an error that names the file."""

import json
from pathlib import Path
from typing import Any

from vidsim.errors import VidsimError

_NAME_BYTES = 255
_NO_NAMES = ("", ".", "..")


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        VidsimError: it is not JSON, or nested too deeply.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # UnicodeDecodeError is one, too
        raise VidsimError(f"{path}: this is not JSON ({error})") from None
    except RecursionError:
        raise VidsimError(f"{path}: accepted is JSON that is not nested so deeply") from None


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        VidsimError: it is not JSON, or not an object.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise VidsimError(f"{path}: this is {type(content).__name__}; expected is a JSON object")
    return content


def is_file_name(name: Any) -> bool:
    """Whether it names a file of the same folder: a text that leads nowhere else, and is short."""
    if not isinstance(name, str) or any(sign in name for sign in ("/", "\\", "\0")):
        return False
    return name not in _NO_NAMES and len(name.encode(errors="replace")) <= _NAME_BYTES
