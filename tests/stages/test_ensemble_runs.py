"""What the ensemble asks of embeddings before it blends them, and where it puts what it makes."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vidsim.cli import main
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.metrics.spearman import pair_cosine, spearman
from vidsim.records.fold_manifest import read_folds, write_folds
from vidsim.stages.ensemble import run
from vidsim.tasks.similarity.configs import EnsembleConfig


@pytest.fixture
def recorded(world):
    """A world whose embeddings have records of finetunings that are there."""
    for recipe in world.RECIPES:
        for fold in range(world.FOLDS):
            world.write_run(recipe, fold)
    return world


def change(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def refused(world, message, config=None):
    """The ensemble ends with this message and writes nothing."""
    with pytest.raises(VidsimError, match=message) as error:
        run(world.common, config or EnsembleConfig())
    assert not world.common.output_zip.exists()
    assert not (world.common.save_dir / "ensemble").exists()
    return str(error.value)


def test_runs_that_agree(recorded, capsys):
    run(recorded.common, EnsembleConfig())
    origin = recorded.report()["origin"]
    assert origin["seeds"] == {"mix": [5], "uniter": [5]}
    member = origin["members"][1]
    ckpt = recorded.common.save_dir / "finetune" / "mix" / "fold1" / "ckpt-7"
    assert (member["recipe"], member["fold"], member["checkpoint"]) == ("mix", 1, str(ckpt))
    assert member["file"].endswith("inference/mix/fold1.npz")
    assert member["test_videos_sha256"] == recorded.test_digest()
    out = capsys.readouterr().out
    assert "seed 5; vidsim" in out and "no record" not in out and "gone" not in out


def test_folds_of_different_configurations(recorded):
    """Their differences are named field by field; how often something is printed is none."""
    optimizer = {"lr": 0.1}
    recorded.write_run("uniter", 1, optimizer=optimizer, batch_size=16, print_freq=3)
    said = refused(recorded, "uniter: folds 0 and 1 are of different configurations")
    assert "\n    finetune.optimizer.lr: 0.002 -> 0.1\n" in said
    assert "\n    finetune.batch_size: 32 -> 16\n" in said
    assert "print_freq" not in said
    recorded.write_run("uniter", 0, a_flag_of_a_later_version=7)
    recorded.write_run("uniter", 1, print_freq=3)
    run(recorded.common, EnsembleConfig())


def test_folds_of_different_configurations_by_their_runs_own_records(recorded):
    """Records before format 2 say nothing of flags; the runs' own do, where they are there."""
    for fold in range(recorded.FOLDS):
        folder = recorded.write_run("mix", fold)
        own = {"recipe": "mix", "fold": fold, "seed": 5 + fold, "data": [fold], "print_freq": fold}
        (folder / "done.json").write_text(json.dumps(own))
        path = recorded.record("mix", fold)
        old = json.loads(path.read_text())
        digests = [[recorded.test_digest(), 40], ["0", 30]]
        path.write_text(json.dumps({"checkpoint": old["checkpoint"], "data": digests}))
    assert "\n    seed: 5 -> 6\nTrain" in refused(recorded, "mix: folds 0 and 1")
    path.write_text(json.dumps({"checkpoint": old["checkpoint"], "data": [["another", 40]]}))
    refused(recorded, "other test videos than those there are now")


def test_a_run_that_was_made_again(recorded, capsys):
    ckpt = recorded.common.save_dir / "finetune" / "mix" / "fold1" / "ckpt-7"
    (ckpt / "config.json").write_text("trained again")
    said = refused(recorded, "by a checkpoint that .*mix/fold1 does not have")
    places = f"--data-dir {recorded.common.data_dir} --save-dir {recorded.common.save_dir}"
    assert said.endswith(f"python inference {places} --recipes mix --folds 1")

    # chosen by --ckpt-file: from elsewhere, or another one of the same run
    change(recorded.record("mix", 1), ckpt_file="elsewhere/ckpt-5")
    run(recorded.common, EnsembleConfig())
    said = " ".join(capsys.readouterr().out.split())
    assert "mix fold 1: embeddings of elsewhere/ckpt-5; the best checkpoint of its run is" in said
    recorded.write_run("mix", 1)
    ckpt.rename(ckpt.with_name("ckpt-3"))
    ckpt.mkdir()
    (ckpt / "config.json").write_text("a better one")
    run(recorded.common, EnsembleConfig())
    assert "the best checkpoint of its run is ckpt-7" in " ".join(capsys.readouterr().out.split())


