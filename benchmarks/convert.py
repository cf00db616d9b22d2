"""How fast are tables and features converted, and what memory does it take?

    python benchmarks/convert.py [--videos 10000] [--rows 1000000] [--folder DIR]

First videos of 32 x 1536 float16 numbers, each in a file of its own, beside the rate at which the
disk takes as many bytes in one file (with fsync; both read warm files). Then so many rows of a CSV
file with one frame of 8 numbers each, from one .npz, half of them and all: memory must not grow
with the features, and by little with the rows. Memory is the peak of what the process holds of its
own (RssAnon), in MB, imports included.
"""

import argparse
import contextlib
import io
import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from sides import about, own_kib, print_table

from vidsim.cli import main as vidsim

FRAMES, WIDTH, NARROW = 32, 1536, 8


def write_features(folder: Path, videos: int) -> list[str]:
    """A table, and a file of features for each video; returns the flags that name them."""
    (folder / "features").mkdir()
    rng = np.random.default_rng(0)
    frames = rng.standard_normal((FRAMES, WIDTH), "float32").astype("float16")
    for number in range(videos):
        np.save(folder / "features" / f"{number}.npy", np.roll(frames, number))
    return ["--videos", write_table(folder, videos), "--features", str(folder / "features")]


def write_archive(folder: Path, rows: int) -> list[str]:
    """A table, and one file with a narrow frame for each row; returns the flags that name them."""
    path, ids = folder / f"{rows}.npz", np.arange(rows)
    features = np.ones((rows, NARROW), "float16")
    np.savez(path, ids=ids, splits=np.arange(rows + 1), features=features)
    return ["--videos", write_table(folder, rows), "--features", str(path)]


def write_table(folder: Path, rows: int) -> str:
    """A CSV file of ids, titles and three tags."""
    path = folder / f"{rows}.csv"
    with path.open("w") as file:
        file.write("id,title,tags\n")
        file.writelines(
            f'{n},"a title of video {n}, which is short","t{n % 7},t{n % 97},t{n % 5003}"\n'
            for n in range(rows)
        )
    return str(path)


def measure(words: list[str]) -> tuple[float, float]:
    """Seconds and peak memory (MB) of a vidsim command in a process of its own."""
    child, began, peak = os.fork(), time.perf_counter(), 0
    if child == 0:
        with contextlib.redirect_stdout(io.StringIO()):
            status = vidsim(words)
        os._exit(status)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        with contextlib.suppress(OSError):
            peak = max(peak, own_kib(child))
        time.sleep(0.01)
    assert status == 0, "the command failed"
    return time.perf_counter() - began, peak / 1024


def disk_rate(folder: Path, size: int) -> float:
    """Bytes a second of one file of so many bytes, written and flushed to the disk."""
    block, left, path = os.urandom(1 << 20), size, folder / "bytes"
    began = time.perf_counter()
    with path.open("wb") as file:
        while left > 0:
            left -= file.write(block[: min(left, len(block))])
        file.flush()
        os.fsync(file.fileno())
    seconds = time.perf_counter() - began
    path.unlink()
    return size / seconds


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="for 200 KB a video, removed (temporary)")
    flags = parser.parse_args()
    print(about("numpy", "pandas"), f"load average {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(dir=flags.folder, prefix="vidsim_convert_") as name:
        folder, size = Path(name), flags.videos * 2 * FRAMES * WIDTH
        words = write_features(folder, flags.videos)
        seconds, peak = measure(["convert", *words, "--data-dir", str(folder / "data")])
        shutil.rmtree(folder / "data")
        rate = disk_rate(folder, size)
        shutil.rmtree(folder / "features")
        row = [f"{flags.videos:,} of {FRAMES} x {WIDTH}", f"{seconds:.1f}"]
        row += [f"{flags.videos / seconds:,.0f}", f"{size / seconds / 1e6:,.0f}"]
        header = ["videos", "seconds", "videos/s", "MB/s", "disk MB/s", "peak MB"]
        print_table(header, [[*row, f"{rate / 1e6:,.0f}", f"{peak:,.0f}"]])
        found = []
        for rows in (flags.rows // 2, flags.rows):
            words = write_archive(folder, rows)
            seconds, peak = measure(["convert", *words, "--data-dir", str(folder / f"d{rows}")])
            shutil.rmtree(folder / f"d{rows}")
            found.append([f"{rows:,}", f"{seconds:.1f}", f"{rows / seconds:,.0f}", f"{peak:,.0f}"])
        print_table(["rows", "seconds", "rows/s", "peak MB"], found)


if __name__ == "__main__":
    main()
