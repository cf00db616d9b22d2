"""`vidsim run`: all stages as jobs, on this machine or on many. Files say what is done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vidsim.cluster.configs import ExecutorConfig
from vidsim.cluster.display import Display
from vidsim.cluster.executor import Executor, make_executor
from vidsim.cluster.job import Resources
from vidsim.cluster.node_check import Places
from vidsim.cluster.scheduler import Scheduler
from vidsim.cluster.stage_jobs import StageJobs
from vidsim.cluster.status import RunStatus, State
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.locks import sole_process
from vidsim.recipes import registry
from vidsim.recipes.recipe import Recipe
from vidsim.stages.plan import DONE, Plan
from vidsim.tasks.configs import FoldConfig

LOGS, STATUS = "logs", "cluster/status.json"


@dataclass
class JobRunner:
    """What runs jobs for one save folder, as long as it is held."""

    executor: Executor
    scheduler: Scheduler
    status: RunStatus
    display: Display

    def finish(self) -> None:
        """The table in the end.

        Raises:
            VidsimError: a job failed.
        """
        self.display.report(self.status)
        left = len(self.status.jobs) - len(self.status.of(State.DONE))
        if left:
            raise VidsimError(
                f"{left} of {len(self.status.jobs)} jobs are not done; the same command "
                "goes on from here"
            )


@contextmanager
def job_runner(
    config: ExecutorConfig,
    save: Path,
    command: str,
    compared: Path | None = None,
    seen: Sequence[Path] = (),
) -> Iterator[JobRunner]:
    """Holds a save folder, and an executor whose nodes have been compared.

    Args:
        config: of the executor.
        save: folder for logs and the status; all nodes must see it.
        command: as it was typed.
        compared: folder whose files must be equal on all nodes; left out while it is not there.
        seen: files and folders that they must see as well.

    Raises:
        VidsimError: another run of jobs has the folder, or a node cannot take part.
    """
    logs = save / LOGS
    with sole_process(save / "cluster"):
        executor = make_executor(config, logs)
        display, status = Display(logs), RunStatus(save / STATUS, command)
        try:
            compared = compared.absolute() if compared and compared.exists() else None
            read = tuple(path.absolute() for path in seen)
            executor.check(Places(save.absolute(), compared, read))
            scheduler = Scheduler(executor, config.retries, status, display)
            yield JobRunner(executor, scheduler, status, display)
        finally:
            display.close()
            executor.close()
            if status.jobs:
                status.end()


def run(
    common: Common,
    folds: FoldConfig,
    config: ExecutorConfig,
    recipes: list[Recipe],
    command: str,
) -> None:
    """Does everything that is not done yet, from folds to the blend.

    Args:
        common: as of every stage; the flags that were given go on to the jobs.
        folds: of write_tfrecord.
        config: of the executor.
        recipes: at their size.
        command: as it was typed.

    Raises:
        VidsimError: what plan would stop with; a node that cannot take part; jobs that failed.
        Interrupted: Ctrl-C; running jobs have saved their states.
    """
    with job_runner(config, common.save_dir, command, common.data_dir, _read(common)) as runner:
        other = Resources(runner.executor.cpus_per_job, 0, config.memory_per_job)
        jobs = StageJobs(common, folds, model_resources(config, runner.executor), other)
        plan, fine = _planned(common, folds, recipes), True
        if plan.folds != DONE:
            fine = runner.scheduler.run([jobs.write_folds()])
            plan = _planned(common, folds, recipes) if fine else plan
        if fine:
            runner.scheduler.run(jobs.of_plan(plan))
        runner.finish()


def _read(common: Common) -> list[Path]:
    """Files and folders that flags name: of encoders, and recipes of one's own."""
    named = [*(common.bert_dir or "").split(","), *registry.words(common.recipes).values()]
    return [path for name in named if name.strip() and (path := Path(name.strip())).exists()]


def _planned(common: Common, folds: FoldConfig, recipes: list[Recipe]) -> Plan:
    """The plan, printed.

    Raises:
        VidsimError: something is in the way.
    """
    plan = Plan(common, folds, recipes)
    for line in plan.lines():
        print(line, flush=True)
    if plan.refusals:
        raise VidsimError("\n".join(plan.refusals))
    return plan


def model_resources(config: ExecutorConfig, executor: Executor) -> Resources:
    """What a job occupies that trains a model or computes with one."""
    gpus = config.gpus_per_job
    if gpus is None:
        gpus = 1.0 if executor.has_gpus else 0.0
    return Resources(executor.cpus_per_job, gpus, config.memory_per_job)
