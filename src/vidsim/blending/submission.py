"""result.zip: written so that two equal blends are two equal files, and checked by reading it back.

A submission can be sent in only a few times, and a wrong one is found out only by a lost attempt.
"""

import json
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidsim.blending.blend import MAX_DIMENSIONS
from vidsim.blending.members import name_ids
from vidsim.errors import VidsimError
from vidsim.files import atomic_file

MEMBER = "result.json"
_MARK = re.compile(r"[ \t\n\r]*([{}:,])[ \t\n\r]*")
_NUMBER_BYTES, _SPARE_BYTES = 32, 1 << 20  # no longer is a float64 in full, with comma and space
_ENTRY_SIGNS = 4 * MAX_DIMENSIONS * _NUMBER_BYTES  # of an id or a list, however it is indented
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may take gigabytes to begin with
_NAMED_BYTES = 200
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold: no clock in the bytes


def write_submission(path: Path, ids: Sequence[str], vectors: np.ndarray) -> None:
    """Writes {id: numbers} as the only member of a zip, beside ``path`` first and then into place.

    Numbers are rounded to float16, each written as the shortest decimal that reads back to the
    same float16. The bytes depend on nothing but ``ids`` and ``vectors``.

    Args:
        path: the zip; its folder is made when there is none.
        ids: N different ids.
        vectors: (N, D) float.

    Raises:
        VidsimError: a value that float16 cannot hold.
    """
    with np.errstate(over="ignore"):
        half = np.asarray(vectors).astype(np.float16)
    if len(ids) != len(half):
        raise ValueError(f"{len(ids)} ids for {len(half)} vectors")
    bad = [ids[row] for row in np.flatnonzero(~np.isfinite(half).all(axis=1)).tolist()]
    if bad:
        raise VidsimError(f"{path}: values beyond float16 for {name_ids(bad)}; none written")
    with atomic_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        member = zipfile.ZipInfo(MEMBER, _EPOCH)
        member.external_attr = 0o644 << 16
        # Level 3: the default 6 takes three times as long and saves one byte in seven.
        archive.writestr(member, _to_json(ids, half), zipfile.ZIP_DEFLATED, compresslevel=3)


def check_submission(path: Path, ids: Iterable[str]) -> list[str]:
    """Everything the challenge would refuse in a submission, or rank as nonsense.

    One video is taken apart at a time: the text is in memory, never the numbers as a whole.

    Args:
        path: the zip.
        ids: every id that must be in it.

    Returns:
        Problems in words, the ids concerned counted and a few named; empty when there are none.
    """
    wanted, seen = set(ids), set[str]()
    try:
        text = _read_member(path, _SPARE_BYTES + len(wanted) * MAX_DIMENSIONS * _NUMBER_BYTES)
    except VidsimError as problem:
        return [str(problem)]
    problems: dict[str, list[str]] = defaultdict(list)
    sizes: dict[int, list[str]] = defaultdict(list)
    try:
        for name, value in _entries(text):
            if name in seen:
                problems["more than once in the file"].append(name)
            elif name not in wanted:
                problems["not a video of the test set"].append(name)
            seen.add(name)
            problem = _vector_problem(value)
            if problem:
                problems[problem].append(name)
            else:
                sizes[len(value)].append(name)
    except (ValueError, RecursionError) as error:
        return [f"{MEMBER}: not a JSON object of number lists: {error}"]
    if wanted - seen:
        problems["missing"] = sorted(wanted - seen)
    usual = max(sizes, key=lambda size: len(sizes[size]), default=0)
    for size in sorted(sizes.keys() - {usual}):
        problems[f"{size} numbers where others have {usual}"] = sizes[size]
    return [f"{len(names)} x {what}: {name_ids(names)}" for what, names in problems.items()]


def _to_json(ids: Sequence[str], half: np.ndarray) -> str:
    # There are only 65,536 float16 values: each is spelled once, and rows are put together from
    # the spellings.
    values = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    spelled = np.array([str(value) for value in values], object)
    codes = np.ascontiguousarray(half).view(np.uint16)
    lines = (
        f"{json.dumps(str(name))}: [{','.join(spelled[row].tolist())}]"
        for name, row in zip(ids, codes, strict=True)
    )
    return "{" + ",\n".join(lines) + "}\n"


def _read_member(path: Path, limit: int) -> str:
    """The text; never more than ``limit`` bytes are unpacked, whatever the zip announces."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if names != [MEMBER]:
                named = f"{len(names)}: {', '.join(names[:3])!r:.{_NAMED_BYTES}}"
                raise VidsimError(f"{path}: its members are {named}; accepted is {MEMBER} alone")
            method = archive.getinfo(MEMBER).compress_type
            if method not in _METHODS:
                raise VidsimError(f"{path}: compressed by method {method}; accepted is deflate")
            with archive.open(MEMBER) as member:
                content = member.read(limit + 1)
            if len(content) > limit:
                raise VidsimError(
                    f"{path}: {MEMBER} unpacks to more than the {limit:,} bytes that the test "
                    f"set's videos can take with {MAX_DIMENSIONS} numbers each"
                )
            return content.decode()
    # RuntimeError: encrypted
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise VidsimError(f"{path}: not a readable zip: {error}") from error


def _entries(text: str) -> Iterator[tuple[str, Any]]:
    """Each key and value of a JSON object in the order of the file, repeated keys included."""
    decoder = json.JSONDecoder()
    _, at = _punctuation(text, 0, "{")
    mark = ","
    if text[at : at + 1] == "}":
        mark, at = _punctuation(text, at, "}")
    while mark == ",":
        if text[at : at + 1] != '"':
            raise json.JSONDecodeError("Expecting an id in double quotes", text, at)
        name, end = _decoded(decoder, text, at)
        _, at = _punctuation(text, end, ":")
        value, at = _decoded(decoder, text, at)
        yield name, value
        mark, at = _punctuation(text, at, ",}")
    if at != len(text):
        raise json.JSONDecodeError("Extra data", text, at)


def _decoded(decoder: json.JSONDecoder, text: str, at: int) -> tuple[Any, int]:
    """One id or list and where it ends; a long one is refused before it fills the memory."""
    near = text[at : at + _ENTRY_SIGNS]
    try:
        value, size = decoder.raw_decode(near)
    except json.JSONDecodeError as error:
        cut = f" within {_ENTRY_SIGNS} characters" if at + _ENTRY_SIGNS < len(text) else ""
        raise json.JSONDecodeError(error.msg + cut, text, at + error.pos) from None
    return value, at + size


def _punctuation(text: str, at: int, accepted: str) -> tuple[str, int]:
    """The punctuation mark that must come next, and where the text goes on after it."""
    found = _MARK.match(text, at)
    if not found or found[1] not in accepted:
        raise json.JSONDecodeError(f"Expecting {' or '.join(accepted)}", text, at)
    return found[1], found.end()


def _vector_problem(value: Any) -> str | None:
    if not isinstance(value, list) or not set(map(type, value)) <= {int, float}:
        return "not a list of numbers"
    if not 1 <= len(value) <= MAX_DIMENSIONS:
        return f"{len(value)} numbers, accepted are 1 to {MAX_DIMENSIONS}"
    try:
        vector = np.array(value, np.float64)
    except OverflowError:
        return "a number that is not finite"
    if not np.isfinite(vector).all():
        return "a number that is not finite"
    return None if vector.any() else "a zero vector, which has no cosine"
