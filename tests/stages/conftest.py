"""A finetuning small enough to be run some dozens of times, and what it must end with."""

import json
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from vidsim.config import Common
from vidsim.files import file_digest
from vidsim.recipes import uniter
from vidsim.recipes.sizes import at_size
from vidsim.records.fold_manifest import FoldEntry, FoldManifest, write_folds
from vidsim.records.pairs import Pairs
from vidsim.records.video import Video
from vidsim.records.video_table import load_videos
from vidsim.records.writer import thin_pair_records, write_records, write_videos
from vidsim.stages.finetune import Finetuning
from vidsim.stages.training_records import FinetuneRecords
from vidsim.tasks.similarity.pair_source import FoldPairs


class OneFold:
    """The `Folds` of a task that has one: 12 pairs to train on."""

    fewest, folds, settings = 12, (0,), MappingProxyType({})

    def __init__(self, data):
        self.data = data

    def hashes(self, fold):
        return self.data.hashes

    def titles(self):
        return self.data.train_videos.titles

    def widths(self):
        return {"frames": 1536}


@pytest.fixture(scope="session")
def build_finetuning(videos, tmp_path_factory):
    """`build_finetuning(**flags)(run_dir, ratings)` finetunes on made pairs; traced once.

    3 updates, validated after 2 and 3, a state after each.
    """
    folder = tmp_path_factory.mktemp("tags")
    (folder / "tag_list.txt").write_text("10\n20\n30\n40\n")
    rng = np.random.default_rng(0)
    ids = videos.ids[rng.permutation(40)]
    train = Pairs(ids[:12], ids[12:24], rng.random(12).astype("float32"))
    usual = {"batch_size": 4, "total_steps": 3, "epochs": 99, "eval_freq": 2, "print_freq": 2}
    usual |= {"save_seconds": 0, "pretrain_model_dir": "none", "word_dropout": 0.2}

    def fold(ratings=(0.1, 0.9, 0.3, 0.8, 0.5, 0.2)):
        val = Pairs(ids[24:30], ids[30:36], np.array(ratings, "float32"))
        return FoldPairs(0, train, videos, val, videos)

    def build(**flags):
        source = OneFold(fold())
        recipe = at_size(uniter.recipe(), "tiny").but(finetune=usual | flags)
        common = Common(data_dir=folder, save_dir=folder)
        stage = Finetuning(common, recipe, source, FinetuneRecords(common, recipe, source, None))

        def run(run_dir, *ratings):
            source.data = fold(*ratings)
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


# --- What the stages before the ensemble leave, on made embeddings --------------------------------


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


