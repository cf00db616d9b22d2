"""What inference predicts for classification: test videos, and each fold's validation videos."""

import numpy as np

from vidsim.blending.members import member_path, test_name, validation_path
from vidsim.config import Common
from vidsim.records.file_pattern import FilePattern
from vidsim.records.video_table import VideoTable
from vidsim.tasks.classification.fold_source import ClassFolds
from vidsim.tasks.configs import InferenceConfig
from vidsim.tasks.data_files import TEST, open_videos
from vidsim.tasks.job import Job


class ClassifiedVideos:
    """The jobs of one inference command.

    Without test_b in the data folder, and without --test-b-file, only validation videos are
    classified; that is said.

    Args:
        common: folders and --folds.
        config: --test-b-file and --out.

    Attributes:
        folds: their numbers.
        name: of other test videos than the data folder's own; None for those.

    Raises:
        VidsimError: files are missing or damaged, or flags contradict each other.
    """

    def __init__(self, common: Common, config: InferenceConfig):
        self._common = common
        self._source = ClassFolds(common)
        self.folds = self._source.folds
        self.name = test_name(config.test_b_file, common.data_dir / TEST, config.out)
        self._test: VideoTable | None = None
        if self.name is not None or (common.data_dir / TEST).parent.exists():
            self._test = open_videos(common, config.test_b_file, TEST)
        else:
            own = FilePattern(common.data_dir, TEST)
            print(f"inference: there is no {own}: only the folds' validation videos are classified")

    def jobs(self, run: str, fold: int) -> dict[str, Job]:
        """By "test" where there are test videos, by "validation" where those are the data's own."""
        found, root = {}, self._common.task_dir
        if self._test is not None:
            path = member_path(root, run, fold, self.name)
            found["test"] = Job(path, self._test, np.arange(len(self._test)))
        if self.name is None:
            data = self._source.load(fold)
            found["validation"] = Job(validation_path(root, run, fold), data.table, data.val)
        return found
