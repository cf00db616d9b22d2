"""Own tables, features and ratings into a data folder in the challenge's layout."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidsim.blending.progress import StepProgress
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.files import file_digest
from vidsim.locks import sole_process
from vidsim.stages.convert_config import ConvertConfig
from vidsim.stages.convert_lists import ListFiles
from vidsim.stages.convert_record import EXTRACTED, ConvertRecord
from vidsim.stages.convert_report import about_ratings, about_table, about_videos, say
from vidsim.stages.video_features import extracted, find_features
from vidsim.tables.caption_list import read_captions
from vidsim.tables.column_names import SPLIT, parse_columns
from vidsim.tables.data_files import DataFiles, Output, outputs
from vidsim.tables.feature_files import Features
from vidsim.tables.rating_list import RatingRange, Ratings, read_ratings
from vidsim.tables.row_log import RowLog
from vidsim.tables.test_part import TEST_SHARE, Parts, by_pairs, by_share, by_videos
from vidsim.tables.values import TEST
from vidsim.tables.video_list import VideoList, VideoNames

"""The folder of features of raw videos, in the data folder."""


def run(common: Common, config: ConvertConfig) -> None:
    """Writes a data folder from tables and features.

    Memory holds of every video its id and some numbers. A command that was interrupted goes on.

    Args:
        common: `data_dir`, `on_bad_record` and `fold_seed` are used.
        config: the tables, the features, and what is kept for the test.

    Raises:
        VidsimError: a table or features with a mistake, with file and line; or other data are in
            the folder.
    """
    common.check_fields()
    config.check_fields()
    common.data_dir.mkdir(parents=True, exist_ok=True)
    with sole_process(common.data_dir / "convert"):
        _Conversion(common, config).make()


@dataclass(frozen=True, eq=False)
class _Tables:
    """What the tables say: videos, ratings of them and where each goes."""

    videos: VideoList
    ratings: Ratings | None
    parts: Parts


class _Conversion:
    """One conversion, whose steps share a log of what was skipped."""

    def __init__(self, common: Common, config: ConvertConfig):
        self._common, self._config = common, config
        self._folder = common.data_dir
        self._columns = parse_columns(config.columns)
        self._scale = RatingRange.parse(config.rating_range) if config.rating_range else None
        self._log = RowLog(common.on_bad_record == "skip")

    def make(self) -> None:
        """Reads, writes and reports."""
        # ---- 1 Tables --------------------------------------------------------------------------
        tables = self._tables()
        record = ConvertRecord(self._folder, self._identity())
        ended = record.compare()

        # ---- 2 Features ------------------------------------------------------------------------
        if self._config.video_files is not None and ended is None:
            record.begin()
            self._extract(tables.videos, self._config.video_files)
        features, missing = self._features(tables.videos, record.notes)
        files = self._outputs(tables.parts, missing)
        data = DataFiles(self._folder, record.notes, tables.videos, features, self._log)
        if ended is not None:
            self._done_already(data, files, ended)
            record.clear()
            return

        # ---- 3 Videos --------------------------------------------------------------------------
        record.begin()
        if features is not None and features.origin is not None:
            features.origin.write(self._folder)
        with StepProgress() as progress:
            progress.step("convert", sum(len(output.rows) for output in files), "videos")
            data.write(files, progress.advance)

        # ---- 4 Ratings, captions, tags and categories ------------------------------------------
        gone = missing | tables.videos.ids.mask_of(data.written.gone)
        lines = [*about_videos(data.written, tables.videos, features)]
        lines += self._write_lists(tables, gone)

        # ---- 5 Report --------------------------------------------------------------------------
        lines += self._log.lines()
        for line in lines:
            say(line)
        record.finish({"stamp": data.stamp(files), "report": lines})
        say(f"-> {self._folder}")

    def _tables(self) -> _Tables:
        """Reads the tables, which says what is wrong with them before anything is written."""
        config, log = self._config, self._log
        names = VideoNames(self._columns, config.tag_separator)
        videos, ratings = VideoList(config.videos or Path(), names, log), None
        for line in about_table(videos):
            say(line)
        if config.ratings is not None:
            ratings = read_ratings(config.ratings, videos.ids, self._scale, self._columns, log)
            for line in about_ratings(ratings, self._scale, config.ratings):
                say(line)
        if config.captions is not None:  # read for its mistakes; written when the videos are
            for _ in read_captions(config.captions, videos.ids, self._columns, log):
                pass
        return _Tables(videos, ratings, self._parts(videos, ratings))

    def _parts(self, videos: VideoList, ratings: Ratings | None) -> Parts:
        """What is kept for the test: by a column, by a share, or nothing."""
        config = self._config
        rated = None if ratings is None else ratings.splits
        splits = videos.splits if rated is None else rated
        if rated is not None and videos.has(SPLIT):
            raise VidsimError(
                f"{config.videos} and {config.ratings} both have a column {SPLIT}; one of them "
                "says what is kept for the test"
            )
        if rated is not None or videos.has(SPLIT):
            if config.test_share is not None:
                raise VidsimError(f"--test-share: the column {SPLIT} says what the test is")
            if config.folds_only and (splits == TEST).any():
                raise VidsimError(f"--folds-only: the column {SPLIT} keeps something for the test")
            if ratings is not None and rated is not None:
                return by_pairs(len(videos), ratings)
            return by_videos(splits, ratings)
        share = config.test_share
        if share is None:
            share = TEST_SHARE if ratings is not None and not config.folds_only else 0
        if not share:
            return by_videos(np.zeros(len(videos), np.uint8), ratings)
        say(f"a share of {share:g} is kept for the test (--test-share, --folds-only for none)")
        return by_share(len(videos), ratings, share, self._common.fold_seed)

    def _extract(self, videos: VideoList, folder: Path) -> None:
        config = self._config
        sampling = config.max_frames, config.fps
        extracted(videos, folder, self._folder / EXTRACTED, config.extractor, sampling)

    def _features(self, videos: VideoList, scratch: Path) -> tuple[Features | None, np.ndarray]:
        """The features, and (N,) bool: the videos to be left out for lack of any."""
        raw = self._config.video_files is not None
        path = self._folder / EXTRACTED if raw else self._config.features
        if path is None:
            return None, np.zeros(len(videos), bool)
        return find_features(videos, path, scratch, self._log)

    def _outputs(self, parts: Parts, missing: np.ndarray) -> list[Output]:
        train, test, rated = (part & ~missing for part in (parts.train, parts.test, parts.rated))
        return outputs(train, test, rated, self._config.shard_size)

    def _write_lists(self, tables: _Tables, gone: np.ndarray) -> list[str]:
        """Writes what is no video; returns what there is to say."""
        lists = ListFiles(self._folder, tables.videos, tables.parts, gone)
        lists.link_rated()
        lines = [*lists.vocabularies(self._config)]
        if tables.ratings is not None:
            lines += lists.ratings(tables.ratings)
        return [*lines, *lists.captions(self._config.captions, self._columns)]

    def _identity(self) -> dict[str, Any]:
        """What the data folder depends on, but for what is in the features."""
        config = self._config
        tables = {name: getattr(config, name) for name in ("videos", "ratings", "captions")}
        flags = ("columns", "tag_separator", "max_tags", "category_parent_letters", "rating_range")
        flags += ("test_share", "folds_only", "shard_size")
        raw = config.video_files is not None
        how = ("extractor", "max_frames", "fps")
        return {
            "tables": {name: path and file_digest(path) for name, path in tables.items()},
            "features": "extracted" if raw else "given" if config.features else None,
            **{name: getattr(config, name) if raw else None for name in how},
            **{name: getattr(config, name) for name in flags},
            "fold_seed": self._common.fold_seed,
        }

    def _done_already(self, data: DataFiles, files: list[Output], ended: dict[str, Any]) -> None:
        if ended["stamp"] != data.stamp(files):
            raise VidsimError(
                f"{self._folder}: the features were changed since it was made of them; what is "
                "there is not overwritten: name another --data-dir, or take it away"
            )
        for line in self._log.lines():
            say(line)
        say(f"done already: {self._folder}")
