"""What inference makes for retrieval: both sides of each fold's validation and of the test part.

Beside each other, for recipe and fold k: `fold<k>_val.npz` (videos), `fold<k>_val_texts.npz`,
and where there are test videos `fold<k>.npz` and, with their captions, `fold<k>_texts.npz`. The
modes with a match head have a folder of their own, with the same files and beside each the scores,
`fold<k>_val_match.npz` (each video with sentences) and so on.
"""

from pathlib import Path

import numpy as np

from vidsim.blending.members import member_path, test_name
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.records.file_pattern import FilePattern
from vidsim.records.video_table import VideoTable
from vidsim.tasks.data_files import TEST, open_videos
from vidsim.tasks.job import Job
from vidsim.tasks.retrieval.captions import (
    TEST_CAPTIONS,
    Captions,
    known_captions,
    read_captions,
)
from vidsim.tasks.retrieval.configs import RetrievalInferenceConfig
from vidsim.tasks.retrieval.data import CaptionFolds, FoldCaptions
from vidsim.tasks.retrieval.match_job import MatchJob, place_name
from vidsim.tasks.retrieval.sides import sentences_alone, videos_alone


class EmbeddedSides:
    """The jobs of one inference command.

    Args:
        common: folders and --folds.
        config: --test-b-file, --out, --mode and --k-test.

    Attributes:
        folds: their numbers.
        name: of other test videos than the data folder's own, or of a mode with a match head; None
            for the embeddings of the data folder's own.
        source: the folds.
        test: the test videos without their texts; None where there are none.
        test_captions: their sentences; None where there are none.

    Raises:
        VidsimError: files are missing or damaged, or flags contradict each other.
    """

    def __init__(self, common: Common, config: RetrievalInferenceConfig):
        self._common = common
        self.source = CaptionFolds(common)
        self.folds = self.source.folds
        given = test_name(config.test_b_file, common.data_dir / TEST, config.out)
        self._config, self._others = config, given is not None
        self.name = place_name(given, config.mode, config.k_test)
        own = FilePattern(common.data_dir, TEST)
        self.test: VideoTable | None = None
        self.test_captions: Captions | None = None
        if self._others or (common.data_dir / TEST).parent.exists():
            self.test = videos_alone(open_videos(common, config.test_b_file, TEST))
        else:
            print(f"inference: there is no {own}: only the folds' validation parts are embedded")
        path = common.data_dir / TEST_CAPTIONS
        if not self._others and self.test is not None and path.exists():
            self.test_captions = known_captions(path, read_captions(path), self.test)
        self._loaded: dict[int, FoldCaptions] = {}

    def jobs(self, run: str, fold: int) -> dict[str, Job]:
        """By "test" and "test_texts", "validation" and "validation_texts"; those that there are.

        In a mode with a match head, also by the same names with "_match" behind.
        """
        found, root = {}, self._common.task_dir
        path = member_path(root, run, fold, self.name)
        if self.test is not None:
            found["test"] = Job(path, self.test, np.arange(len(self.test)))
            if self.test_captions is not None:
                found["test_texts"] = _all_of(texts_path(path), self._test_texts)
        if not self._others:
            data, path = self.load(fold), path.with_name(f"{path.stem}_val{path.suffix}")
            found["validation"] = Job(path, data.videos, data.gallery)
            found["validation_texts"] = _all_of(texts_path(path), data.val_texts)
        for part in ("test", "validation"):
            if self._config.mode != "embedding" and f"{part}_texts" in found:
                found |= self._match_jobs(part, found[f"{part}_texts"], found[part])
        return found

    def say_cost(self) -> None:
        """Says how many pairs a mode with a match head scores, before the first one."""
        if self._config.mode == "embedding":
            return
        for fold in self.folds:
            jobs = [job for job in self.jobs("", fold).values() if isinstance(job, MatchJob)]
            if not jobs:
                raise VidsimError(
                    f"--mode {self._config.mode}: there is nothing to search, for lack of captions "
                    "of these videos; take --mode embedding"
                )
            searches = " and ".join(f"{len(job.rows):,} x {job.count:,}" for job in jobs)
            total = sum(len(job.rows) * job.count for job in jobs)
            print(
                f"inference: --mode {self._config.mode} scores {searches}, in all {total:,} pairs "
                f"of sentence and video, for fold {fold} of every recipe",
                flush=True,
            )

    def _match_jobs(self, part: str, texts: Job, videos: Job) -> dict[str, Job]:
        """Sentences search videos; and, unless every pair is scored at once, the other way too."""
        joint = self._config.mode == "joint"
        made: dict[str, Job] = {f"{part}_texts_match": self._match_job(texts, videos, True)}
        return made if joint else made | {f"{part}_match": self._match_job(videos, texts, False)}

    def _match_job(self, own: Job, other: Job, texts_search: bool) -> MatchJob:
        k = len(other.rows) if self._config.mode == "joint" else self._config.k_test
        path = own.path.with_name(f"{own.path.stem}_match{own.path.suffix}")
        sides, files = (own.table, own.rows, other.table, other.rows), (own.path, other.path)
        return MatchJob(path, *sides, files, texts_search, k)

    @property
    def flags(self) -> str:
        """What a command needs besides to make these files."""
        mode, k = self._config.mode, self._config.k_test
        of_mode = {"embedding": "", "two-stage": f" --mode two-stage --k-test {k}"}
        return of_mode.get(mode, f" --mode {mode}")

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
