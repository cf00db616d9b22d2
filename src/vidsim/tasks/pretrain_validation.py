"""What a pretraining is validated by: marks that a task's data have, or its own loss."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from vidsim.errors import VidsimError
from vidsim.records.video_table import VideoTable

if TYPE_CHECKING:
    from vidsim.models.task_model import TaskModel
    from vidsim.tasks.loaded_model import LoadedModel
    from vidsim.training.validation import Evaluator

HELD_OUT = 0.02
"""Share of the videos that pretraining validates by where nothing else is there."""


class PretrainValidation(Protocol):
    """What validates a pretraining.

    Attributes:
        note: what the user must know of it, said once; "" where there is nothing.
    """

    @property
    def note(self) -> str: ...

    @property
    def hashes(self) -> Mapping[str, str]:
        """Hashes of its contents by name: part of the pretraining's identity."""
        ...

    def titles(self) -> list[str]:
        """Texts that the vocabulary is trained on besides those of the training videos."""
        ...

    def training_rows(self) -> np.ndarray | None:
        """Which of the training videos are trained on; None: all."""
        ...

    def about(self) -> dict[str, Any]:
        """Counts, and whether it is made up, for metrics.json."""
        ...

    def evaluator(self, trained: "TaskModel", model: "LoadedModel", config: Any) -> "Evaluator":
        """Validates the current weights.

        Args:
            trained: the model in training.
            model: an EmbeddingModel of its backbone, and videos as its inputs.
            config: a PretrainConfig.
        """
        ...


class HeldOutLoss:
    """The loss of pretraining itself, on videos that it is not trained on.

    Which ones is decided by the hash of their ids, so that a video stays on its side when others
    are added around it, up to the border.

    Args:
        videos: all videos of pretraining.
        batch_size: of training; whole batches of it are held out, at least one.

    Raises:
        VidsimError: there are not two batches of videos.
    """

    def __init__(self, videos: VideoTable, batch_size: int):
        batches = max(1, int(len(videos) * HELD_OUT) // batch_size)
        self.count = batches * batch_size
        if len(videos) < self.count + batch_size:
            raise VidsimError(
                f"{videos}: {len(videos)} videos; without ratings pretraining holds out a batch of "
                f"{batch_size} (--batch-size) to validate on, and needs another one to train on"
            )
        self._videos, self._batch_size = videos, batch_size
        hashed = [hashlib.sha256(video).digest() for video in videos.ids.tolist()]
        order = np.array(sorted(range(len(hashed)), key=hashed.__getitem__))
        self.rows, self._training = np.sort(order[: self.count]), np.sort(order[self.count :])

    @property
    def note(self) -> str:
        return (
            f"there are no ratings (pairwise/label.tsv), so it is validated by its own loss on "
            f"{self.count} held-out videos of {len(self._videos)}; the smallest is the best"
        )

    @property
    def hashes(self) -> dict[str, str]:
        ids = b"\n".join(self._videos.ids[self.rows].tolist())
        return {"held_out": hashlib.sha256(ids).hexdigest()}

    def titles(self) -> list[str]:
        return []

    def training_rows(self) -> np.ndarray:
        return self._training

    def about(self) -> dict[str, Any]:
        return {"made_up_sample": False, "held_out_videos": self.count}

    def evaluator(self, trained: "TaskModel", model: "LoadedModel", config: Any) -> "Evaluator":
        from vidsim.preprocess.pipeline import Batches, pretraining_dataset
        from vidsim.training.loss_evaluator import LossEvaluator

        examples = model.examples(self._videos.take(self.rows))
        batches = Batches(self._batch_size, self.count // self._batch_size, 0)
        return LossEvaluator(
            trained, lambda: pretraining_dataset(examples, batches, config.corruption)
        )
