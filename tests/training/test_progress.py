"""What a run says of itself."""

import pytest

from vidsim.training.progress import ProgressDisplay, describe


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"loss": 12.34567, "tag": 3.0}, "loss 12.35  tag 3"),
        (
            {"loss": 1.0, "examples_per_s": 61.6, "seconds_left": 125.4},
            "loss 1  62 videos/s  2:05 left",
        ),
        (
            {"loss": 1.0, "examples_per_s": 9.0, "seconds_left": 59.9},
            "loss 1  9 videos/s  1:00 left",
        ),
        ({"loss": 1.0, "examples_per_s": 9.0, "seconds_left": 0.0}, "loss 1  9 videos/s"),
        ({"val_spearman": 0.51239}, "val_spearman 0.5124"),
    ],
)
def test_describe(values, line):
    assert describe(values, "videos") == line


def test_plain_lines_where_there_is_no_terminal(capsys):
    with ProgressDisplay("finetune mix fold 3", 40, "pairs") as display:
        display(20, {"loss": 0.25})
        display(20, {"val_spearman": 0.5})
    assert capsys.readouterr().out.splitlines() == [
        "finetune mix fold 3  step 20/40  loss 0.25",
        "finetune mix fold 3  step 20/40  val_spearman 0.5",
    ]
