"""Story: the README's commands are run as they stand there, and its claims about files hold."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from vidsim import cli
from vidsim.recipes.registry import load
from vidsim.records.video_table import load_videos

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The README's fenced code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    """Every command of the README's shell blocks that this test can run, without its comment."""
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line and "make_cxc" not in line and "DIR" not in line]


@pytest.mark.slow
def test_the_doors_are_run_as_the_readme_says(tmp_path):
    """With one recipe and one fold of the sample, in the checkout's own environment."""
    if not (ROOT / ".venv" / "vidsim.stamp").exists():
        pytest.skip("no .venv made by setup.sh here; sh test.sh makes it")
    python = shutil.which("python3", path=f"{ROOT / '.venv' / 'bin'}")
    assert python
    flags = f"--data-dir {tmp_path / 'data'} --save-dir {tmp_path / 'save'} --size tiny"
    flags += f" --recipes uniter --folds 0 --output-zip {tmp_path / 'result.zip'}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    environment["PATH"] = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{environment['PATH']}"
    lines = commands()
    assert [line.split()[1] for line in lines] == [
        "write_tfrecord.py",
        "pretrain",
        "finetune_all.sh",
        "infer_all.sh",
        "ensemble",
    ]
    lines[0] += " --make-sample"
    for line in [*lines, "sh run.sh"]:
        done = subprocess.run(
            f"{line} {flags}".split(),
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=250,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
    assert (tmp_path / "result.zip").exists()
    assert done.stdout.count("done already") == 4  # run.sh found everything but the blend done
    the_library_example_runs(tmp_path, environment)


def the_library_example_runs(folder, environment):
    """In the folder where the doors' results lie."""
    block = next(block for block in blocks("python") if "Embedder" in block)
    run = subprocess.run(
        ["python3", "-c", f"{block}\nassert embeddings.shape == (2, 256)"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert re.fullmatch(r"cosine of the titles alone: -?[01]\.\d+\n", run.stdout)


def test_the_readmes_videos_in_memory_are_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(next(block for block in blocks("python") if "write_videos" in block), {})
    assert capsys.readouterr().out == "2 videos\n"
    table = load_videos(tmp_path / "mine" / "pointwise" / "videos.tfrecords")
    assert table.n_frames.tolist() == [32, 5] and table.width("frame_feature") == 512


def test_the_readme_is_read_in_one_sitting():
    assert len(README.splitlines()) < 180


def test_the_recipe_of_the_readme_loads(tmp_path):
    path = tmp_path / "my_mix.py"
    path.write_text(next(block for block in blocks("python") if "my_mix" in block))
    (recipe,) = load(str(path), "base")
    assert (recipe.name, recipe.model.branches) == ("my_mix", 5)
    assert recipe.finetune.similarity.kl_weight == 0.2


def test_every_flag_that_we_say_we_have_exists(capsys):
    text = (ROOT / "docs" / "published.md").read_text(encoding="utf-8")
    ours = "\n".join(line.split("|")[2] for line in text.splitlines() if line.count("|") == 3)
    stages = re.findall(r"`python (pretrain|finetune|inference|ensemble) ([^`]*)`", ours)
    assert len(stages) >= 5
    for stage, flags in stages:
        assert cli.main([stage, "--help-all"]) == 0
        known = capsys.readouterr().out
        for flag in re.findall(r"--[a-z-]+", flags):
            assert flag in known, f"python {stage} {flag}"


def test_every_file_that_is_linked_to_is_there():
    count = 0
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        links = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
        assert [link for link in links if not (path.parent / link).exists()] == [], path
        count += len(links)
    assert count > 20
