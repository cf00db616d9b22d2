"""What is done and what is to do, known before TensorFlow is loaded; and one vocabulary for all."""

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.files import write_json
from vidsim.recipes import mix, uniter
from vidsim.recipes.recipe import FinetuneConfig
from vidsim.records.sample import write_sample
from vidsim.stages import plan, write_tfrecord
from vidsim.stages.prediction_records import PredictionRecords
from vidsim.stages.training_records import (
    FinetuneRecords,
    FoldSources,
    PretrainFiles,
    pretrain_record,
    titles_digest,
)
from vidsim.tasks.configs import InferenceConfig
from vidsim.tasks.registry import find_task
from vidsim.tasks.similarity.configs import WriteTfrecordConfig
from vidsim.tasks.similarity.pair_source import PairSource

FORMATS = Path(__file__).parents[1] / "formats"
RECIPES = [
    recipe.but(finetune={"pretrain_model_dir": "none"})
    for recipe in (mix.recipe(), uniter.recipe())
]


@pytest.fixture
def common(tmp_path):
    write_sample(tmp_path / "data")
    folders = {"data_dir": tmp_path / "data", "save_dir": tmp_path / "save"}
    return Common(**folders, recipes="mix,uniter", folds="0,1,2")


def states(common, capsys):
    """The lines of the plan, and what it refuses."""
    refused = ""
    try:
        plan.run(common, WriteTfrecordConfig(), RECIPES)
    except VidsimError as error:
        refused = str(error)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()], refused


def finish(record):
    record.start("t")
    (record.folder / "ckpt-1").mkdir()
    write_json(record.folder / "checkpoints.json", {"best": {"folder": "ckpt-1"}})
    record.finish()


def finish_some(common):
    """As if mix were pretrained, finetuned on two folds and a half, and embedded by one."""
    recipe = RECIPES[0]
    finish(pretrain_record(common, recipe, PretrainFiles(common).open(recipe.pretrain), None))
    records = FinetuneRecords(
        common, recipe, FoldSources(common, find_task(common)).open(recipe.finetune), None
    )
    for fold in (0, 1):
        finish(records.of_fold(fold))
        folder = records.folder(fold)
        about = {"family": "mix", "model": {}, "encoder": {}, "num_labels": 1, "sha256": {}}
        write_json(folder / "ckpt-1" / "config.json", about)
    records.of_fold(2).start("t")
    (records.folder(2) / "state-5").mkdir()
    embeddings = PredictionRecords(dataclasses.replace(common, recipes="mix"), InferenceConfig())
    embedded = embeddings.record("mix", 0)
    for job in embedded.jobs.values():
        job.path.parent.mkdir(parents=True, exist_ok=True)
        job.path.touch()
    embedded.finish()


def test_every_state(common, capsys):
    """From nothing to a finished recipe, then with another seed; no run is ever made here."""
    new = (["write_tfrecord to do", "the others known after that"], "")
    assert states(common, capsys) == new
    nowhere = dataclasses.replace(common, data_dir=common.data_dir / "nowhere")
    assert "label.tsv" in states(nowhere, capsys)[1]
    write_tfrecord.run(common, WriteTfrecordConfig(num_folds=3))
    lines, refused = states(common, capsys)
    assert "num_folds: 3 -> 11" in refused.replace("--num-folds", "num_folds")
    (common.data_dir / "pairwise" / "folds.json").unlink()
    write_tfrecord.run(common, WriteTfrecordConfig())
    capsys.readouterr()
    to_do = [f"{stage} to do: mix, uniter" for stage in ("pretrain", "finetune", "inference")]
    assert states(common, capsys)[0] == ["write_tfrecord done", *to_do, "ensemble to do, as always"]
    mine = dataclasses.replace(common, output_zip=common.data_dir / "tag_list.txt")
    assert "tag_list.txt" in states(mine, capsys)[1]

    finish_some(common)
    lines, refused = states(common, capsys)
    assert refused == ""
    assert lines[1:-1] == [
        "pretrain done: mix",
        "pretrain to do: uniter",
        "finetune done (folds 0-1), to go on with (fold 2): mix",
        "finetune to do: uniter",
        "inference done (fold 0), to do (folds 1-2): mix",
        "inference to do: uniter",
    ]

    other = dataclasses.replace(common, seed=7)
    lines, refused = states(other, capsys)
    assert lines[1] == "pretrain STOPS, see below: mix"
    assert "\n    seed: 42 -> 7\n" in refused
    lines, refused = states(dataclasses.replace(other, redo=True), capsys)
    assert refused == ""
    assert lines[1] == "pretrain to be made again: mix"
    assert lines[3].startswith("finetune to be made again: mix")


def test_it_loads_neither_tensorflow_nor_keras(common):
    code = "import sys; from vidsim.cli import main; main(); "
    code += "print({'keras', 'tensorflow'} & {*sys.modules})"
    flags = ["plan", "--data-dir", str(common.data_dir), "--save-dir", str(common.save_dir)]
    write_tfrecord.run(common, WriteTfrecordConfig())
    done = subprocess.run([sys.executable, "-c", code, *flags], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set()", done


def test_one_vocabulary_for_all_folds(common):
    """Self-contained folds alone, each with other videos: the same titles whichever are named."""
    labels = common.data_dir / "pairwise" / "label.tsv"
    labels.write_text("".join(labels.read_text().splitlines(keepends=True)[-30:]))
    write_tfrecord.run(common, WriteTfrecordConfig(num_folds=3, self_contained=True))
    pairwise = common.data_dir / "pairwise" / "pairwise.tfrecords"
    with_file = set(PairSource(common, FinetuneConfig()).titles())
    pairwise.rename(pairwise.with_suffix(".gone"))
    named = [dataclasses.replace(common, folds=folds) for folds in ("0", "1,2")]
    titles = [PairSource(one, FinetuneConfig()).titles() for one in named]
    assert titles[0] == titles[1]
    assert set(titles[0]) <= with_file
    assert titles_digest(titles[0]) != titles_digest(titles[0][:-1])


def test_exchanged_start_weights_are_noticed(common):
    """A finetuning asks for the files of its pretrained checkpoint whenever it is asked for."""
    write_tfrecord.run(common, WriteTfrecordConfig())
    folder = common.save_dir / "pretrain" / "mix"
    shutil.copytree(FORMATS / "format1" / "checkpoint", folder / "ckpt-4")
    write_json(folder / "checkpoints.json", {"best": {"folder": "ckpt-4"}})
    write_json(folder / "done.json", {})
    recipe, source = (
        mix.recipe(),
        FoldSources(common, find_task(common)).open(mix.recipe().finetune),
    )
    before = FinetuneRecords(common, recipe, source, None).of_fold(0).identity.fields["pretrained"]
    assert len(before) == 64
    weights = folder / "ckpt-4" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    with pytest.raises(VidsimError, match=r"model\.safetensors: damaged or exchanged"):
        FinetuneRecords(common, recipe, source, None)
