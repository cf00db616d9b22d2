"""What an interrupted run needs to go on as if nothing had happened."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from vidsim.files import write_folder, write_json
from vidsim.training.checkpoint_keeper import JUDGED_BY_SPEARMAN
from vidsim.training.tensor_file import save_tensors

_VARIABLES, _PROGRESS = "variables.safetensors", "progress.json"


@dataclass(frozen=True)
class TrainingState:
    """A run after some updates. Its data order needs no more than the number of the step.

    Attributes:
        step: batches done.
        best: the best checkpoint so far, as CheckpointKeeper describes it.
        last: the last one.
        judged_by: what the best one was chosen by, as CheckpointKeeper describes it.
        history: everything reported, as TrainingLog keeps it.
        seconds: time spent so far.
        variables: of Trainer.state; nothing at the beginning.
    """

    step: int = 0
    best: dict[str, Any] | None = None
    last: dict[str, Any] | None = None
    judged_by: Mapping[str, Any] = field(default_factory=lambda: dict(JUDGED_BY_SPEARMAN))
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    variables: Mapping[str, np.ndarray] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Writes the folder whole or not at all."""
        progress = {
            item.name: getattr(self, item.name)
            for item in dataclasses.fields(self)
            if item.name != "variables"
        }
        with write_folder(folder) as new:
            save_tensors(new / _VARIABLES, self.variables)
            write_json(new / _PROGRESS, progress)

    @classmethod
    def load(cls, folder: Path) -> "TrainingState":
        """Reads what `save` wrote."""
        progress = json.loads((folder / _PROGRESS).read_text(encoding="utf-8"))
        return cls(**progress, variables=load_file(str(folder / _VARIABLES)))
