"""The ensemble: a task blends what inference left into its result, and reports what it is worth.

It needs neither a model nor TensorFlow, takes seconds, and so runs every time.
"""

from typing import Any

from vidsim.config import Common
from vidsim.tasks.registry import find_task


def run(common: Common, config: Any) -> None:
    """Blends the predictions of --task's runs.

    Args:
        common: folders, --task, --recipes, --folds.
        config: of the task's `ensemble_config`.

    Raises:
        VidsimError: predictions are missing, of other data or of other models than those of the
            runs, weights that do not fit, or a result that would not be accepted.
    """
    common.check_fields()
    config.check_fields()
    find_task(common).ensemble(common, config)
