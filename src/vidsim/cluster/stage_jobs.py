"""The stages as jobs: folds, pretrainings, finetunings after theirs, inferences after these."""

from collections.abc import Iterator

from vidsim.cluster.job import Job, Resources
from vidsim.config import Common
from vidsim.config_fields import Config, flag, leaves
from vidsim.stages.plan import DONE, Plan

FOLDS, BLEND = "write_tfrecord", "ensemble"


def given_words(config: Config, *without: str) -> tuple[str, ...]:
    """The flags of a configuration that were given, as words; without those of some fields."""
    words: list[str] = []
    for owner, name, _, value in leaves(config):
        if owner.origin(name) != "flag" or name in without:
            continue
        if isinstance(value, bool):
            words.append(flag(name) if value else "--no-" + flag(name)[2:])
        else:
            words.append(f"{flag(name)}={value}")
    return tuple(words)


class StageJobs:
    """Makes the jobs of a run of all stages.

    Args:
        common: as of every stage.
        folds: of write_tfrecord alone.
        training: what a job of a model occupies.
        other: what the first and the last one occupy.
    """

    def __init__(self, common: Common, folds: Config, training: Resources, other: Resources):
        self._common, self._folds = common, given_words(folds)
        self._all, self._one = given_words(common), given_words(common, "recipes", "folds")
        self._training, self._other = training, other

    def write_folds(self) -> Job:
        """The folds: what the others are is known after it."""
        return Job(FOLDS, (FOLDS, *self._all, *self._folds), resources=self._other)

    def of_plan(self, plan: Plan) -> list[Job]:
        """All that is not done, in an order that begins with what others need."""
        jobs = list(self._models(plan))
        names = tuple(job.name for job in jobs)
        return [*jobs, Job(BLEND, (BLEND, *self._all), names, self._other)]

    def _models(self, plan: Plan) -> Iterator[Job]:
        for run in plan.runs:
            if run.state == DONE:
                continue
            recipe = self._common.run(run.recipe.name)
            words = [run.stage, *self._one, f"--recipes={run.recipe.word}"]
            name, needs = f"{run.stage}/{recipe}", [FOLDS]
            if run.fold is not None:
                words.append(f"--folds={run.fold}")
                before = {
                    "finetune": f"pretrain/{recipe}",
                    "inference": f"finetune/{recipe}/fold{run.fold}",
                }
                name, needs = f"{name}/fold{run.fold}", [*needs, before[run.stage]]
            yield Job(name, tuple(words), tuple(needs), self._training)
