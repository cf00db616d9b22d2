"""From the files that inference leaves to result.zip and the report, on made embeddings."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.records.fold_manifest import FoldEntry, FoldManifest, write_folds
from vidsim.records.pairs import Pairs
from vidsim.records.video import Video
from vidsim.records.writer import thin_pair_records, write_records, write_videos
from vidsim.stages.configs import EnsembleConfig
from vidsim.stages.ensemble import run

SIZE = 12
RECIPES = ("mix", "uniter")
TEST_IDS = [str(10**18 + n) for n in range(40)]
TRAIN_IDS = [str(2 * 10**18 + n) for n in range(50)]
FOLDS, FOLD_PAIRS, LEFT_OUT = 2, 30, 5


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


class World:
    """A data folder and a save folder as the earlier stages leave them.

    Every video has a true vector; people rate a pair by its cosine. A model's embedding is the
    truth, in a basis of the model's own, plus its own noise.
    """

    def __init__(self, root):
        self.common = Common(
            data_dir=root / "data",
            save_dir=root / "save",
            recipes=",".join(RECIPES),
            output_zip=root / "out" / "result.zip",
        )
        self.rng = np.random.default_rng(0)
        ids = TEST_IDS + TRAIN_IDS
        self.truth = dict(zip(ids, self.rng.standard_normal((len(ids), SIZE)), strict=True))
        self._write_data()
        for recipe in RECIPES:
            for fold in range(FOLDS):
                self.write_members(recipe, fold)

    def _write_data(self):
        data = self.common.data_dir
        frames = np.zeros((1, 1536), np.float16)
        write_videos(
            data / "test_b" / "test_b.tfrecords", [Video(name, "", frames) for name in TEST_IDS]
        )
        self.write_labels(data / "test_b" / "label.tsv", self.rated(TEST_IDS, 60))
        rated = self.rated(TRAIN_IDS, FOLDS * FOLD_PAIRS + LEFT_OUT)
        self.write_labels(data / "pairwise" / "label.tsv", rated)
        self.val = [rated[n * FOLD_PAIRS : (n + 1) * FOLD_PAIRS] for n in range(FOLDS)]
        entries = []
        for fold, part in enumerate(self.val):
            name = f"{fold * FOLD_PAIRS}-{(fold + 1) * FOLD_PAIRS - 1}val"
            id_1, id_2, sim = map(list, zip(*part, strict=True))
            pairs = Pairs.from_lists([n.encode() for n in id_1], [n.encode() for n in id_2], sim)
            write_records(data / "pairwise" / name / "val.tfrecord", thin_pair_records(pairs))
            entries.append(FoldEntry(fold, name, 35, FOLD_PAIRS, 40, 30))
        write_folds(data, FoldManifest({}, {}, tuple(entries)))

    def rated(self, ids, count):
        """Rows (id_1, id_2, sim) of different pairs."""
        chosen = set()
        while len(chosen) < count:
            a, b = sorted(self.rng.choice(len(ids), 2, replace=False).tolist())
            chosen.add((ids[a], ids[b]))
        return [
            (a, b, round((1 + cosine(self.truth[a], self.truth[b])) / 2, 4))
            for a, b in sorted(chosen)
        ]

    @staticmethod
    def write_labels(path, rows):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{a}\t{b}\t{sim}\n" for a, b, sim in rows))

    def write_members(self, recipe, fold, noise=0.7):
        folder = self.common.save_dir / "inference" / recipe
        folder.mkdir(parents=True, exist_ok=True)
        basis = np.random.default_rng(len(recipe)).standard_normal((SIZE, SIZE))
        basis = np.linalg.qr(basis)[0]  # the same for all folds of a recipe
        val_ids = sorted({name for a, b, _ in self.val[fold] for name in (a, b)})
        for ids, end in ((TEST_IDS, ""), (val_ids, "_val")):
            vectors = np.array([self.truth[name] for name in ids]) @ basis
            vectors += noise * self.rng.standard_normal(vectors.shape)
            np.savez(folder / f"fold{fold}{end}.npz", id=ids, embedding=vectors.astype(np.float32))

    def member(self, recipe, name):
        with np.load(self.common.save_dir / "inference" / recipe / f"{name}.npz") as arrays:
            return dict(zip(arrays["id"].tolist(), arrays["embedding"], strict=True))

    def report(self):
        return json.loads((self.common.save_dir / "ensemble" / "report.json").read_text())


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def submitted(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("result.json"))


def score(vectors, rows):
    return spearmanr([cosine(vectors[a], vectors[b]) for a, b, _ in rows], [r[2] for r in rows])[0]


def test_story(world, capsys):
    """What is written is the blend by the formula, and what is reported is what it scores."""
    run(world.common, EnsembleConfig(weights="mix=3,uniter=1", blend="sum"))
    result = submitted(world.common.output_zip)
    assert list(result) == TEST_IDS
    unit = {
        (recipe, fold, name): vector / np.linalg.norm(vector)
        for recipe in RECIPES
        for fold in range(FOLDS)
        for name, vector in world.member(recipe, f"fold{fold}").items()
    }
    for name in TEST_IDS:
        means = [(unit[recipe, 0, name] + unit[recipe, 1, name]) / 2 for recipe in RECIPES]
        mix, uniter = (mean / np.linalg.norm(mean) for mean in means)
        np.testing.assert_allclose(result[name], 0.75 * mix + 0.25 * uniter, atol=1e-3)

    spearman = world.report()["spearman"]
    pooled = []
    for fold, rows in enumerate(world.val):
        vectors = world.member("mix", f"fold{fold}_val")
        assert spearman["mix"]["folds"][str(fold)] == pytest.approx(score(vectors, rows))
        pooled += [(cosine(vectors[a], vectors[b]), sim) for a, b, sim in rows]
    assert spearman["mix"]["out_of_fold"] == pytest.approx(spearmanr(*zip(*pooled, strict=True))[0])
    labels = (world.common.data_dir / "test_b" / "label.tsv").read_text().splitlines()
    rows = [(a, b, float(sim)) for a, b, sim in (line.split("\t") for line in labels)]
    vectors = {name: np.array(vector) for name, vector in result.items()}
    assert spearman["ensemble"]["test_b"] == pytest.approx(score(vectors, rows), abs=1e-6)
    assert world.report()["pairs"] == {"out_of_fold": 60, "left_out": LEFT_OUT, "test_b": 60}

    printed = capsys.readouterr().out
    last = printed.splitlines()[-1]
    size = world.common.output_zip.stat().st_size / 1000
    assert last == f"{world.common.output_zip}: {size:.1f} kB, 40 videos, checked"
    assert f"{spearman['ensemble']['out_of_fold']:.4f}" in printed
    assert "weights as given, scaled to add up to one: mix 0.7500, uniter 0.2500" in printed
    assert "60 of 80 validation videos are in other pairs of the training part" in printed
    assert (world.common.save_dir / "ensemble" / "report.png").stat().st_size > 10_000


@pytest.mark.parametrize("method", ["aligned", "svd"])
def test_the_other_blends_undo_the_bases(world, method):
    """Two noisy views of one truth: blended without cross-terms they beat either alone."""
    run(world.common, EnsembleConfig(blend=method))
    spearman = world.report()["spearman"]
    for part in ("out_of_fold", "test_b"):
        alone = [spearman[recipe][part] for recipe in RECIPES]
        assert spearman["ensemble"][part] > max(alone) + 0.01
    assert {len(vector) for vector in submitted(world.common.output_zip).values()} <= {
        SIZE if method == "aligned" else 2 * SIZE
    }


def test_the_same_files_make_the_same_bytes(world):
    run(world.common, EnsembleConfig())
    first = world.common.output_zip.read_bytes()
    run(world.common, EnsembleConfig())
    assert world.common.output_zip.read_bytes() == first
    run(world.common, EnsembleConfig(raw=True))
    assert world.common.output_zip.read_bytes() != first


def test_the_configuration_is_kept(world):
    run(replace(world.common, folds="1"), EnsembleConfig(blend="svd"))
    config = json.loads((world.common.save_dir / "ensemble" / "config.json").read_text())
    assert config["ensemble"]["blend"] == "svd"
    assert config["common"]["folds"] == "1"
    assert config["weights"] == {"mix": pytest.approx(17 / 30), "uniter": pytest.approx(13 / 30)}
    assert config["folds"] == [1]
    assert [path.split("inference/")[1] for path in config["files"]] == [
        "mix/fold1.npz",
        "mix/fold1_val.npz",
        "uniter/fold1.npz",
        "uniter/fold1_val.npz",
    ]


def test_missing_members_are_named_with_the_command(world):
    inference = world.common.save_dir / "inference"
    (inference / "uniter" / "fold1.npz").unlink()
    with pytest.raises(VidsimError) as error:
        run(world.common, EnsembleConfig())
    flags = f"--data-dir {world.common.data_dir} --save-dir {world.common.save_dir}"
    assert "1 of 8 files" in str(error.value)
    assert str(inference / "uniter" / "fold1.npz") in str(error.value)
    assert f"python inference {flags} --recipes uniter --folds 1\n" in str(error.value)
    assert not world.common.output_zip.exists()


def test_named_folds_need_no_others(world, capsys):
    (world.common.save_dir / "inference" / "uniter" / "fold1.npz").unlink()
    run(replace(world.common, folds="0"), EnsembleConfig())
    assert list(world.report()["spearman"]["mix"]["folds"]) == ["0"]
    assert world.report()["pairs"]["left_out"] == FOLD_PAIRS + LEFT_OUT
    assert "folds: 0, as named by --folds; there are 2" in capsys.readouterr().out
    with pytest.raises(VidsimError, match=r"--folds 1\n"):
        run(replace(world.common, folds="1"), EnsembleConfig())


def test_a_recipe_of_ones_own_counts_as_the_mean_of_the_published(world, tmp_path, capsys):
    own = tmp_path / "own.py"
    own.write_text("")
    for fold in range(FOLDS):
        world.write_members("own", fold)
    common = replace(world.common, recipes=f"mix,{own}")
    run(common, EnsembleConfig())
    assert "their mean for own, which have none" in capsys.readouterr().out
    assert list(world.report()["spearman"]) == ["mix", "own", "ensemble"]


def test_without_test_labels_there_is_no_test_column(world, capsys):
    (world.common.data_dir / "test_b" / "label.tsv").unlink()
    run(world.common, EnsembleConfig())
    assert world.report()["spearman"]["ensemble"]["test_b"] is None
    assert "test_b" not in capsys.readouterr().out


def test_labels_of_other_test_videos(world):
    labels = world.common.data_dir / "test_b" / "label.tsv"
    labels.write_text(f"{TEST_IDS[0]}\t404\t0.5\n{TEST_IDS[0]}\t{TEST_IDS[1]}\t0.1\n")
    with pytest.raises(
        VidsimError, match=r"label\.tsv:1: no video 404 among the \d+ videos of .*test_b"
    ):
        run(world.common, EnsembleConfig())


def test_the_file_flags(world, tmp_path):
    videos = world.common.data_dir / "test_b" / "test_b.tfrecords"
    elsewhere = tmp_path / "elsewhere" / "videos.tfrecords"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(videos.read_bytes())
    labels = tmp_path / "labels.tsv"
    world.write_labels(labels, world.val[0])
    run(world.common, EnsembleConfig(test_b_file=elsewhere, annotation_file=labels))
    assert world.report()["pairs"] == {"out_of_fold": 60, "left_out": 0, "test_b": 0}


def test_embeddings_of_an_older_model_are_noticed(world, capsys):
    run(world.common, EnsembleConfig())
    value = world.report()["spearman"]["mix"]["folds"]["1"]
    metrics = world.common.save_dir / "finetune" / "mix" / "fold1" / "metrics.json"
    metrics.parent.mkdir(parents=True)
    for recorded, notes in ((value + 0.005, 0), (value - 0.02, 1), (float("nan"), 1)):
        metrics.write_text(json.dumps({"spearman": recorded}))
        capsys.readouterr()
        run(world.common, EnsembleConfig())
        assert capsys.readouterr().out.count("are they of an older model?") == notes
    metrics.write_text("{")
    run(world.common, EnsembleConfig())


def test_a_zero_vector_is_not_sent_in(world):
    for recipe in RECIPES:
        for fold in range(FOLDS):
            path = world.common.save_dir / "inference" / recipe / f"fold{fold}.npz"
            vectors = world.member(recipe, f"fold{fold}")
            vectors[TEST_IDS[3]][:] = 0
            np.savez(path, id=list(vectors), embedding=np.array(list(vectors.values())))
    with pytest.raises(VidsimError, match=f"must not be sent in:\n.*zero vector.*{TEST_IDS[3]}"):
        run(world.common, EnsembleConfig())


def test_members_of_other_videos(world):
    vectors = world.member("mix", "fold0")
    path = world.common.save_dir / "inference" / "mix" / "fold0.npz"
    np.savez(path, id=list(vectors)[1:], embedding=np.array(list(vectors.values())[1:]))
    with pytest.raises(VidsimError, match=f"no row for {TEST_IDS[0]}"):
        run(world.common, EnsembleConfig())
    assert not world.common.output_zip.exists()


def test_it_needs_no_deep_learning_library():
    code = (
        "import sys, vidsim.stages.ensemble;"
        "sys.exit(', '.join({'tensorflow', 'keras', 'matplotlib'} & sys.modules.keys()) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
