"""Does memory stay flat and time linear while the data grow? Pretraining, inference, ensemble.

    python benchmarks/scale.py [--videos 1000] [--factors 1,4,16] [--folder DIR] [--plot FILE.png]

Made videos of a few frames, the model of `--size tiny`, every stage by its command in a process of
its own. Pretraining makes a fixed number of updates for the memory, and whole epochs of at least
that many for the time, which is counted from the tenth line of progress to the last.

Memory is the peak of RssAnon, what a process holds of its own, sampled every 10 ms from /proc
(Linux). Pages of mapped files are not in it: the system lends them as long as nobody else needs
memory. ru_maxrss, which counts them, stands beside it.

The last table is the ensemble of the challenge: 6 recipes, 11 folds, 43,027 videos of 256 numbers,
2.9 GB of members, which are made for it and removed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import made_videos
import numpy as np
from sides import about, own_kib, print_table

MAIN = "import sys; from vidsim.cli import main; sys.exit(main())"
RECIPES = ("mix", "mix_asl", "mix_roformer", "uniter", "uniter_asl", "uniter_roformer")
COLOURS = {"pretrain": "#0072B2", "inference": "#D55E00", "ensemble": "#009E73"}
WIDTH, FOLDS = 256, 11
PROGRESS = re.compile(r"  step (\d+)/(\d+)  ")


@dataclass(frozen=True)
class Process:
    """What one process took."""

    seconds: float
    lines: list[tuple[float, str]]  # what it said, each line with its second
    own_mb: float = 0.0  # peak of RssAnon
    resident_mb: float = 0.0  # ru_maxrss
    busy: float = 0.0  # seconds of processor time, of all cores together


@dataclass(frozen=True)
class Size:
    """One data set: its videos and where it is."""

    videos: int
    folder: Path

    def flags(self, recipes: str, folds: str) -> list[str]:
        """Of any command."""
        places = ["--data-dir", str(self.folder / "data"), "--save-dir", str(self.folder / "save")]
        zipped = ["--output-zip", str(self.folder / "result.zip")]
        return [*places, *zipped, "--size", "tiny", "--recipes", recipes, "--folds", folds]


def measure(arguments: Sequence[str]) -> Process:
    """Runs `vidsim <arguments>` in a process of its own.

    Raises:
        SystemExit: it failed; with what it said.
    """
    began = time.monotonic()
    command = [sys.executable, "-u", "-c", MAIN, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    own = [0]
    sampler = threading.Thread(target=_sample, args=(process.pid, own))
    sampler.start()
    with process.stdout as output:
        lines = [(time.monotonic() - began, line) for line in output]
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    sampler.join()
    if process.returncode:
        sys.exit("".join(line for _, line in lines[-30:]) + f"FAILED: {' '.join(arguments)}")
    seconds = time.monotonic() - began
    busy = usage.ru_utime + usage.ru_stime
    return Process(seconds, lines, own[0] / 1024, usage.ru_maxrss / 1024, busy)


def _sample(pid: int, own: list[int]) -> None:
    """Keeps the largest RssAnon, in KiB, until the process has ended."""
    while held := own_kib(pid):
        own[0] = max(own[0], held)
        time.sleep(0.01)


def make_data(size: Size, frames: int) -> None:
    """The sample's rated videos and folds, with other videos to pretrain on and to embed."""
    from vidsim.records.sample import write_sample
    from vidsim.records.video_table import load_videos

    data = size.folder / "data"
    write_sample(data)
    for part in ("pointwise", "test_b"):
        shutil.rmtree(data / part)
    path = made_videos.write_video_file(
        data / "pointwise" / "pretrain_0.tfrecords", size.videos, frames=frames
    )
    test = data / "test_b" / "test_b.tfrecords"
    test.parent.mkdir()
    os.link(path, test)
    made_videos.write_tag_list(data / made_videos.TAG_LIST)
    ids = np.char.decode(load_videos(str(test)).ids)
    rows, sim = np.random.default_rng(1).integers(0, len(ids), (1000, 2)), np.linspace(0, 1, 1000)
    lines = (f"{ids[a]}\t{ids[b]}\t{s:.4f}\n" for (a, b), s in zip(rows, sim, strict=True))
    (test.parent / "label.tsv").write_text("".join(lines))
    for index in (path, test):
        index.with_name(f"{index.name}.index.npz").unlink(missing_ok=True)
    measure(["write_tfrecord", "--data-dir", str(data)])


