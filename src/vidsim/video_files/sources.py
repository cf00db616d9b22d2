"""Which file is which video: a file's name without its ending is the id."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vidsim.errors import VidsimError
from vidsim.records.shown import shown
from vidsim.records.video_id import is_video_id

_ENDINGS = """
    3g2 3gp asf avi divx dv f4v flv gif h264 h265 hevc ivf m2ts m2v m4a m4v mka mkv mov mp3 mp4 mpeg
    mpg mts mxf nut obu ogg ogv rm rmvb ts vob webm wmv y4m"""
VIDEO_ENDINGS = frozenset(f".{ending}" for ending in _ENDINGS.split())
"""Lower case; those of sound files too, whose outcome is a named reason and no silence."""
PICTURE_ENDINGS = frozenset((".jpeg", ".jpg", ".png", ".webp"))
MOST_ID_BYTES = 200
"""A file system's longest name, less what a file has while it is written."""


def is_picture(path: Path) -> bool:
    """Whether the name's ending is one of a picture."""
    return path.suffix.lower() in PICTURE_ENDINGS


def pictures_of(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of their names, numbers in these by their value."""
    found = [Path(entry.path) for entry in os.scandir(folder) if not entry.name.startswith(".")]
    return sorted((path for path in found if is_picture(path)), key=_by_name)


@dataclass
class VideoSources:
    """The videos of a folder or a table.

    Attributes:
        files: where each video is, by id, in the order of ids or of the table; files of a table
            may not exist.
        notes: what was left out, for people.
    """

    files: dict[str, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def find_videos(folder: Path) -> VideoSources:
    """The videos of a folder: files by their endings, and folders of pictures.

    Of a video and a picture that have one name, the picture is its thumbnail and left out.

    Raises:
        VidsimError: no such folder, none in it, two videos of one name, or a name that is no id.
    """
    if not folder.is_dir():
        raise VidsimError(f"{folder}: not a folder; accepted is one with video files in it")
    ranked: dict[str, list[tuple[int, Path]]] = {}
    strange: dict[str, int] = {}
    for path in sorted(folder.iterdir(), key=_by_name):
        rank = _rank(path)
        if rank is not None:
            ranked.setdefault(path.name if path.is_dir() else path.stem, []).append((rank, path))
        elif not path.name.startswith("."):
            ending = "folder" if path.is_dir() else path.suffix.lower() or "without ending"
            strange[ending] = strange.get(ending, 0) + 1
    found, thumbnails = VideoSources(), 0
    for name, paths in ranked.items():
        best = min(rank for rank, _ in paths)
        chosen = [path for rank, path in paths if rank == best]
        if len(chosen) > 1:
            raise VidsimError(
                f"{chosen[0]} and {chosen[1]}: two files of one id, {shown(name)}; a file's name "
                "without its ending is the id, so rename one, or name files in a table's column "
                "file"
            )
        thumbnails += len(paths) - 1
        found.files[checked_id(name, chosen[0])] = chosen[0]
    if thumbnails:
        pictures = f"{thumbnails:,} picture{'s' * (thumbnails > 1)}"
        found.notes.append(f"left out, as videos have their names: {pictures}")
    if strange:
        kinds = ", ".join(f"{count:,} {ending}" for ending, count in sorted(strange.items()))
        found.notes.append(f"what is no video is left out: {kinds}")
    if not found.files:
        raise VidsimError(
            f"{folder}: no video in it; known endings are {' '.join(sorted(VIDEO_ENDINGS))}, "
            f"pictures {' '.join(sorted(PICTURE_ENDINGS))}, and folders of pictures"
        )
    return found


def named_videos(folder: Path, named: Iterable[tuple[str, str]], where: str) -> VideoSources:
    """The videos of a table.

    Args:
        folder: the files lie in it.
        named: id and file of each video, the file relative to the folder; "" where its name
            without the ending is the id.
        where: the table, for messages.

    Returns:
        the files in the order of the table; one that is not there stands with the name that it
        should have.

    Raises:
        VidsimError: as `find_videos`; or an id that cannot be a file's name.
    """
    rows = list(named)
    by_name = find_videos(folder) if any(not file for _, file in rows) else VideoSources()
    found = VideoSources(notes=list(by_name.notes))
    for video_id, file in rows:
        path = folder / file if file else by_name.files.get(video_id, folder / video_id)
        found.files[checked_id(video_id, Path(where))] = path
    unused = len(by_name.files.keys() - found.files.keys()) if by_name.files else 0
    if unused:
        found.notes.append(f"{unused:,} videos of {folder} are not in {where}, and left out")
    return found


def checked_id(video_id: str, path: Path) -> str:
    """The id, if a file of features can be named after it.

    Raises:
        VidsimError: it cannot.
    """
    try:
        encoded = video_id.encode()
    except UnicodeEncodeError:
        encoded = b""
    fits = is_video_id(encoded) and len(encoded) <= MOST_ID_BYTES and "/" not in video_id
    if not fits or video_id in (".", ".."):
        raise VidsimError(
            f"{path}: {shown(video_id)} is no id of a video whose features are extracted; accepted "
            f"are 1 to {MOST_ID_BYTES} bytes of UTF-8 that can be the name of a file"
        )
    return video_id


def unknown_ids(files: Mapping[str, Path], folder: Path) -> int:
    """How many files of features are of none of the videos."""
    names = [path.stem for path in folder.glob("*.npz")] if folder.is_dir() else []
    return sum(name not in files for name in names)


def _rank(path: Path) -> int | None:
    """0 for a video, 1 for a folder of pictures, 2 for a picture; None for anything else."""
    if path.name.startswith("."):
        return None
    if path.is_dir():
        return 1 if pictures_of(path) else None
    if is_picture(path):
        return 2
    return 0 if path.suffix.lower() in VIDEO_ENDINGS else None


def _by_name(path: Path) -> tuple[list[tuple[bool, int, str]], str]:
    """2 before 10: runs of digits are compared by their value."""
    parts = re.findall(r"\d+|\D+", path.name)
    key = [(not p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts]
    return key, path.name
