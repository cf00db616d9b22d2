"""A finetuning small enough to be run some dozens of times, and what it must end with."""

import json
from pathlib import Path

import numpy as np
import pytest

from vidsim.config import Common
from vidsim.files import file_digest
from vidsim.recipes import mix
from vidsim.recipes.sizes import at_size
from vidsim.records.pairs import Pairs
from vidsim.stages.finetune import Finetuning
from vidsim.stages.pair_source import FoldPairs
from vidsim.stages.training_records import FinetuneRecords


@pytest.fixture(scope="session")
def build_finetuning(videos, tmp_path_factory):
    """`build_finetuning(**flags)(run_dir)` finetunes on made pairs; its graph is made once.

    3 updates, validated after 2 and 3, a state after each.
    """
    folder = tmp_path_factory.mktemp("tags")
    (folder / "tag_list.txt").write_text("10\n20\n30\n40\n")
    rng = np.random.default_rng(0)
    ids = videos.ids[rng.permutation(40)]
    train = Pairs(ids[:12], ids[12:24], rng.random(12).astype("float32"))
    usual = {"batch_size": 4, "total_steps": 3, "epochs": 99, "eval_freq": 2, "print_freq": 2}
    usual |= {"save_seconds": 0, "pretrain_model_dir": "none", "word_dropout": 0.2}

    class Source:
        fewest, folds = len(train), [0]

        def __init__(self, data):
            self.data = data

        def hashes(self, fold):
            return self.data.hashes

        def titles(self):
            return videos.titles

    def build(ratings=(0.1, 0.9, 0.3, 0.8, 0.5, 0.2), **flags):
        val = Pairs(ids[24:30], ids[30:36], np.array(ratings, "float32"))
        source = Source(FoldPairs(0, train, videos, val, videos))
        recipe = at_size(mix.recipe(), "tiny").but(finetune=usual | flags)
        common = Common(data_dir=folder, save_dir=folder)
        stage = Finetuning(common, recipe, source, FinetuneRecords(common, recipe, source, None))

        def run(run_dir):
            here = recipe.but(finetune={"savedmodel_path": run_dir})
            stage.records = FinetuneRecords(common, here, source, None)
            if not stage.is_done(0):
                stage.make(source.data, stage.records.of_fold(0))

        return run

    return build


@pytest.fixture(scope="session")
def finetuning(build_finetuning):
    return build_finetuning()


@pytest.fixture(scope="session")
def outcome():
    """`outcome(run_dir)`: what must be the same: checkpoints to the bit, no clock."""

    def read(run_dir: Path) -> dict:
        metrics = json.loads((run_dir / "metrics.json").read_text())
        clock = ("examples_per_s", "seconds_left")
        history = [{k: v for k, v in e.items() if k not in clock} for e in metrics["history"]]
        files = sorted(path for path in run_dir.rglob("*") if path.is_file())
        kept = [path.relative_to(run_dir) for path in files if path.name != "metrics.json"]
        digests = {str(p): file_digest(run_dir / p) for p in kept if p.parts[0] != "logs"}
        return {"history": history, "best": metrics["spearman"], "files": digests}

    return read
