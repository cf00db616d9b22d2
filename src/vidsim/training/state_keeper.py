"""Keeps the latest training state of a run, so that a kill costs some minutes and nothing else."""

import shutil
from pathlib import Path

from safetensors import SafetensorError

from vidsim.errors import VidsimError
from vidsim.files import remove_leftovers
from vidsim.training.checkpoint_keeper import numbered_folders
from vidsim.training.training_state import TrainingState


class StateKeeper:
    """The states of one run, folders ``state-<step>``.

    Each has a name of its own and the older one is removed after the newer one is whole: whenever
    the process is killed, one state is there.

    Args:
        run_dir: the run's folder.
    """

    def __init__(self, run_dir: Path):
        self.run_dir = run_dir

    def latest(self) -> TrainingState | None:
        """The newest state; None where there is none.

        Raises:
            VidsimError: it cannot be read.
        """
        folders = self._folders()
        if not folders:
            return None
        try:
            return TrainingState.load(folders[-1])
        except (OSError, ValueError, TypeError, SafetensorError) as error:
            raise VidsimError(
                f"{folders[-1]}: not a saved state ({error}); remove it to start the run anew"
            ) from error

    def keep(self, state: TrainingState) -> None:
        """Writes the state, then removes every other."""
        newest = self.run_dir / f"state-{state.step}"
        state.save(newest)
        for folder in self._folders():
            if folder != newest:
                shutil.rmtree(folder)

    def clear(self) -> None:
        """Removes all states, and what was being written when the run was killed."""
        remove_leftovers(self.run_dir)
        for folder in self._folders():
            shutil.rmtree(folder)

    def _folders(self) -> list[Path]:
        """Oldest first."""
        return numbered_folders(self.run_dir, "state")
