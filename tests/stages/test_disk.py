"""Full disks, limits, folders not writable or gone: one line, and nothing by halves."""

import errno
import json
import os
import resource
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

from vidsim import cli
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.files import atomic_file, write_folder, write_json
from vidsim.recipes.recipe import FinetuneConfig
from vidsim.records.sample import write_sample
from vidsim.stages import ensemble, write_tfrecord
from vidsim.stages.tensorboard_log import TensorBoardLog
from vidsim.tasks.similarity.configs import WriteTfrecordConfig
from vidsim.tasks.similarity.pair_source import PairSource
from vidsim.training.checkpoint_keeper import best_checkpoint
from vidsim.training.tensor_file import save_tensors

pytestmark = pytest.mark.slow


@pytest.fixture
def small_files():
    """No file may grow beyond 8 KiB."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, usual[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def write_bytes(path):
    with atomic_file(path) as file:
        file.write(bytes(10_000))


def write_tensors(path):
    with write_folder(path) as new:
        save_tensors(new / "variables.safetensors", {"a": np.zeros(10_000)})


def write_text(path):
    write_json(path, ["word"] * 10_000)


@pytest.mark.parametrize("write", [write_bytes, write_tensors, write_text])
def test_a_file_that_grows_too_large(small_files, tmp_path, write):
    with pytest.raises(OSError, match="too large") as error:
        write(tmp_path / "result")
    assert error.value.errno == errno.EFBIG
    assert str(tmp_path) in str(error.value.filename)
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_grows_too_large(small_files, tmp_path):
    log = TensorBoardLog(tmp_path / "logs")
    with pytest.raises(OSError, match="too large") as error:
        for step in range(300):
            log(step, {"loss" * 20: 1.0})
    assert (error.value.errno, error.value.filename) == (errno.EFBIG, str(tmp_path / "logs"))


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some space and run the same command again"),
        (errno.EDQUOT, "free some space"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EROFS, "--save-dir"),
        (errno.EACCES, "--save-dir"),
        (errno.ENOENT, "is the disk or folder still there?"),
    ],
)
def test_the_command_line_says_it_in_one_line(monkeypatch, capsys, tmp_path, number, advice):
    def fail(*_):
        with atomic_file(tmp_path / "report.json"):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(ensemble, "run", fail)
    assert cli.main(["ensemble"]) == 1
    out, err = capsys.readouterr()
    said = f"vidsim ensemble: {tmp_path}/report.json: {os.strerror(number)}; "
    assert out == ""
    assert err.startswith(said)
    assert advice in err
    assert err.count("\n") == 1


def test_other_errors_of_the_system_are_defects(monkeypatch):
    def fail(*_):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe", "x")

    monkeypatch.setattr(ensemble, "run", fail)
    with pytest.raises(BrokenPipeError):
        cli.main(["ensemble"])


def test_a_full_disk_at_any_moment_of_a_run(finetuning, outcome, tmp_path, monkeypatch):
    """Every fourth flush in turn meets a full disk: what is there is whole, and the run goes on."""
    flushed, full_at = [], [None]
    fsync = os.fsync

    def flush(handle):
        flushed.append(handle)
        if len(flushed) - 1 == full_at[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", flush)
    finetuning(tmp_path / "whole")
    whole, moments, kept = outcome(tmp_path / "whole"), len(flushed), 0
    assert moments > 30
    for moment in range(1, moments, 4):
        run_dir = tmp_path / f"full_{moment}"
        flushed.clear()
        full_at[0] = moment
        with pytest.raises(OSError, match="No space left") as error:
            finetuning(run_dir)
        assert str(run_dir) in str(error.value.filename)
        assert not list(run_dir.rglob("*.tmp"))
        if (run_dir / "checkpoints.json").exists():
            kept += 1
            best = best_checkpoint(run_dir)
            assert json.loads((best / "config.json").read_text())["step"] in (2, 3)
            weights = load_file(str(best / "model.safetensors"))
            assert all(np.isfinite(value).all() for value in weights.values())
        full_at[0] = None
        finetuning(run_dir)
        assert outcome(run_dir) == whole
    assert kept > 2


def test_data_that_vanishes_between_two_folds(tmp_path):
    common = Common(data_dir=tmp_path / "data", save_dir=tmp_path / "save")
    write_sample(common.data_dir)
    write_tfrecord.run(common, WriteTfrecordConfig())
    source = PairSource(common, FinetuneConfig())
    source.load(0)
    shutil.rmtree(common.data_dir)
    with pytest.raises(VidsimError, match=r"train\.tfrecord: .*there is no such file"):
        source.load(1)


def test_folders_that_may_not_be_written(tmp_path, capsys):
    """Where the save folder should be there is a file: nobody may write below it, not even root."""
    (tmp_path / "save").write_text("")
    flags = ["--data-dir", str(tmp_path / "data"), "--save-dir", str(tmp_path / "save" / "a")]
    write_sample(tmp_path / "data")
    assert cli.main(["write_tfrecord", *flags]) == 0
    assert cli.main(["pretrain", "--recipes", "mix", "--size", "tiny", *flags]) == 1
    err = capsys.readouterr().err
    assert f"{tmp_path}/save: this is a file; accepted is a folder" in err
    assert err.count("\n") == 1
