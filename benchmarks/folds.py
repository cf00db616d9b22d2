"""Eleven folds of the challenge's size, beside files that hold both videos of every pair.

    python benchmarks/folds.py [--rounds 3] [--folder DIR]

67,899 made pairs over 63,613 made videos. `python write_tfrecord.py` splits them and writes ids and
ratings; the published way copies both videos, 32 frames each, into every pair's record, and is
timed on a few thousand pairs. The first table says what the folds cost at two numbers of frames: if
features were read, the second would take several times the memory.
"""

import argparse
import contextlib
import io
import shutil
import tempfile
from pathlib import Path

import made_videos
import numpy as np
from sides import Work, about, alternate, print_table

PAIRS, VIDEOS, FOLDS = 67899, 63613, 11


def data_set(folder: Path, frames: int, videos: int, pairs: int) -> Path:
    """A folder in the challenge's layout: pairwise.tfrecords, label.tsv and a tag list."""
    from vidsim.records.video_table import load_videos

    data = folder / f"challenge_{videos}_{pairs}_{frames}"
    path = data / "pairwise" / "pairwise.tfrecords"
    made_videos.write_video_file(path, videos, frames=frames)
    made_videos.write_tag_list(data / made_videos.TAG_LIST)
    table = load_videos(str(path))
    rows, sim = made_videos.random_pairs(table, pairs)
    ids = np.char.decode(table.ids)
    lines = (f"{ids[a]}\t{ids[b]}\t{s:.2f}\n" for (a, b), s in zip(rows, sim, strict=True))
    (data / "pairwise" / "label.tsv").write_text("".join(lines))
    return data


def ours(data: Path) -> Work:
    """`python write_tfrecord.py`, from the index of the videos on."""
    from vidsim.config import Common
    from vidsim.records.fold_manifest import MANIFEST_NAME
    from vidsim.stages import write_tfrecord
    from vidsim.tasks.similarity.configs import WriteTfrecordConfig

    def work() -> dict[str, float]:
        for fold in (data / "pairwise").glob("*val"):
            shutil.rmtree(fold)
        (data / "pairwise" / MANIFEST_NAME).unlink(missing_ok=True)
        with contextlib.redirect_stdout(io.StringIO()):
            write_tfrecord.run(Common(data_dir=data), WriteTfrecordConfig())
        files = [*(data / "pairwise").glob("*val/*.tfrecord")]
        return {"mb": sum(path.stat().st_size for path in files) / 1e6, "files": len(files)}

    return work


def peer(path: Path, out: Path, pairs: int) -> Work:
    """Both videos of every pair in a tf.train.Example, through tf.io.TFRecordWriter."""
    from vidsim.tensorflow_start import start_tensorflow

    start_tensorflow()
    import tensorflow as tf

    rng = np.random.default_rng(0)
    videos = [
        tf.train.Example.FromString(record.numpy()).features.feature
        for record in tf.data.TFRecordDataset(str(path)).take(500)
    ]
    chosen = rng.integers(0, len(videos), (pairs, 2))

    def work() -> dict[str, float]:
        with tf.io.TFRecordWriter(str(out)) as writer:
            for a, b in chosen:
                example = tf.train.Example()
                for side, video in ((1, videos[a]), (2, videos[b])):
                    for name in ("id", "title", "tag_id", "frame_feature"):
                        example.features.feature[f"{name}_{side}"].CopyFrom(video[name])
                example.features.feature["sim"].float_list.value.append(0.5)
                writer.write(example.SerializeToString())
        return {"mb": out.stat().st_size / 1e6, "pairs": pairs}

    return work


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--videos", type=int, default=VIDEOS)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--copied-pairs", type=int, default=2000, help="that the peer writes")
    parser.add_argument("--folder", type=Path, help="where made data is kept for the next time")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = flags.folder or Path(scratch)
        print(about("tensorflow", "numpy"))
        rows = []
        for frames in (1, 4):
            data = data_set(folder, frames, flags.videos, flags.pairs)
            taken = alternate({"vidsim": (ours, (data,))}, flags.rounds)["vidsim"]
            size, peak = taken.figures["mb"], taken.figures["peak_mb"]
            rows.append([frames, f"{taken.median:.1f} s", f"{size:.1f} MB", f"{peak:.0f} MB"])
        print_table(["frames a video", f"{FOLDS} folds", "files", "peak of own memory"], rows)
        copied = made_videos.write_video_file(folder / "videos_500.tfrecords", 500)
        there = alternate(
            {"copies": (peer, (copied, Path(scratch) / "copies", flags.copied_pairs))}, flags.rounds
        )["copies"]
        records = FOLDS * flags.pairs
        here, copies = taken.median / records, there.median / flags.copied_pairs
        per_pair = there.figures["mb"] / flags.copied_pairs
        print_table(
            ["a pair", "vidsim", "both videos copied", "ratio"],
            [
                ["time", f"{here * 1e6:.1f} µs", f"{copies * 1e6:.0f} µs", f"{copies / here:.0f}"],
                [
                    "bytes",
                    f"{size * 1e6 / records:.0f}",
                    f"{per_pair * 1e6:,.0f}",
                    f"{per_pair * records / size:,.0f}",
                ],
            ],
        )


if __name__ == "__main__":
    main()
