"""Flags of what changes how weights are updated: an average of them, and attacks on the words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from vidsim.config_fields import Config, Range

_Norm = Annotated[float, Range(0, 1e6)]


@dataclass(frozen=True)
class TricksConfig(Config):
    """Flags of EMA, FGM and PGD. What may be combined is in docs/training_tricks.md."""

    ema: Annotated[float, Range(0, 1, below=True)] = 0.0
    """Decay of an exponential moving average of all trained weights, such as 0.999: the averaged
    weights are validated and saved. 0: no average."""
    fgm: _Norm = 0.0
    """FGM: norm of the displacement of the word embeddings along their gradient, under which a
    second gradient is taken and added. 0: no FGM."""
    pgd_steps: Annotated[int, Range(0, 100)] = 0
    """PGD: displacements one after another, each with a gradient of its own; that of the last is
    added to the gradient without displacement. 0: no PGD."""
    pgd_alpha: Annotated[float, Range(0, 1e6, above=True)] = 0.3
    """PGD: norm of one displacement."""
    pgd_eps: Annotated[float, Range(0, 1e6, above=True)] = 1.0
    """PGD: greatest norm of all displacements together."""

    @property
    def attack(self) -> tuple[int, float, float] | None:
        """Displacements, the norm of each, and the greatest norm; None where there is no attack."""
        if self.fgm:
            return 1, self.fgm, self.fgm
        return (self.pgd_steps, self.pgd_alpha, self.pgd_eps) if self.pgd_steps else None

    def contradictions(self) -> Iterator[str]:
        if self.fgm and self.pgd_steps:
            yield f"{self.said('fgm')} with {self.said('pgd_steps')}: FGM is PGD of one step"
        for name in ("pgd_alpha", "pgd_eps"):
            if self.origin(name) == "flag" and not self.pgd_steps:
                yield f"{self.said(name)} does nothing without --pgd-steps"
