"""From the files that inference leaves to result.zip and the report, on made embeddings."""

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from vidsim.blending.members import find_members
from vidsim.errors import VidsimError
from vidsim.stages.ensemble import run
from vidsim.tasks.similarity.configs import EnsembleConfig


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def submitted(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("result.json"))


def score(vectors, rows):
    return spearmanr([cosine(vectors[a], vectors[b]) for a, b, _ in rows], [r[2] for r in rows])[0]


def test_story(world, capsys):
    """What is written is the blend by the formula, and what is reported is what it scores."""
    run(world.common, EnsembleConfig(weights="mix=3,uniter=1", blend="sum"))
    result = submitted(world.common.output_zip)
    assert list(result) == list(world.TEST_IDS)
    unit = {
        (recipe, fold, name): vector / np.linalg.norm(vector)
        for recipe in world.RECIPES
        for fold in range(world.FOLDS)
        for name, vector in world.member(recipe, f"fold{fold}").items()
    }
    for name in world.TEST_IDS:
        means = [(unit[recipe, 0, name] + unit[recipe, 1, name]) / 2 for recipe in world.RECIPES]
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
    counts = {"out_of_fold": 60, "left_out": world.LEFT_OUT, "in_training_too": 0, "test_b": 60}
    assert world.report()["pairs"] == counts

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
        alone = [spearman[recipe][part] for recipe in world.RECIPES]
        assert spearman["ensemble"][part] > max(alone) + 0.01
    assert {len(vector) for vector in submitted(world.common.output_zip).values()} <= {
        world.SIZE if method == "aligned" else 2 * world.SIZE
    }


def test_fitted_weights_score_what_is_said_of_them(world, capsys):
    """The blend that is written has the fitted weights, and each of them is in config.json."""
    run(world.common, EnsembleConfig(weights="fit"))
    fitted, report = world.config()["weights"], world.report()
    assert sum(fitted.values()) == pytest.approx(1)
    score = report["spearman"]["ensemble"]["out_of_fold"]
    assert report["notes"][0].startswith("blend: svd; weights fitted to the validation pairs")
    assert f"(mean of cosines: Spearman {score:.4f}, equal weights" in report["notes"][0]
    assert "fitted to the others" in capsys.readouterr().out.replace("\n", " ")
    assert report["fit"]["score"] == pytest.approx(score, abs=1e-4)
    first = submitted(world.common.output_zip)
    given = ",".join(f"{name}={weight!r}" for name, weight in fitted.items())
    run(world.common, EnsembleConfig(weights=given))
    assert submitted(world.common.output_zip) == first
    assert world.report()["fit"] is None
    run(replace(world.common, recipes="mix"), EnsembleConfig(weights="fit"))
    assert "too well" not in world.report()["notes"][0]  # of one recipe


def test_a_report_of_other_weights_is_kept_where_there_is_no_submission(world, capsys):
    shutil.rmtree(world.common.data_dir / "test_b")
    folder = world.common.save_dir / "ensemble"
    run(world.common, EnsembleConfig(weights="mix=3,uniter=1"))
    first = {name: (folder / name).read_bytes() for name in ("config.json", "report.json")}
    for _ in range(2):  # the second is the same blend
        run(world.common, EnsembleConfig())
    assert f"{folder / 'report.json'} was of another blend" in capsys.readouterr().out
    assert {name: (folder / name.replace(".", ".old-1.")).read_bytes() for name in first} == first
    assert not list(folder.glob("*.old-2.*"))
    (folder / "config.json").write_text("{")
    run(world.common, EnsembleConfig())
    assert (folder / "config.old-2.json").read_text() == "{"


def test_a_kept_report_is_not_replaced_by_a_later_one(world):
    """Of an equal submission the report alone is kept; of another one both, by the same number."""
    folder = world.common.save_dir / "ensemble"
    run(world.common, EnsembleConfig(weights="mix=3,uniter=1"))
    first = (folder / "report.json").read_bytes()
    run(world.common, EnsembleConfig(weights="mix=6,uniter=2"))  # the same blend in other words
    second = (folder / "report.json").read_bytes()
    run(world.common, EnsembleConfig())
    assert (folder / "report.old-1.json").read_bytes() == first
    assert (folder / "report.old-2.json").read_bytes() == second
    assert [path.name for path in world.common.output_zip.parent.glob("*.old-*.zip")] == [
        f"{world.common.output_zip.stem}.old-2.zip"
    ]


def test_the_same_files_make_the_same_bytes(world):
    run(world.common, EnsembleConfig())
    first = world.common.output_zip.read_bytes()
    run(world.common, EnsembleConfig())
    assert world.common.output_zip.read_bytes() == first
    run(world.common, EnsembleConfig(raw=True))
    assert world.common.output_zip.read_bytes() != first


def test_the_configuration_is_kept(world):
    run(replace(world.common, folds="1"), EnsembleConfig(blend="svd"))
    config = world.config()
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
    assert world.report()["pairs"]["left_out"] == world.FOLD_PAIRS + world.LEFT_OUT
    assert "folds: 0, as named by --folds; there are 2" in capsys.readouterr().out
    with pytest.raises(VidsimError, match=r"--folds 1\n"):
        run(replace(world.common, folds="1"), EnsembleConfig())


