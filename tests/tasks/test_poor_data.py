"""Story: data without ratings, tags and test_b go as far as they can, and say so."""

import json

import numpy as np
import pytest

from vidsim.cli import main
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.recipes import uniter
from vidsim.recipes.recipe import PretrainConfig, without_tags
from vidsim.records.sample import write_sample
from vidsim.records.video import Video
from vidsim.records.video_table import load_videos
from vidsim.records.writer import write_videos
from vidsim.stages.training_records import PretrainFiles
from vidsim.tasks.data_files import open_tags
from vidsim.tasks.pretrain_validation import HeldOutLoss


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """200 videos without a tag, and nothing else."""
    folder = tmp_path_factory.mktemp("poor") / "data"
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(200, 2, 1536)).astype("float16")
    videos = [Video(str(n), f"title {n % 7}", frames[n]) for n in range(200)]
    write_videos(folder / "pointwise" / "a.tfrecords", videos)
    return folder


def test_held_out_videos(data):
    """2 % of 200 is 4, less than a batch: one batch. Decided by the id's hash, not its place."""
    table = load_videos(data / "pointwise" / "a.tfrecords")
    held = HeldOutLoss(table, 16)
    assert held.count == len(held.rows) == 16
    assert sorted([*held.rows, *held.training_rows()]) == list(range(200))
    turned = table.take(np.arange(200)[::-1])
    other = HeldOutLoss(turned, 16)
    assert set(turned.ids[other.rows]) == set(table.ids[held.rows])
    assert HeldOutLoss(table, 2).count == 4
    with pytest.raises(VidsimError, match=r"holds out a batch of 101 .* needs another one"):
        HeldOutLoss(table, 101)


def test_tags_are_needed_only_where_videos_have_some(data, tmp_path):
    common = Common(data_dir=data, save_dir=tmp_path)
    found = PretrainFiles(common).open(PretrainConfig(batch_size=8))
    assert len(found.tags) == 0
    assert set(found.hashes) == {"videos", "held_out", "tags"}
    assert len(found.training()) == 192
    write_sample(tmp_path / "sample")
    (tmp_path / "sample" / "tag_list.txt").unlink()
    sample = Common(data_dir=tmp_path / "sample", save_dir=tmp_path)
    with pytest.raises(VidsimError, match=r"tag_list.txt: cannot be read"):
        PretrainFiles(sample).open(PretrainConfig())
    with pytest.raises(VidsimError, match=r"named.txt: cannot be read"):
        open_tags(common, PretrainConfig(multi_label_file=tmp_path / "named.txt"))
    config, dropped = without_tags(uniter.recipe().pretrain)
    assert (config.tag.weight, config.masked_lm.weight) == (0, 10)
    assert dropped == ["tag loss"]


@pytest.mark.slow
def test_every_command(data, tmp_path, capsys):
    """Pretraining by its own loss; then ratings come, and still there are no tags and no test_b."""
    common = ["--data-dir", str(data), "--save-dir", str(tmp_path / "save"), "--size", "tiny"]
    common += ["--recipes", "uniter", "--folds", "0"]
    zip_file = tmp_path / "result.zip"
    short = ["--total-steps", "4", "--eval-freq", "2", "--batch-size", "16"]
    assert main(["pretrain", *common, *short]) == 0
    out = capsys.readouterr().out
    assert out.count("there are no tags, so no tag loss") == 1
    assert out.count("validated by its own loss on 16 held-out videos of 200") == 1
    run = tmp_path / "save" / "pretrain" / "uniter"
    kept = json.loads((run / "checkpoints.json").read_text())
    assert (kept["metric"], kept["greater_is_better"]) == ("loss", False)
    history = json.loads((run / "metrics.json").read_text())["history"]
    losses = {entry["step"]: entry["val_loss"] for entry in history if "val_loss" in entry}
    assert set(losses) == {2, 4} and kept["best"]["step"] == min(losses, key=losses.get)
    assert main(["pretrain", *common, *short]) == 0
    assert "done already" in capsys.readouterr().out

    rate(data / "pairwise")
    assert main(["write_tfrecord", *common, "--num-folds", "2"]) == 0
    finetune = ["--total-steps", "4", "--eval-freq", "2", "--batch-size", "8"]
    assert main(["finetune", *common, *finetune, "--pretrain-model-dir", str(run)]) == 0
    assert f"(loss {kept['best']['loss']:.4f})" in capsys.readouterr().out
    assert main(["inference", *common]) == 0
    assert "there is no" in capsys.readouterr().out
    made = tmp_path / "save" / "inference" / "uniter"
    assert (made / "fold0_val.npz").exists() and not (made / "fold0.npz").exists()
    assert main(["inference", *common]) == 0
    assert "done already" in capsys.readouterr().out
    assert main(["ensemble", *common, "--output-zip", str(zip_file)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"test_b.tfrecords is not there: marks out of fold, and no {zip_file}" in out
    assert not zip_file.exists()
    report = json.loads((tmp_path / "save" / "ensemble" / "report.json").read_text())
    assert report["pairs"]["out_of_fold"] == 20
    assert report["spearman"]["ensemble"]["test_b"] is None


def rate(folder):
    """40 videos and as many rated pairs."""
    rng = np.random.default_rng(1)
    frames = rng.normal(size=(40, 2, 1536)).astype("float16")
    rated = [Video(str(n), f"title {n % 7}", frames[n]) for n in range(40)]
    write_videos(folder / "pairwise.tfrecords", rated)
    lines = [f"{n}\t{(n + 1) % 40}\t{(n % 10) / 10}\n" for n in range(40)]
    (folder / "label.tsv").write_text("".join(lines))
