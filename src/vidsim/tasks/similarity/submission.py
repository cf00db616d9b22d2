"""result.zip: written so that two equal blends are two equal files, and checked by reading it back.

A submission can be sent in only a few times, and a wrong one is found out only by a lost attempt.
"""

import codecs
import io
import json
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidsim.blending.blend import MAX_DIMENSIONS
from vidsim.blending.member_file import name_ids
from vidsim.blending.row_source import RowSource, chunks
from vidsim.errors import VidsimError
from vidsim.files import atomic_file
from vidsim.tasks.similarity.json_entries import JsonEntries

MEMBER = "result.json"
_NUMBER_BYTES, _SPARE_BYTES = 32, 1 << 20  # no longer is a float64 in full, with comma and space
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may take gigabytes to begin with
_NAMED_BYTES = 200
_HALF_BYTES = 12  # of a float16, with its comma
_PIECE = 1 << 20  # bytes unpacked at a time


def write_submission(
    path: Path,
    ids: Sequence[str],
    vectors: RowSource,
    check: Callable[[Path], None] = lambda written: None,
) -> None:
    """Writes {id: numbers} as the only member of a zip, beside ``path`` first and then into place.

    Numbers are rounded to float16, each written as the shortest decimal that reads back to the
    same float16. The bytes depend on nothing but ``ids`` and ``vectors``, of which a chunk at a
    time is in memory.

    Args:
        path: the zip; its folder is made when there is none.
        ids: N different ids.
        vectors: (N, D) float.
        check: called with the file that was written, before it goes to ``path``; if it raises,
            ``path`` stays as it was.

    Raises:
        VidsimError: a value that float16 cannot hold.
    """
    if len(ids) != vectors.shape[0]:
        raise ValueError(f"{len(ids)} ids for {vectors.shape[0]} vectors")
    large = len(ids) * (vectors.shape[1] * _HALF_BYTES + 1000) > zipfile.ZIP64_LIMIT
    # Level 3: the default 6 takes three times as long and saves one byte in seven.
    with atomic_file(path) as file:
        bad: list[str] = []
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
            with archive.open(MEMBER, "w", force_zip64=large) as member:  # dated 1980: no clock
                for text in _to_json(ids, vectors, bad):
                    member.write(text.encode())
            archive.getinfo(MEMBER).external_attr = 0o644 << 16
        if bad:
            raise VidsimError(f"{path}: values beyond float16 for {name_ids(bad)}; none written")
        file.flush()
        check(Path(file.name))


def refuse_foreign(path: Path) -> None:
    """Sees to it that a submission can go to a path without replacing anything else.

    Raises:
        VidsimError: there is a file, not empty, that is no submission, or something else.
    """
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            ours = archive.namelist() == [MEMBER]
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        ours = False
    if not ours:
        kind = "folder" if path.is_dir() else "file"
        raise VidsimError(
            f"{path}: this {kind} is no submission (a zip with {MEMBER} alone), so it is not "
            "replaced; name another file by --output-zip"
        )


def check_submission(
    path: Path, ids: Iterable[str], seen_one: Callable[[], None] | None = None
) -> list[str]:
    """Everything the challenge would refuse in a submission, or rank as nonsense.

    The file is gone through twice, first whether it can be read at all. One video is taken apart at
    a time: neither the text nor the numbers are ever in memory as a whole.

    Args:
        path: the zip.
        ids: every id that must be in it.
        seen_one: called after each video.

    Returns:
        Problems in words, the ids concerned counted and a few named; empty when there are none.
    """
    wanted, seen = set(ids), set[str]()
    problems: dict[str, list[str]] = defaultdict(list)
    sizes: dict[int, list[str]] = defaultdict(list)
    try:
        _verify(path, _SPARE_BYTES + len(wanted) * MAX_DIMENSIONS * _NUMBER_BYTES)
        for name, value in _entries(path):
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
            if seen_one is not None:
                seen_one()
    except VidsimError as problem:
        return [str(problem)]
    except (ValueError, RecursionError) as error:
        return [f"{MEMBER}: not a JSON object of number lists: {error}"]
    if wanted - seen:
        problems["missing"] = sorted(wanted - seen)
    usual = max(sizes, key=lambda size: len(sizes[size]), default=0)
    for size in sorted(sizes.keys() - {usual}):
        problems[f"{size} numbers where others have {usual}"] = sizes[size]
    return [f"{len(names)} x {what}: {name_ids(names)}" for what, names in problems.items()]


def _to_json(ids: Sequence[str], vectors: RowSource, bad: list[str]) -> Iterator[str]:
    """The text in pieces; ids whose numbers float16 cannot hold go to `bad`."""
    # There are only 65,536 float16 values: each is spelled once, and rows are put together from
    # the spellings.
    values = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    spelled = np.array([str(value) for value in values], object)
    yield "{"
    for chunk in chunks(len(ids)):
        with np.errstate(over="ignore"):
            half = np.ascontiguousarray(vectors[chunk], np.float16)
        bad += [ids[chunk][row] for row in np.flatnonzero(~np.isfinite(half).all(axis=1)).tolist()]
        lines = (
            f"{json.dumps(str(name))}: [{','.join(spelled[row].tolist())}]"
            for name, row in zip(ids[chunk], half.view(np.uint16), strict=True)
        )
        yield (",\n" if chunk.start else "") + ",\n".join(lines)
    yield "}\n"


def _verify(path: Path, limit: int) -> None:
    """Reads all of the member once; never more than ``limit`` bytes, whatever the zip announces."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if names != [MEMBER]:
                named = f"{len(names)}: {', '.join(names[:3])!r:.{_NAMED_BYTES}}"
                raise VidsimError(f"{path}: its members are {named}; accepted is {MEMBER} alone")
            method = archive.getinfo(MEMBER).compress_type
            if method not in _METHODS:
                raise VidsimError(f"{path}: compressed by method {method}; accepted is deflate")
            size, decoder = 0, codecs.getincrementaldecoder("utf-8")()
            with archive.open(MEMBER) as member:
                while piece := member.read(min(_PIECE, limit + 1 - size)):
                    size += len(piece)
                    if size > limit:
                        raise VidsimError(
                            f"{path}: {MEMBER} unpacks to more than the {limit:,} bytes that the "
                            f"test set's videos can take with {MAX_DIMENSIONS} numbers each"
                        )
                    decoder.decode(piece)
            decoder.decode(b"", final=True)
    except FileNotFoundError:
        raise VidsimError(f"{path}: no such file") from None
    # RuntimeError: encrypted
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise VidsimError(f"{path}: not a readable zip: {error}") from error


def _entries(path: Path) -> Iterator[tuple[str, Any]]:
    with zipfile.ZipFile(path) as archive, archive.open(MEMBER) as member:
        yield from JsonEntries(io.TextIOWrapper(member, encoding="utf-8", newline=""))


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
