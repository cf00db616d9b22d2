"""What inference embeds for retrieval: both sides of each fold's validation and of the test part.

Beside each other, for recipe and fold k: `fold<k>_val.npz` (videos), `fold<k>_val_texts.npz`,
and where there are test videos `fold<k>.npz` and, with their captions, `fold<k>_texts.npz`.
"""

from pathlib import Path

import numpy as np

from vidsim.blending.members import member_path, test_name, validation_path
from vidsim.config import Common
from vidsim.records.file_pattern import FilePattern
from vidsim.records.video_table import VideoTable
from vidsim.tasks.configs import InferenceConfig
from vidsim.tasks.data_files import TEST, open_videos
from vidsim.tasks.job import Job
from vidsim.tasks.retrieval.captions import (
    TEST_CAPTIONS,
    Captions,
    known_captions,
    read_captions,
)
from vidsim.tasks.retrieval.data import CaptionFolds, FoldCaptions
from vidsim.tasks.retrieval.sides import sentences_alone, videos_alone


class EmbeddedSides:
    """The jobs of one inference command.

    Args:
        common: folders and --folds.
        config: --test-b-file and --out.

    Attributes:
        folds: their numbers.
        name: of other test videos than the data folder's own; None for those.
        source: the folds.
        test: the test videos without their texts; None where there are none.
        test_captions: their sentences; None where there are none.

    Raises:
        VidsimError: files are missing or damaged, or flags contradict each other.
    """

    def __init__(self, common: Common, config: InferenceConfig):
        self._common = common
        self.source = CaptionFolds(common)
        self.folds = self.source.folds
        self.name = test_name(config.test_b_file, common.data_dir / TEST, config.out)
        own = FilePattern(common.data_dir, TEST)
        self.test: VideoTable | None = None
        self.test_captions: Captions | None = None
        if self.name is not None or (common.data_dir / TEST).parent.exists():
            self.test = videos_alone(open_videos(common, config.test_b_file, TEST))
        else:
            print(f"inference: there is no {own}: only the folds' validation parts are embedded")
        path = common.data_dir / TEST_CAPTIONS
        if self.name is None and self.test is not None and path.exists():
            self.test_captions = known_captions(path, read_captions(path), self.test)
        self._loaded: dict[int, FoldCaptions] = {}

    def jobs(self, run: str, fold: int) -> dict[str, Job]:
        """By "test" and "test_texts", "validation" and "validation_texts"; those that there are."""
        found, root = {}, self._common.task_dir
        if self.test is not None:
            path = member_path(root, run, fold, self.name)
            found["test"] = Job(path, self.test, np.arange(len(self.test)))
            if self.test_captions is not None:
                found["test_texts"] = _all_of(texts_path(path), self._test_texts)
        if self.name is None:
            data, path = self.load(fold), validation_path(root, run, fold)
            found["validation"] = Job(path, data.videos, data.gallery)
            found["validation_texts"] = _all_of(texts_path(path), data.val_texts)
        return found

    def load(self, fold: int) -> FoldCaptions:
        """One fold, read once."""
        if fold not in self._loaded:
            self._loaded[fold] = self.source.load(fold)
        return self._loaded[fold]

    @property
    def _test_texts(self) -> VideoTable:
        assert self.test is not None
        assert self.test_captions is not None
        return sentences_alone(self.test_captions, self.test)


def texts_path(path: Path) -> Path:
    """The file of the sentences beside that of the videos."""
    return path.with_name(f"{path.stem}_texts{path.suffix}")


def _all_of(path: Path, table: VideoTable) -> Job:
    return Job(path, table, np.arange(len(table)))
