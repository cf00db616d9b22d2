"""Folds of the data: what finetuning trains on and validates. A task says how they are cut."""

from pathlib import Path

from vidsim.config import Common
from vidsim.locks import sole_process
from vidsim.records.sample import write_sample
from vidsim.tasks.configs import FoldConfig
from vidsim.tasks.registry import find_task


def run(common: Common, config: FoldConfig) -> None:
    """Writes the folds of --task, unless they are there.

    Args:
        common: `task`, `data_dir`, `save_dir`, `fold_seed`, `redo` and `on_bad_record` are used.
        config: of the task's `fold_config`.

    Raises:
        VidsimError: the folds that are there were made otherwise; files are missing or damaged, or
            the data do not suffice for so many folds.
    """
    common.check_fields()
    config.check_fields()
    task = find_task(common)
    if config.make_sample:
        _make_sample(common.data_dir)
    task.write_folds(common, config)


def _make_sample(data_dir: Path) -> None:
    """Into a data folder that is not there yet."""
    with sole_process(data_dir):
        if not (data_dir / "pairwise").exists():
            write_sample(data_dir)
            print(f"write_tfrecord: made a SAMPLE data set in {data_dir}: made-up videos")