def test_embeddings_without_their_run(recorded, capsys):
    finetunings = recorded.common.save_dir / "finetune"
    (finetunings / "mix" / "fold0").rename(finetunings / "elsewhere")
    recorded.record("uniter", 1).unlink()
    run(recorded.common, EnsembleConfig())
    notes = " ".join(recorded.report()["notes"])
    assert f"1 of 4 embeddings are of runs that are gone, {'so'}" in notes
    assert str(finetunings / "mix" / "fold0") in notes
    assert "1 of 4 embeddings have no record of the model that made them" in notes


def test_records_that_cannot_be_trusted(recorded):
    path = recorded.record("mix", 0)
    change(path, data={"test": {"videos": "0" * 64}})
    refused(recorded, r"mix/fold0\.npz: its record is of other test videos .*000000000000, now")
    change(path, data={"validation": {"videos": "1" * 64}})
    change(recorded.record("uniter", 0), data={"validation": {"videos": "2" * 64}})
    refused(recorded, r"the videos of their validation pairs .* \(111111111111, 222222222222\)")
    change(path, format=3)
    refused(recorded, "a record of format 3; this version reads format 2")
    for content, message in (("{", "not a readable record"), ("[]", "not a record: list")):
        path.write_text(content)
        refused(recorded, rf"mix/fold0\.json: {message}")


def test_validation_embeddings_of_other_folds(recorded):
    """Folds were written anew with other pairs since inference."""
    folder = recorded.common.save_dir / "inference" / "mix"
    (folder / "fold1_val.npz").write_bytes((folder / "fold0_val.npz").read_bytes())
    with pytest.raises(VidsimError, match=r"fold1_val\.npz: no row for .* of other data"):
        run(recorded.common, EnsembleConfig())