class World:
    """A data folder and a save folder as the earlier stages leave them.

    Every video has a true vector; people rate a pair by its cosine. A model's embedding is the
    truth, in a basis of the model's own, plus its own noise.
    """

    SIZE = 12
    RECIPES = ("mix", "uniter")
    TEST_IDS = tuple(str(10**18 + n) for n in range(40))
    TRAIN_IDS = tuple(str(2 * 10**18 + n) for n in range(50))
    FOLDS, FOLD_PAIRS, LEFT_OUT = 2, 30, 5

    def __init__(self, root):
        self.common = Common(
            data_dir=root / "data",
            save_dir=root / "save",
            recipes=",".join(self.RECIPES),
            output_zip=root / "out" / "result.zip",
        )
        self.rng = np.random.default_rng(0)
        ids = self.TEST_IDS + self.TRAIN_IDS
        self.truth = dict(zip(ids, self.rng.standard_normal((len(ids), self.SIZE)), strict=True))
        self._write_data()
        for recipe in self.RECIPES:
            for fold in range(self.FOLDS):
                self.write_members(recipe, fold)

    def _write_data(self):
        data = self.common.data_dir
        frames = np.zeros((1, 1536), np.float16)
        write_videos(
            data / "test_b" / "test_b.tfrecords",
            [Video(name, "", frames) for name in self.TEST_IDS],
        )
        self.write_labels(data / "test_b" / "label.tsv", self.rated(self.TEST_IDS, 60))
        rated = self.rated(self.TRAIN_IDS, self.FOLDS * self.FOLD_PAIRS + self.LEFT_OUT)
        self.write_labels(data / "pairwise" / "label.tsv", rated)
        self.val = [
            rated[n * self.FOLD_PAIRS : (n + 1) * self.FOLD_PAIRS] for n in range(self.FOLDS)
        ]
        entries = []
        for fold, part in enumerate(self.val):
            name = f"{fold * self.FOLD_PAIRS}-{(fold + 1) * self.FOLD_PAIRS - 1}val"
            id_1, id_2, sim = map(list, zip(*part, strict=True))
            pairs = Pairs.from_lists([n.encode() for n in id_1], [n.encode() for n in id_2], sim)
            write_records(data / "pairwise" / name / "val.tfrecord", thin_pair_records(pairs))
            entries.append(FoldEntry(fold, name, 35, self.FOLD_PAIRS, 40, 30))
        write_folds(data, FoldManifest({}, {}, tuple(entries)))

    def rated(self, ids, count):
        """Rows (id_1, id_2, sim) of different pairs."""
        chosen = set()
        while len(chosen) < count:
            a, b = sorted(self.rng.choice(len(ids), 2, replace=False).tolist())
            chosen.add((ids[a], ids[b]))
        return [
            (a, b, round((1 + _cosine(self.truth[a], self.truth[b])) / 2, 4))
            for a, b in sorted(chosen)
        ]

    @staticmethod
    def write_labels(path, rows):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{a}\t{b}\t{sim}\n" for a, b, sim in rows))

    def write_members(self, recipe, fold, noise=0.7, test=None):
        """Embeddings of the fold's validation videos, and of the test videos or those of `test`."""
        folder = self.common.save_dir / "inference" / recipe
        basis = np.random.default_rng(len(recipe)).standard_normal((self.SIZE, self.SIZE))
        basis = np.linalg.qr(basis)[0]  # the same for all folds of a recipe
        val_ids = sorted({name for a, b, _ in self.val[fold] for name in (a, b)})
        name = f"fold{fold}" if test is None else f"{test}/fold{fold}"
        for ids, place in ((self.TEST_IDS, name), (val_ids, f"fold{fold}_val")):
            vectors = np.array([self.truth[name] for name in ids]) @ basis
            vectors += noise * self.rng.standard_normal(vectors.shape)
            path = folder / f"{place}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, id=ids, embedding=vectors.astype(np.float32))

    def write_run(self, recipe, fold, test=None, **flags):
        """A finetuning with one checkpoint, and inference's record that names it."""
        run = self.common.save_dir / "finetune" / recipe / f"fold{fold}"
        (run / "ckpt-7").mkdir(parents=True, exist_ok=True)
        (run / "ckpt-7" / "config.json").write_text(json.dumps([recipe, fold, flags]))
        best = {"folder": "ckpt-7", "step": 7}
        (run / "checkpoints.json").write_text(json.dumps({"best": best, "last": best}))
        finetune = {"optimizer": {"lr": 0.002}, "batch_size": 32} | flags
        record = {
            "format": 2,
            "checkpoint": file_digest(run / "ckpt-7" / "config.json"),
            "run": {"recipe": recipe, "seed": 5, "finetune": finetune},
            "data": {"test": {"videos": self.test_digest()}},
        }
        self.record(recipe, fold, test).write_text(json.dumps(record))
        return run

    def record(self, recipe, fold, test=None):
        """Where inference's record is."""
        return self.common.save_dir / "inference" / recipe / (test or "") / f"fold{fold}.json"

    def test_digest(self):
        return load_videos(self.common.data_dir / "test_b" / "test_b.tfrecords").digest

    def member(self, recipe, name):
        with np.load(self.common.save_dir / "inference" / recipe / f"{name}.npz") as arrays:
            return dict(zip(arrays["id"].tolist(), arrays["embedding"], strict=True))

    def report(self):
        return json.loads((self.common.save_dir / "ensemble" / "report.json").read_text())

    def config(self):
        return json.loads((self.common.save_dir / "ensemble" / "config.json").read_text())


def _cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
