"""convert.json in a data folder: what it was made of, and whether it is whole."""

import json
import shutil
from pathlib import Path
from typing import Any

from vidsim.errors import VidsimError
from vidsim.files import write_json
from vidsim.training.run_identity import differences

RECORD, NOTES, EXTRACTED = "convert.json", "convert.parts", "features"
FORMAT = 1
_BY = "vidsim convert"
MADE = (
    "pointwise",
    "pairwise",
    "test_b",
    "retrieval",
    "classification",
    "folds",
    "tag_list.txt",
    "tag_names.txt",
    "category_list.txt",
    "category_names.txt",
)
"""What `vidsim convert` may make in a data folder."""


class ConvertRecord:
    """The record of one conversion.

    Args:
        folder: the data folder.
        identity: what the data depend on, as JSON data.
    """

    def __init__(self, folder: Path, identity: dict[str, Any]):
        self.folder, self.notes = folder, folder / NOTES
        self._identity = json.loads(json.dumps(identity))

    def compare(self) -> dict[str, Any] | None:
        """What a finished conversion ended with; None where it is not finished, or not begun.

        Raises:
            VidsimError: other data are in the folder.
        """
        path = self.folder / RECORD
        if not path.exists():
            there = [name for name in MADE if (self.folder / name).exists()]
            if there:
                raise VidsimError(
                    f"{self.folder}: {', '.join(there)} are there, which vidsim convert did not "
                    "make (no convert.json says so); name another --data-dir"
                )
            return None
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
            right = isinstance(before, dict) and before.get("by") == _BY
            right = right and isinstance(before.get("identity"), dict)
        except ValueError:
            before, right = {}, False
        if not right or before.get("format") != FORMAT:
            raise VidsimError(
                f"{path}: damaged, or of a later version of vidsim; name another --data-dir"
            )
        made = any((self.folder / name).exists() for name in (*MADE, NOTES, EXTRACTED))
        if "result" not in before and not made:
            return None  # it was stopped before the first file: nothing can be lost
        found = differences(before["identity"], self._identity)
        if found:
            raise VidsimError(
                f"{self.folder}: made of other tables or by other flags (before -> now):\n"
                + "".join(f"    {line}\n" for line in found)
                + "What is there is not overwritten; name another --data-dir, or take it away"
            )
        return before.get("result")

    def begin(self) -> None:
        """Says in the folder what is being made there."""
        self._write({})

    def finish(self, result: dict[str, Any]) -> None:
        """Says that it is whole, and how it ended."""
        self._write({"result": result})
        self.clear()

    def clear(self) -> None:
        """Removes the notes that an interrupted conversion goes on by."""
        if self.notes.is_dir() and (self.folder / RECORD).exists():
            shutil.rmtree(self.notes)

    def _write(self, more: dict[str, Any]) -> None:
        record = {"format": FORMAT, "by": _BY, "identity": self._identity, **more}
        write_json(self.folder / RECORD, record)
