"""Runs whose numbers go wrong: they end with a message, and no checkpoint of theirs is bad."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from vidsim.errors import VidsimError
from vidsim.training import divergence
from vidsim.training.checkpoint_keeper import best_checkpoint

pytestmark = pytest.mark.slow
PEAK = 2e-3  # of --size tiny


@pytest.mark.parametrize("factor", [100, 1e30])
def test_a_learning_rate_far_too_high(build_finetuning, tmp_path, monkeypatch, factor):
    """The run may end well or not; no weight that is not finite is ever saved."""
    monkeypatch.setattr(divergence, "MOST_IN_A_ROW", 3)
    rates = {"lr": PEAK * factor, "bert_lr": PEAK * factor, "warmup_steps": 0}
    train = build_finetuning(**rates, bert_warmup_steps=0, total_steps=6, eval_freq=2)
    try:
        train(tmp_path)
    except VidsimError as error:
        assert "--lr" in str(error) or "none of its validations gave a number" in str(error)
    else:
        assert np.isfinite(json.loads((tmp_path / "metrics.json").read_text())["spearman"])
    saved = list(tmp_path.glob("ckpt-*/model.safetensors"))
    assert saved or factor > 1e10
    for path in saved:
        assert all(np.isfinite(value).all() for value in load_file(str(path)).values())


def test_validations_that_give_no_number(finetuning, tmp_path):
    """All ratings alike: Spearman is NaN. The command fails, and again when it is repeated."""
    for _ in range(2):
        with pytest.raises(VidsimError, match="none of its validations gave a number"):
            finetuning(tmp_path, [0.5] * 6)
        assert not (tmp_path / "done.json").exists()
        with pytest.raises(VidsimError, match="none of its checkpoints is the best"):
            best_checkpoint(tmp_path)


def test_skipped_updates_are_counted(finetuning, tmp_path):
    finetuning(tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text())["skipped"] == 0
