"""The files of a data folder that are lists: ratings, captions, tags and categories."""

import contextlib
import itertools
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vidsim.errors import VidsimError
from vidsim.files import atomic_file
from vidsim.stages.convert_config import ConvertConfig
from vidsim.tables.caption_list import listed_captions, read_captions
from vidsim.tables.data_files import PAIRWISE, write_lines
from vidsim.tables.numbered_names import NumberedNames, parents_of
from vidsim.tables.rating_list import Ratings
from vidsim.tables.row_log import RowLog
from vidsim.tables.test_part import Parts
from vidsim.tables.values import TEST, TRAIN, VAL
from vidsim.tables.video_list import VideoList

RATED_LINK = "pointwise/rated.tfrecords"
LABELS, TEST_LABELS = "pairwise/label.tsv", "test_b/label.tsv"
TAG_LIST, TAG_NAMES = "tag_list.txt", "tag_names.txt"
CATEGORY_LIST, CATEGORY_NAMES = "category_list.txt", "category_names.txt"
DEV_IDS = "classification/dev.txt"
CAPTIONS = {
    TRAIN: "retrieval/captions.tsv",
    VAL: "retrieval/dev_captions.tsv",
    TEST: "retrieval/test_captions.tsv",
}


class ListFiles:
    """Writes the lists of a data folder, each whole or not at all.

    Args:
        folder: the data folder.
        videos: N videos.
        parts: where each of them and each rated pair goes.
        gone: (N,) bool, videos that were left out.
    """

    def __init__(self, folder: Path, videos: VideoList, parts: Parts, gone: np.ndarray):
        self._folder, self._videos, self._parts, self._gone = folder, videos, parts, gone

    def link_rated(self) -> None:
        """Makes rated videos some of those to pretrain on, without writing them twice."""
        link = self._folder / RATED_LINK
        if (self._folder / PAIRWISE).exists() and not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.join("..", PAIRWISE))

    def ratings(self, ratings: Ratings) -> Iterator[str]:
        """Writes the rated pairs; says how many.

        Raises:
            VidsimError: no pair is left to train on.
        """
        parts = self._parts
        here = ~self._gone[ratings.rows].any(axis=1)
        counts = [
            self._write_ratings(name, ratings.take(here & part))
            for name, part in ((LABELS, parts.train_pairs), (TEST_LABELS, parts.test_pairs))
        ]
        if not counts[0]:
            raise VidsimError("not one rated pair is left to train on")
        yield f"{counts[0]:,} rated pairs to train on, {counts[1]:,} for the test"
        if parts.left_out:
            yield (
                f"{parts.left_out:,} rated pairs are left out: one video of each is kept for the "
                "test, the other is not"
            )
        lost = int((~here & (parts.train_pairs | parts.test_pairs)).sum())
        if lost:
            yield f"{lost:,} rated pairs are left out for lack of a skipped video"

    def captions(self, path: Path | None, columns: Mapping[str, str]) -> Iterator[str]:
        """Writes sentences, those of a column and those of --captions; says how many.

        Bad rows of --captions are passed over: whoever read it before has told them.
        """
        ids, counts = self._videos.ids, Counter[str]()
        splits = np.where(self._parts.train, self._videos.splits, TEST)
        splits[self._parts.train & (splits == TEST)] = TRAIN  # --ratings say what the test is
        names = [CAPTIONS[split] for split in splits.tolist()]
        with contextlib.ExitStack() as stack:
            files: dict[str, BinaryIO] = {}
            given = [listed_captions(self._videos.captions(), ids)]
            given += [read_captions(path, ids, columns, RowLog(skip=True))] if path else []
            for row, video, text in itertools.chain(*given):
                if self._gone[row]:
                    continue
                name = names[row]
                if name not in files:
                    files[name] = stack.enter_context(atomic_file(self._folder / name))
                files[name].write(f"{video}\t{text}\n".encode())
                counts[name] += 1
        yield from (f"{count:,} captions in {name}" for name, count in counts.items())

    def vocabularies(self, config: ConvertConfig) -> Iterator[str]:
        """Writes the lists of tags and categories; says what is in them."""
        tags, categories = self._videos.tags, self._videos.categories
        if len(tags):
            listed = list(tags.numbers.values())[: config.max_tags]
            write_lines(self._folder / TAG_LIST, (f"{tag}\n" for tag in listed))
            more = f" of {len(tags):,}" if len(listed) < len(tags) else ""
            yield f"{len(listed):,}{more} tags in {TAG_LIST}{self._named(TAG_NAMES, [tags])}"
        if len(categories):
            letters, parents = config.category_parent_letters, None
            if letters is not None:
                parents = parents_of(categories, letters)
            lines = (
                f"{number}\t{parents.numbers[name[:letters]]}\n" if parents else f"{number}\n"
                for name, number in categories.numbers.items()
            )
            write_lines(self._folder / CATEGORY_LIST, lines)
            both = [categories, *([parents] if parents else [])]
            said = f" of {len(parents):,} parents" if parents else ""
            yield (
                f"{len(categories):,} categories{said} in {CATEGORY_LIST}"
                f"{self._named(CATEGORY_NAMES, both)}"
            )
            self._write_dev()

    def _write_ratings(self, name: str, ratings: Ratings) -> int:
        ids, values = self._videos.ids.ids, ratings.values.tolist()
        names = (ids[ratings.rows[:, side]].tolist() for side in (0, 1))
        lines = (
            f"{one.decode()}\t{other.decode()}\t{value:.9g}\n"
            for one, other, value in zip(*names, values, strict=True)
        )
        return write_lines(self._folder / name, lines)

    def _named(self, name: str, lists: list[NumberedNames]) -> str:
        lines = [line for item in lists if item.named for line in item.name_lines()]
        return f", their names in {name}" * bool(write_lines(self._folder / name, lines))

    def _write_dev(self) -> None:
        """The videos that classification validates by, where the table says which."""
        rows = (self._videos.splits == VAL) & ~self._gone & self._parts.train
        ids = (video.decode() for video in self._videos.ids.ids[rows].tolist())
        write_lines(self._folder / DEV_IDS, (f"{video}\n" for video in ids))
