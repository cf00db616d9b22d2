"""The table fits where it is read, and JSON holds the same numbers."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from vidsim.recipes.registry import CHALLENGE as RECIPES
from vidsim.tasks.similarity.origin import Origin
from vidsim.tasks.similarity.report import WIDTH, Report, print_report
from vidsim.tasks.similarity.scores import ENSEMBLE, Scores

NAN = float("nan")
ORIGIN = Origin(
    data="data/own",
    made_up=False,
    rated_pairs=67899,
    rated_videos=63613,
    files={
        "rated pairs": "data/own/labels.tsv",
        "test videos": "data/own/clips.tfrecords",
    },
    seeds={"mix": [42], "own": [42]},
    members=[],
    versions={"vidsim": "0.1.0", "numpy": "2.3.4"},
    commit="e77e8ac1609299a3e934a7e3328bb916e553b7e8-dirty",
    date="2026-01-02T03:04:05+00:00",
)


def made(names, folds, test=True, **changes):
    def row(base):
        return Scores({k: base + k / 1000 for k in range(folds)}, base, base if test else None)

    values = {
        "scores": {name: row(0.8) for name in names} | {ENSEMBLE: row(0.85)},
        "weights": {name: 1 / len(names) for name in names},
        "blend": "sum",
        "raw": False,
        "videos": 43027,
        "pairs": 66000,
        "left_out": 1899,
        "trained_on": 0,
        "origin": ORIGIN,
        "test_pairs": 629 if test else 0,
    }
    return Report(**(values | changes))


def printed(report, **console):
    file = io.StringIO()
    print_report(report, Console(file=file, markup=False, highlight=False, **console))
    return file.getvalue()


def rows(text):
    """The cells of each line of the table, by first word."""
    return {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}


def test_few_folds_stand_one_by_one():
    text = printed(made(["mix"], 2))
    assert "fold mean   fold 0   fold 1   out-of-fold   test_b" in text
    assert rows(text)["mix"] == ["mix", "1.0000", "0.8005", "0.8000", "0.8010", "0.8000", "0.8000"]
    assert rows(text)[ENSEMBLE] == [ENSEMBLE, "0.8505", "0.8500", "0.8510", "0.8500", "0.8500"]


def test_many_folds_stand_as_mean_and_spread():
    """0.800 to 0.810 in steps of 0.001: the mean is 0.805, the variance (2 * 55 / 10) 1e-6."""
    text = printed(made(["mix"], 11, test=False))
    assert "fold mean   spread   lowest   highest   out-of-fold" in text
    assert rows(text)["mix"][2:] == ["0.8050", "0.0033", "0.8000", "0.8100", "0.8000"]
    assert "test_b" not in text


def test_what_the_numbers_rest_on_is_said():
    text = printed(made(["mix"], 2, notes=["blend: sum", "a note"]))
    assert "66,000 rated pairs" in text
    assert "1,899 in no\nvalidation part used" in text
    assert "test_b: 629 rated pairs" in text
    assert "blend: sum\na note\n" in text
    assert "validation part" not in printed(made(["mix"], 2, left_out=0))
    data = "data: data/own, 67,899 rated pairs of 63,613 videos; test videos:"
    assert f"{data} data/own/clips.tfrecords\n" in text
    last = "seed 42; vidsim 0.1.0, numpy 2.3.4, commit e77e8ac16092-dirty; 2026-01-02T03:04:05"
    assert text.endswith(f"{last}+00:00\n")


def test_pairs_that_were_trained_on_are_not_denied():
    unseen = "each scored only by models that were not trained on it"
    said = {n: " ".join(printed(made(["mix"], 2, trained_on=n)).split()) for n in (0, 20, None)}
    assert unseen in said[0]
    assert unseen not in said[20] + said[None]
    assert (
        "20 validation pairs are in its training part too, because they are rated twice" in said[20]
    )
    assert "was not counted when the folds were written" in said[None]
    for count in said:
        assert made(["mix"], 2, trained_on=count).to_json()["pairs"]["in_training_too"] == count


def test_what_the_runs_and_data_were():
    other = replace(
        ORIGIN, made_up=True, seeds={"mix": [1], "own": [2, 3]}, commit=None, test_name="other"
    )
    text = " ".join(printed(made(["mix"], 2, origin=other)).split())
    assert "data/own (MADE-UP SAMPLE: nobody rated it), 67,899 rated pairs" in text
    assert "seeds: mix 1; own 2,3; vidsim 0.1.0, numpy 2.3.4; 2026" in text
    assert "other: 629 rated pairs" in text
    assert "test_b:" not in text
    assert "seed: not recorded" in printed(made(["mix"], 2, origin=replace(ORIGIN, seeds={})))


@pytest.mark.parametrize("folds", [1, 4, 11])
@pytest.mark.parametrize("names", [list(RECIPES), [f"a_recipe_of_ones_own_{n}" for n in range(6)]])
def test_plain_and_narrow_where_there_is_no_terminal(names, folds):
    text = printed(made(names, folds, notes=["word " * 60]))
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= WIDTH
    assert len([line for line in text.splitlines() if " 0.8" in line]) == 7
    assert text.count("0.8500") >= 2  # no number is cut short


def test_a_terminal_gets_emphasis():
    assert "\x1b[1m" in printed(
        made(["mix"], 1), force_terminal=True, width=80, color_system="standard"
    )


def test_a_path_in_a_note_is_not_cut_in_two():
    path = "/folder" * 20 + "/metrics.json"
    assert path in printed(made(["mix"], 1, notes=[f"{path} says 0.8"]))


def test_names_are_not_markup():
    assert "[bold]own" in printed(made(["[bold]own"], 1))


def test_json_holds_every_number():
    report = made(["mix", "own"], 2)
    content = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert content["spearman"]["own"] == {
        "weight": 0.5,
        "folds": {"0": 0.8, "1": 0.801},
        "fold_mean": pytest.approx(0.8005),
        "fold_spread": pytest.approx(0.001 / 2**0.5),
        "out_of_fold": 0.8,
        "test_b": 0.8,
    }
    assert content["spearman"][ENSEMBLE]["weight"] is None
    assert content["pairs"] == {
        "out_of_fold": 66000,
        "left_out": 1899,
        "in_training_too": 0,
        "test_b": 629,
    }
    assert content["origin"]["versions"] == {"vidsim": "0.1.0", "numpy": "2.3.4"}
    assert content["origin"]["commit"].startswith("e77e8ac")
    assert (content["videos"], content["blend"], content["raw"]) == (43027, "sum", False)


def test_nan_is_said_and_is_null_in_json():
    """A model whose embeddings are all the same ranks nothing."""
    flat = Scores({0: NAN, 1: 0.5}, NAN, NAN)
    report = made(["mix"], 2, scores={"mix": flat, ENSEMBLE: flat})
    assert rows(printed(report))["mix"] == ["mix", "1.0000", "n/a", "n/a", "0.5000", "n/a", "n/a"]
    content = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert content["spearman"]["mix"]["folds"] == {"0": None, "1": 0.5}
    assert content["spearman"]["mix"]["fold_spread"] is None
