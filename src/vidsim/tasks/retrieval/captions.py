"""captions.tsv: sentences and the videos they describe; every odd line is an error."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.files import atomic_file
from vidsim.records.record_log import first_named
from vidsim.records.shown import shown
from vidsim.records.video_id import ACCEPTED_ID, is_video_id
from vidsim.records.video_table import VideoTable

CAPTIONS = "retrieval/captions.tsv"
DEV_CAPTIONS = "retrieval/dev_captions.tsv"
TEST_CAPTIONS = "retrieval/test_captions.tsv"
_ACCEPTED = (
    "accepted is: id of a video <tab> sentence, several lines a video if need be, without a header "
    "line"
)


@dataclass(frozen=True, eq=False)
class Captions:
    """N sentences in the order of their file: row i is line i + 1.

    Attributes:
        videos: (N,) bytes, the id of each one's video.
        sentences: N texts.
    """

    videos: np.ndarray
    sentences: Sequence[str]

    def __len__(self) -> int:
        return len(self.sentences)

    @cached_property
    def ids(self) -> np.ndarray:
        """(N,) bytes: <id of the video>#<number of the sentence among the video's, from 0>."""
        count: dict[bytes, int] = {}
        names = []
        for video in self.videos.tolist():
            number = count.get(video, 0)
            count[video] = number + 1
            names.append(b"%b#%d" % (video, number))
        return np.array(names, np.bytes_)

    @cached_property
    def digest(self) -> str:
        """sha256 (hex) of videos and sentences in their order."""
        sha = hashlib.sha256()
        for line in self.lines():
            sha.update(line.encode())
        return sha.hexdigest()

    def lines(self) -> list[str]:
        """The file's lines."""
        videos = (video.decode() for video in self.videos.tolist())
        return [f"{v}\t{s}\n" for v, s in zip(videos, self.sentences, strict=True)]

    def take(self, rows: np.ndarray) -> "Captions":
        """These rows (K,), in this order."""
        return Captions(self.videos[rows], [self.sentences[int(row)] for row in rows])

    def different_videos(self) -> np.ndarray:
        """(V,) bytes, each video once, by its first sentence."""
        _, first = np.unique(self.videos, return_index=True)
        return self.videos[np.sort(first)]


def read_captions(path: Path) -> Captions:
    """Reads a file of captions.

    Line ends of any system, a byte order mark, blanks around id and sentence and empty lines at the
    end are tolerated.

    Raises:
        VidsimError: there is no such file, it holds no sentence, or a line is not as accepted; with
            file and line, and how many more are not.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise VidsimError(f"{path}: cannot be read ({error.strerror}); {_ACCEPTED}") from None
    except UnicodeDecodeError as error:
        raise VidsimError(f"{path}: not UTF-8 text ({error}); {_ACCEPTED}") from None
    lines = text.split("\n")
    while len(lines) > 1 and not lines[-1].strip():
        lines.pop()
    videos, sentences, odd = [], [], []
    for number, line in enumerate(lines, 1):
        problem = _problem(line)
        if problem is not None:
            odd.append(f"{path}:{number}: {shown(line)}, {problem}; {_ACCEPTED}")
            continue
        video, sentence = line.split("\t")
        videos.append(video.strip().encode())
        sentences.append(sentence.strip())
    if odd:
        more = f" ({len(odd) - 1} more lines are odd)" if len(odd) > 1 else ""
        raise VidsimError(f"{odd[0]}{more}")
    return Captions(np.array(videos, np.bytes_), sentences)


def write_captions(path: Path, captions: Captions) -> None:
    """Writes a file that `read_captions` reads, whole or not at all."""
    with atomic_file(path) as file:
        for line in captions.lines():
            file.write(line.encode())


def unknown_lines(path: Path, captions: Captions, table: VideoTable) -> list[str]:
    """Each line of a file that names a video which is not there: its number and the id."""
    rows = np.flatnonzero(table.find(captions.videos) < 0).tolist()
    videos = captions.videos
    return [f"{path}:{row + 1}: no video {shown(videos[row].decode())}" for row in rows]


def known_captions(path: Path, captions: Captions, table: VideoTable) -> Captions:
    """The sentences whose videos are there.

    Only where bad records were skipped may a video be missing; what is left out is said.

    Raises:
        VidsimError: a line names a video that is not there, or none is left.
    """
    missing = unknown_lines(path, captions, table)
    if not missing:
        return captions
    if not table.skipped or len(missing) == len(captions):
        more = f"; {len(missing) - 1} more lines are like that" if len(missing) > 1 else ""
        raise VidsimError(f"{missing[0]} among {table}{more}")
    print(f"LEFT OUT {len(missing)} of {len(captions)} captions, for lack of a skipped video:")
    for line in first_named(missing):
        print(line, flush=True)
    return captions.take(np.flatnonzero(table.find(captions.videos) >= 0))


def _problem(line: str) -> str | None:
    """What of a line is not as accepted; None where it is."""
    fields = [field.strip() for field in line.split("\t")]
    if len(fields) == 1:
        return "an empty line" if not fields[0] else "a line without a tab"
    if len(fields) > 2:
        return f"{len(fields)} columns"
    if not is_video_id(fields[0].encode()):
        return f"the id is {shown(fields[0])}; {ACCEPTED_ID}"
    if not fields[1]:
        return "an empty sentence"
    return "a NUL in the sentence" if "\0" in fields[1] else None