def make_members(size: Size, recipes: Sequence[str], folds: int) -> None:
    """What inference would leave: random vectors for the test videos and each fold's own."""
    from vidsim.blending.members import member_path, validation_path
    from vidsim.records.fold_manifest import VAL_FILE, read_folds
    from vidsim.records.pairs import read_pair_file
    from vidsim.records.record_log import RecordLog
    from vidsim.records.video_table import load_videos

    data, save = size.folder / "data", size.folder / "save"
    test = np.char.decode(load_videos(str(data / "test_b" / "test_b.tfrecords")).ids)
    rng = np.random.default_rng(0)
    for entry in read_folds(data).folds[:folds]:
        path = data / "pairwise" / entry.name / VAL_FILE
        pairs, _ = read_pair_file(path, RecordLog(), entry.val_pairs)
        rated = np.char.decode(np.union1d(pairs.id_1, pairs.id_2))
        for recipe in recipes:
            for ids, where in ((test, member_path), (rated, validation_path)):
                path = where(save, recipe, entry.fold)
                path.parent.mkdir(parents=True, exist_ok=True)
                vectors = rng.standard_normal((len(ids), WIDTH), "float32")
                np.savez(path, id=ids, embedding=vectors)


def pretrain(size: Size, steps: int, batch: int) -> tuple[Process, float]:
    """A fixed number of updates; and how many seconds one epoch takes."""
    rhythm = ["--batch-size", str(batch), "--eval-freq", "999999999", "--save-seconds", "999999999"]
    common = ["pretrain", *size.flags("uniter", "0"), *rhythm]
    length = ["--total-steps", str(steps), "--epochs", "999999999"]
    fixed = measure([*common, *length, "--print-freq", str(steps)])
    per_epoch = size.videos // batch
    epochs = -(-steps // per_epoch)
    epoch = ["--total-steps", "999999999", "--epochs", str(epochs), "--print-freq", "1"]
    run = size.folder / "epoch"
    lines = measure([*common, *epoch, "--savedmodel-path", str(run)]).lines
    found = [(second, PROGRESS.search(line)) for second, line in lines]
    times = [(second, int(mark[1])) for second, mark in found if mark]
    first, begin = times[min(10, len(times) // 2)]
    last, end = times[-1]
    return fixed, (last - first) / max(end - begin, 1) * per_epoch


def inference(size: Size) -> Process:
    """One checkpoint, that of pretraining, over all videos."""
    run = size.folder / "save" / "pretrain" / "uniter"
    best = json.loads((run / "checkpoints.json").read_text())["best"]["folder"]
    return measure(["inference", *size.flags("uniter", "0"), "--ckpt-file", str(run / best)])


def ensemble(size: Size, recipes: Sequence[str], folds: int) -> Process:
    """Members that are made first, and removed."""
    make_members(size, recipes, folds)
    numbers = ",".join(map(str, range(folds)))
    process = measure(["ensemble", *size.flags(",".join(recipes), numbers)])
    shutil.rmtree(size.folder / "save" / "inference")
    return process


def table_of(stage: str, sizes: Sequence[int], processes: Sequence[Process]) -> list[list[str]]:
    """A row for each size."""
    return [
        [
            stage,
            f"{videos:,}",
            f"{process.own_mb:,.0f}",
            f"{process.own_mb / (processes[0].own_mb or 1):.2f}",
            f"{process.resident_mb:,.0f}",
            f"{process.seconds:.1f}",
        ]
        for videos, process in zip(sizes, processes, strict=True)
    ]


def draw(
    path: Path, sizes: Sequence[int], peaks: dict[str, list[float]], epochs: Sequence[float]
) -> None:
    """Peak memory of each stage over the videos, and seconds per epoch beside it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    memory, seconds = figure.subplots(1, 2)
    for stage, values in peaks.items():
        memory.plot(sizes, values, "o-", color=COLOURS[stage])
        last, beside = (sizes[-1], values[-1]), {"xytext": (8, 0), "textcoords": "offset points"}
        memory.annotate(stage, last, color=COLOURS[stage], va="center", **beside)
    memory.set(
        title="Peak of the process's own memory, MB", xscale="log", xlabel="videos", ylim=(0, None)
    )
    if epochs:
        seconds.plot(sizes, epochs, "o", color="#000000", label="measured")
        linear = [epochs[0] * videos / sizes[0] for videos in sizes]
        seconds.plot(sizes, linear, "--", color="0.5", label="linear from the first")
        seconds.legend(frameon=False)
    seconds.set(title="Pretraining, seconds per epoch", xscale="log", yscale="log", xlabel="videos")
    seconds.yaxis.set_major_formatter("{x:g}")
    for axes in (memory, seconds):
        axes.set_xticks(list(sizes), [f"{videos:,}" for videos in sizes])
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def grow(flags: argparse.Namespace, folder: Path) -> None:
    """The two tables and the plot of data that grow."""
    sizes = [flags.videos * int(factor) for factor in flags.factors.split(",")]
    found: dict[str, list[Process]] = {stage: [] for stage in flags.stages.split(",")}
    epochs = []
    for videos in sizes:
        size = Size(videos, folder / f"videos_{videos}")
        make_data(size, flags.frames)
        if "pretrain" in found:
            process, seconds = pretrain(size, flags.steps, flags.batch)
            found["pretrain"].append(process)
            epochs.append(seconds)
        if "inference" in found:
            found["inference"].append(inference(size))
        if "ensemble" in found:
            found["ensemble"].append(ensemble(size, RECIPES[:2], 2))
        shutil.rmtree(size.folder)
        print(f"{videos:,} videos are done", file=sys.stderr, flush=True)
    rows = [row for stage, processes in found.items() for row in table_of(stage, sizes, processes)]
    print_table(["stage", "videos", "peak MB", "ratio", "ru_maxrss MB", "seconds"], rows)
    if epochs:
        print()
        per_video = [seconds / videos for seconds, videos in zip(epochs, sizes, strict=True)]
        rows = [
            [f"{videos:,}", f"{seconds:.2f}", f"{1e3 * each:.3f}", f"{each / per_video[0]:.2f}"]
            for videos, seconds, each in zip(sizes, epochs, per_video, strict=True)
        ]
        print_table(["videos", "s per epoch", "ms per video", "ratio"], rows)
    peaks = {stage: [process.own_mb for process in found[stage]] for stage in found}
    draw(flags.plot, sizes, peaks, epochs)


def challenge(flags: argparse.Namespace, folder: Path) -> None:
    """The table of the whole ensemble."""
    size = Size(flags.ensemble_videos, folder / "ensemble")
    make_data(size, 1)
    process = ensemble(size, RECIPES, FOLDS)
    name = f"{len(RECIPES) * FOLDS} x {flags.ensemble_videos:,} x {WIDTH}"
    values = [process.seconds, process.busy, process.own_mb, process.resident_mb]
    header = ["ensemble", "seconds", "processor s", "peak MB", "ru_maxrss MB"]
    print_table(header, [[name, *(f"{value:.1f}" for value in values)]])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=1000, help="of the smallest data set (1000)")
    parser.add_argument("--factors", default="1,4,16", help="how many times that (1,4,16)")
    parser.add_argument("--frames", type=int, default=8, help="of each video (8)")
    parser.add_argument("--steps", type=int, default=100, help="updates in pretraining (100)")
    parser.add_argument("--batch", type=int, default=64, help="videos in an update (64)")
    parser.add_argument("--stages", default=",".join(COLOURS), help="comma list (all three)")
    parser.add_argument("--ensemble-videos", type=int, default=43027, help="0: not that (43027)")
    parser.add_argument("--folder", type=Path, help="where the data go and are removed (temporary)")
    parser.add_argument("--plot", type=Path, default=Path(__file__).with_suffix(".png"))
    flags = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=flags.folder, prefix="vidsim_scale_") as folder:
        print(about("numpy", "keras"), flush=True)
        if flags.stages:
            print()
            grow(flags, Path(folder))
        if flags.ensemble_videos:
            print()
            challenge(flags, Path(folder))


if __name__ == "__main__":
    main()
