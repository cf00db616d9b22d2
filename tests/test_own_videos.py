"""Story: a table, features and ratings of one's own, from convert to result.zip."""

import json
import zipfile

import numpy as np
import pytest

from vidsim.cli import main
from vidsim.records.feature_origin import FeatureOrigin

ORIGIN = FeatureOrigin("net", "0" * 64, 8, "PyAV 18.0.0", "2 frames at bin centres")


def write_inputs(folder):
    """60 videos of 6 themes in title and frames; ratings from 0 to 5 say how alike themes are."""
    rng = np.random.default_rng(0)
    themes, centres = rng.integers(0, 6, 60), rng.normal(size=(6, 8))
    (folder / "f").mkdir(parents=True)
    for number, theme in enumerate(themes.tolist()):
        np.save(folder / "f" / f"clip {number}.npy", centres[theme] + rng.normal(size=(2, 8)) / 4)
    ORIGIN.write(folder / "f")
    rows = [f"clip {n},theme{theme} word{n % 5}\n" for n, theme in enumerate(themes.tolist())]
    (folder / "clips.csv").write_text("id,title\n" + "".join(rows))
    pairs = {tuple(sorted(rng.choice(60, 2, replace=False).tolist())) for _ in range(150)}
    rated = [f"clip {a},clip {b},{4 * (themes[a] == themes[b]) + (a + b) % 2}\n" for a, b in pairs]
    (folder / "ratings.csv").write_text("id_1,id_2,rating\n" + "".join(rated))


@pytest.mark.slow
def test_from_a_table_to_a_submission(tmp_path, capsys):
    given, data, save = tmp_path / "given", tmp_path / "mine", tmp_path / "save"
    write_inputs(given)
    tables = ["--videos", str(given / "clips.csv"), "--features", str(given / "f")]
    tables += ["--ratings", str(given / "ratings.csv"), "--rating-range", "0,5"]
    assert main(["convert", *tables, "--test-share", "0.3", "--data-dir", str(data)]) == 0
    common = ["--data-dir", str(data), "--save-dir", str(save), "--size", "tiny"]
    common += ["--recipes", "uniter", "--folds", "0", "--output-zip", str(tmp_path / "result.zip")]
    short = ["--total-steps", "4", "--eval-freq", "2", "--batch-size", "8"]
    for words in (
        ["write_tfrecord", "--num-folds", "2"],
        ["pretrain", *short],
        ["finetune", *short],
        ["inference"],
        ["ensemble"],
    ):
        assert main([words[0], *common, *words[1:]]) == 0, capsys.readouterr().err
    with zipfile.ZipFile(tmp_path / "result.zip") as archive:
        found = json.loads(archive.read("result.json"))
    lines = (data / "test_b" / "label.tsv").read_text().splitlines()
    tested = lines[0].split("\t")[:2]
    assert set(tested) <= set(found) and 0 < len(found[tested[0]]) <= 256
    for stage in ("pretrain/uniter", "finetune/uniter/fold0"):
        kept = json.loads((save / stage / "checkpoints.json").read_text())["best"]["folder"]
        about = json.loads((save / stage / kept / "config.json").read_text())
        assert FeatureOrigin.of(about["features"]) == ORIGIN
    other = FeatureOrigin("swin", "1" * 64, 8, ORIGIN.decoder, ORIGIN.sampling)
    (data / "features.json").unlink()
    other.write(data)
    capsys.readouterr()
    assert main(["finetune", *common, *short, "--run-name", "other"]) == 1
    assert "extractor: net -> swin" in capsys.readouterr().err
