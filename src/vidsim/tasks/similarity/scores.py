"""What one recipe, or the ensemble of them, is worth: the row of the report's table."""

from dataclasses import dataclass

import numpy as np

ENSEMBLE = "ensemble"
"""The name that stands for the blend of all recipes wherever recipes are listed."""


@dataclass(frozen=True)
class Scores:
    """Spearman of one recipe or of the ensemble. NaN where cosines or ratings are constant."""

    folds: dict[int, float]
    """Fold number -> Spearman on its validation pairs, by the models of that fold."""
    out_of_fold: float
    """Spearman over the validation pairs of all folds together."""
    test_b: float | None = None
    """Spearman on the test pairs, by the mean of the folds; None without test labels."""

    @property
    def fold_mean(self) -> float:
        """Mean over the folds; free of differences in scale between the folds' cosines."""
        return float(np.mean(list(self.folds.values())))

    @property
    def fold_spread(self) -> float:
        """Standard deviation over the folds; 0 where there is only one."""
        values = list(self.folds.values())
        return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