def test_a_recipe_of_ones_own_counts_as_the_mean_of_the_published(world, tmp_path, capsys):
    own = tmp_path / "own.py"
    own.write_text("")
    for fold in range(world.FOLDS):
        world.write_members("own", fold)
    common = replace(world.common, recipes=f"mix,{own}")
    with pytest.raises(VidsimError, match=rf"--recipes {own} --folds 2\n"):
        find_members(common, ["own"], [2])
    run(common, EnsembleConfig())
    assert "their mean for own, which have none" in capsys.readouterr().out
    assert list(world.report()["spearman"]) == ["mix", "own", "ensemble"]


def test_without_test_labels_there_is_no_test_column(world, capsys):
    (world.common.data_dir / "test_b" / "label.tsv").unlink()
    run(world.common, EnsembleConfig())
    assert world.report()["spearman"]["ensemble"]["test_b"] is None
    printed = capsys.readouterr().out
    assert "test_b:" not in printed and "out-of-fold   test_b" not in printed


def test_labels_of_other_test_videos(world):
    labels = world.common.data_dir / "test_b" / "label.tsv"
    labels.write_text(
        f"{world.TEST_IDS[0]}\t404\t0.5\n{world.TEST_IDS[0]}\t{world.TEST_IDS[1]}\t0.1\n"
    )
    with pytest.raises(
        VidsimError, match=r"label\.tsv:1: no video '404' among the \d+ videos of .*test_b"
    ):
        run(world.common, EnsembleConfig())


def test_another_file_of_ratings(world, tmp_path):
    world.write_labels(tmp_path / "labels.tsv", world.val[0])
    run(world.common, EnsembleConfig(annotation_file=tmp_path / "labels.tsv"))
    counts = {"out_of_fold": 60, "left_out": 0, "in_training_too": 0, "test_b": 60}
    assert world.report()["pairs"] == counts


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
    """And the submission that is there stays as it was, without a copy beside it."""
    run(world.common, EnsembleConfig())
    first = world.common.output_zip.read_bytes()
    for recipe in world.RECIPES:
        for fold in range(world.FOLDS):
            path = world.common.save_dir / "inference" / recipe / f"fold{fold}.npz"
            vectors = world.member(recipe, f"fold{fold}")
            vectors[world.TEST_IDS[3]][:] = 0
            np.savez(path, id=list(vectors), embedding=np.array(list(vectors.values())))
    with pytest.raises(
        VidsimError, match=f"must not be sent in:\n.*zero vector.*{world.TEST_IDS[3]}"
    ):
        run(world.common, EnsembleConfig())
    assert world.common.output_zip.read_bytes() == first
    assert [path.name for path in world.common.output_zip.parent.iterdir()] == ["result.zip"]


def test_members_of_other_videos(world):
    vectors = world.member("mix", "fold0")
    path = world.common.save_dir / "inference" / "mix" / "fold0.npz"
    np.savez(path, id=list(vectors)[1:], embedding=np.array(list(vectors.values())[1:]))
    with pytest.raises(VidsimError, match=f"no row for {world.TEST_IDS[0]}"):
        run(world.common, EnsembleConfig())
    assert not world.common.output_zip.exists()


def test_it_needs_no_deep_learning_library():
    code = (
        "import sys, vidsim.stages.ensemble, vidsim.tasks.similarity.ensemble;"
        "sys.exit(', '.join({'tensorflow', 'keras', 'matplotlib'} & sys.modules.keys()) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_another_blend_replaces_none(world, capsys):
    """The first submission and its report are kept; the same blend again keeps nothing more."""
    run(world.common, EnsembleConfig())
    zip_file, folder = world.common.output_zip, world.common.save_dir / "ensemble"
    first = zip_file.read_bytes()
    run(world.common, EnsembleConfig())
    assert [path.name for path in zip_file.parent.iterdir()] == ["result.zip"]
    report = (folder / "report.json").read_bytes()
    run(replace(world.common, recipes="mix"), EnsembleConfig())
    assert "it is " in capsys.readouterr().out
    assert (zip_file.parent / "result.old-1.zip").read_bytes() == first != zip_file.read_bytes()
    assert (folder / "report.old-1.json").read_bytes() == report
    names = {f"{name}{mark}" for name in ("config", "report") for mark in (".json", ".old-1.json")}
    assert {path.name for path in folder.iterdir()} == names | {"report.png", "report.old-1.png"}


def test_files_beside_the_submission_stay(world):
    """A name without a suffix is accepted, and nothing is written but that name and its copy."""
    folder = world.common.output_zip.parent
    beside = folder / "result.new.zip"
    beside.parent.mkdir(exist_ok=True)
    beside.write_bytes(b"notes")
    common = replace(world.common, output_zip=folder / "result")
    run(common, EnsembleConfig())
    run(replace(common, recipes="mix"), EnsembleConfig())
    assert beside.read_bytes() == b"notes"
    assert sorted(path.name for path in folder.iterdir()) == [
        "result",
        "result.new.zip",
        "result.old-1",
    ]