def test_other_test_videos_have_a_place_of_their_own(recorded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    common = replace(recorded.common, output_zip=None)
    run(common, EnsembleConfig())
    submission = Path("result.zip").read_bytes()
    report = (common.save_dir / "ensemble" / "report.json").read_bytes()

    given = tmp_path / "elsewhere" / "other clips.tfrecords"
    given.parent.mkdir()
    given.write_bytes((common.data_dir / "test_b" / "test_b.tfrecords").read_bytes())
    config = EnsembleConfig(test_b_file=str(given))
    with pytest.raises(VidsimError, match=r"4 of 8 files .*\n.*--test-b-file '.*other clips\.tfre"):
        run(common, config)
    for name, chosen in (("other-clips", config), ("mine", replace(config, out="mine"))):
        for recipe in recorded.RECIPES:
            for fold in range(recorded.FOLDS):
                recorded.write_members(recipe, fold, test=name)
                recorded.write_run(recipe, fold, test=name)
        run(common, chosen)
        made = json.loads((common.save_dir / "ensemble" / name / "report.json").read_text())
        assert made["spearman"]["ensemble"]["test_b"] is None
        assert made["origin"]["test_name"] == name
        assert zipfile.is_zipfile(f"result-{name}.zip")
    assert Path("result.zip").read_bytes() == submission
    assert (common.save_dir / "ensemble" / "report.json").read_bytes() == report

    change(recorded.record("mix", 0), checkpoint="another")
    with pytest.raises(VidsimError, match="by another checkpoint than the embeddings of the valid"):
        run(common, config)


def test_named_runs_have_a_place_of_their_own(world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    unnamed = Common(data_dir=world.common.data_dir, save_dir=world.common.save_dir, recipes="mix")
    common = replace(unnamed, run_name="half")
    with pytest.raises(VidsimError, match=r"mix@half/fold0\.npz(.|\n)* --run-name half"):
        run(common, EnsembleConfig())
    for fold in range(world.FOLDS):
        world.write_members("mix@half", fold)
        world.write_run("mix@half", fold)
    run(common, EnsembleConfig())
    assert zipfile.is_zipfile("result@half.zip") and not Path("result.zip").exists()
    made = json.loads((common.save_dir / "ensemble@half" / "report.json").read_text())
    assert "finetune/mix@half/fold0/ckpt-7" in made["origin"]["members"][0]["checkpoint"]
    run(replace(common, output_zip=tmp_path / "named.zip"), EnsembleConfig())
    assert zipfile.is_zipfile("named.zip")


def test_only_a_submission_is_replaced(world):
    path = world.common.output_zip
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(VidsimError, match=r"result\.zip: this file is no submission"):
        run(world.common, EnsembleConfig())
    assert path.read_text() == "precious"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("result.json", "{}")
        archive.writestr("thesis.tex", "precious")
    with pytest.raises(VidsimError, match="no submission"):
        run(world.common, EnsembleConfig())
    path.unlink()
    path.mkdir()
    with pytest.raises(VidsimError, match="this folder is no submission"):
        run(world.common, EnsembleConfig())
    path.rmdir()
    for content in ("", None):  # an empty file of mktemp; a submission
        if content is not None:
            path.write_text(content)
        run(world.common, EnsembleConfig())
        assert zipfile.is_zipfile(path)


def test_pairs_in_both_parts_of_a_fold_are_counted(world, capsys):
    """Where folds.json has no count, the labels tell at least that no pair is rated twice."""
    unseen = "scored only by models that were not trained on it"
    run(world.common, EnsembleConfig())
    assert unseen in " ".join(capsys.readouterr().out.split())
    labels = world.common.data_dir / "pairwise" / "label.tsv"
    first, second, _ = labels.read_text().split("\n")[0].split("\t")
    with labels.open("a") as file:
        file.write(f"{second}\t{first}\t0.5\n")
    run(world.common, EnsembleConfig())
    assert world.report()["pairs"]["in_training_too"] is None
    assert world.report()["pairs"]["left_out"] == world.LEFT_OUT  # one pair, whichever is first
    said = " ".join(capsys.readouterr().out.split())
    assert unseen not in said and "was not counted" in said
    manifest = read_folds(world.common.data_dir)
    for counts, total in (((3, 1), 4), ((0, 0), 0)):
        folds = zip(manifest.folds, counts, strict=True)
        counted = tuple(replace(entry, val_pairs_seen=count) for entry, count in folds)
        write_folds(world.common.data_dir, replace(manifest, folds=counted))
        run(world.common, EnsembleConfig())
        assert world.report()["pairs"]["in_training_too"] == total
    assert unseen in " ".join(capsys.readouterr().out.split())


def test_the_blend_is_scored_as_it_is_sent_in(world):
    """In float16: vectors so alike that rounding ranks their pairs anew."""
    rng = np.random.default_rng(1)
    common = rng.standard_normal(world.SIZE)
    for fold in range(world.FOLDS):
        near = common + 0.003 * rng.standard_normal((len(world.TEST_IDS), world.SIZE))
        path = world.common.save_dir / "inference" / "mix" / f"fold{fold}.npz"
        np.savez(path, id=world.TEST_IDS, embedding=near.astype(np.float32))
    run(replace(world.common, recipes="mix"), EnsembleConfig(blend="sum"))
    with zipfile.ZipFile(world.common.output_zip) as archive:
        sent = json.loads(archive.read("result.json"))
    rows = world.common.data_dir / "test_b" / "label.tsv"
    pairs = [line.split("\t") for line in rows.read_text().splitlines()]
    order = {name: row for row, name in enumerate(sent)}
    first, second = np.array([[order[a], order[b]] for a, b, _ in pairs]).T
    ratings = np.array([float(sim) for *_, sim in pairs])
    half = np.array(list(sent.values()), np.float16)
    rounded = spearman(pair_cosine(half, first, second), ratings)
    reported = world.report()["spearman"]
    assert reported["ensemble"]["test_b"] == pytest.approx(rounded, abs=1e-9)
    assert abs(reported["mix"]["test_b"] - rounded) > 0.01  # in float32 it is another number


def test_a_check_that_lacks_its_ids_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["ensemble", "--check", "theirs.zip"]) == 1
    said = capsys.readouterr().err
    assert "data/test_b/test_b.tfrecords is not there" in said
    assert "name the TFRecord file of the test videos by --ids FILE" in said
