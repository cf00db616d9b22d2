"""The graph of the stages: what is done is left out, what is needed comes first."""

import subprocess
import sys

import pytest

from vidsim.cluster.job import Resources
from vidsim.cluster.stage_jobs import StageJobs, given_words
from vidsim.config import Common
from vidsim.config_fields import override
from vidsim.recipes import mix, uniter
from vidsim.stages.plan import DONE, StageState
from vidsim.tasks.similarity.configs import WriteTfrecordConfig

MIX, UNITER = mix.recipe(), uniter.recipe()
MODEL, OTHER = Resources(1, 1), Resources(1)


class Planned:
    """A plan of two recipes and two folds; mix is pretrained, and its fold 0 is done."""

    runs = (
        StageState("pretrain", MIX, None, DONE),
        StageState("pretrain", UNITER, None, "to do"),
        *(
            StageState(stage, recipe, fold, DONE if recipe is MIX and fold == 0 else "to do")
            for stage in ("finetune", "inference")
            for recipe in (MIX, UNITER)
            for fold in (0, 1)
        ),
    )


def jobs_of(**flags):
    common = override(Common(), flags, "flag")
    folds = override(WriteTfrecordConfig(), {"make_sample": True}, "flag")
    made = StageJobs(common, folds, MODEL, OTHER)
    return made.write_folds(), {job.name: job for job in made.of_plan(Planned())}


def test_the_graph():
    first, jobs = jobs_of(size="tiny", recipes="mix,uniter", folds="0,1", redo=True)
    assert first.name == "write_tfrecord" and first.resources == OTHER
    assert first.words[-1] == "--make-sample"
    assert list(jobs) == [
        "pretrain/uniter",
        "finetune/mix/fold1",
        "finetune/uniter/fold0",
        "finetune/uniter/fold1",
        "inference/mix/fold1",
        "inference/uniter/fold0",
        "inference/uniter/fold1",
        "ensemble",
    ]
    assert jobs["finetune/uniter/fold1"].needs == ("write_tfrecord", "pretrain/uniter")
    assert jobs["inference/uniter/fold1"].needs == ("write_tfrecord", "finetune/uniter/fold1")
    assert jobs["ensemble"].needs == tuple(list(jobs)[:-1])
    assert jobs["finetune/mix/fold1"].words == (
        *("finetune", "--size=tiny", "--redo"),
        *("--recipes=mix", "--folds=1"),
    )
    assert jobs["ensemble"].words[-1] == "--redo" and "--folds=0,1" in jobs["ensemble"].words
    assert jobs["finetune/mix/fold1"].resources == MODEL and jobs["ensemble"].resources == OTHER


def test_the_names_of_runs_are_in_the_jobs():
    _, jobs = jobs_of(run_name="b")
    assert jobs["inference/mix@b/fold1"].needs[1] == "finetune/mix@b/fold1"
    assert "--run-name=b" in jobs["inference/mix@b/fold1"].words


def test_only_flags_that_were_given_go_on():
    assert given_words(Common()) == ()
    assert given_words(override(Common(), {"redo": False, "seed": 1}, "flag")) == (
        "--no-redo",
        "--seed=1",
    )


@pytest.mark.parametrize("module", ["run", "shared_work", "show", "ray_tasks", "local"])
def test_the_scheduler_does_not_load_tensorflow(module):
    """It would take hold of the GPU that a job needs."""
    code = f"import sys, vidsim.cluster.{module}\n"
    code += "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'torch')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
