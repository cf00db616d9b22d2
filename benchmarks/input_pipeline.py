"""Videos and pairs a second into a training loop, beside a pipeline of the published kind.

    python benchmarks/input_pipeline.py [--rounds 5] [--videos 4000] [--folder DIR]

Made videos of 32 frames (1536 float16 each), titles of 6 to 30 characters and 5 of 10,000 tags.
Pretraining: shuffled, batched, words masked, some of every video hidden. Pairs: two videos by
id in random order, from features that are stored once; the peer reads files with both videos in
every record. Nothing but the pipeline runs. The files are in the page cache.

The last table is training of the recipe uniter on such pairs: how much of a step the device waits
for its batch.
"""

import argparse
import tempfile
import time
from pathlib import Path

import made_videos
import numpy as np
from sides import Work, about, alternate, print_table

BATCH = 128
LENGTH = 32
SIZES = {"tiny": 20, "small": 10, "base": 1}  # steps in a run


def _made(folder: Path, videos: int):
    from vidsim.preprocess.title_tokenizer import TitleTokenizer
    from vidsim.records.video_table import load_videos

    table = load_videos(str(folder / f"videos_{videos}.tfrecords"))
    return table, TitleTokenizer.train(table.titles, 8000)


def ours(what: str, folder: Path, videos: int, batches: int) -> Work:
    """What the stages train on, batch after batch."""
    from vidsim.tensorflow_start import start_tensorflow

    start_tensorflow()
    from vidsim.preprocess.configs import AugmentationConfig
    from vidsim.preprocess.corruption import Corruption
    from vidsim.preprocess.examples import Examples
    from vidsim.preprocess.pipeline import Batches, pair_dataset, pretraining_dataset
    from vidsim.preprocess.tag_vocabulary import TagVocabulary
    from vidsim.recipes.registry import load

    table, tokenizer = _made(folder, videos)
    tags = TagVocabulary(np.arange(made_videos.TAGS))
    examples = Examples(table, tokenizer, tags, load("uniter", "base")[0].model)
    hidden = AugmentationConfig(word_dropout=0.2, frame_dropout=0.1, modality_dropout=0.2)
    order = Batches(BATCH, 10**6, 0, hidden, length_pool=16)
    if what == "videos":
        return _passing(pretraining_dataset(examples, order, Corruption(words=0.15)), batches)
    return _passing(
        pair_dataset(examples, *made_videos.random_pairs(table, 4 * videos), order), batches
    )


def training(size: str, policy: str, folder: Path, videos: int, steps: int) -> Work:
    """Finetuning of uniter; figures: seconds of waiting for a batch."""
    from finetuning_task import finetuning_task

    from vidsim.preprocess.examples import Examples
    from vidsim.preprocess.pipeline import Batches, pair_dataset
    from vidsim.preprocess.tag_vocabulary import TagVocabulary

    table, tokenizer = _made(folder, videos)
    tags = TagVocabulary(np.arange(made_videos.TAGS))
    recipe, task = finetuning_task("uniter", size, policy, len(tokenizer), len(tags))
    examples = Examples(table, tokenizer, tags, recipe.model)
    order = Batches(64, 10**6, 0, recipe.finetune.augmentation, recipe.finetune.length_pool)
    pairs = pair_dataset(examples, *made_videos.random_pairs(table, 4 * videos), order)
    iterator = iter(pairs)

    def work() -> dict[str, float]:
        waited = 0.0
        for _ in range(steps):
            began = time.perf_counter()
            made = next(iterator)
            waited += time.perf_counter() - began
            task.train_on_batch(made)
        return {"waited": waited, "steps": steps}

    return work


def peer(what: str, folder: Path, videos: int, batches: int) -> Work:
    """The same by tf.py_function."""
    from vidsim.tensorflow_start import start_tensorflow

    start_tensorflow()
    import py_function_pipeline
    from tokenizers import Tokenizer

    table, trained = _made(folder, videos)
    trained.save(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    arguments = (tokenizer, made_videos.TAGS, LENGTH, BATCH)
    if what == "videos":
        path = folder / f"videos_{videos}.tfrecords"
        return _passing(py_function_pipeline.videos(str(path), *arguments), batches)
    rows, sim = made_videos.random_pairs(table, videos)
    path = made_videos.write_published_pairs(folder / f"pairs_{videos}.tfrecords", table, rows, sim)
    return _passing(py_function_pipeline.pairs(str(path), *arguments), batches)


def _passing(dataset, batches: int) -> Work:
    iterator = iter(dataset)

    def work() -> dict[str, float]:
        for _ in range(batches):
            next(iterator)
        return {"examples": batches * BATCH}

    return work


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--videos", type=int, default=4000)
    parser.add_argument("--folder", type=Path, help="where made data is kept for the next time")
    parser.add_argument("--sizes", default=",".join(SIZES), help="of the training that waits")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = flags.folder or Path(scratch)
        made_videos.write_video_file(folder / f"videos_{flags.videos}.tfrecords", flags.videos)
        print(about("tensorflow", "numpy"))
        rows = []
        for what in ("videos", "pairs"):
            enough = max(2, flags.videos // BATCH)
            times = alternate(
                {
                    "vidsim": (ours, (what, folder, flags.videos, 4 * enough)),
                    "py_function": (peer, (what, folder, flags.videos, enough)),
                },
                flags.rounds,
            )
            here, there = (times[name].rate("examples") for name in ("vidsim", "py_function"))
            rows.append([f"{what}/s", f"{here:,.0f}", f"{there:,.0f}", f"{here / there:.1f}"])
        print_table(["input", "vidsim", "py_function per example", "ratio"], rows)
        _waiting(flags, folder)


def _waiting(flags: argparse.Namespace, folder: Path) -> None:
    rows = []
    for size in flags.sizes.split(","):
        for policy in ("float32", "mixed_bfloat16"):
            side = (training, (size, policy, folder, flags.videos, SIZES[size]))
            taken = alternate({"vidsim": side}, flags.rounds, warm_up=2)["vidsim"]
            steps = taken.figures["steps"]
            share = taken.figures["waited"] / taken.seconds[-1]
            rows.append([size, policy, f"{taken.median / steps * 1e3:,.0f} ms", f"{share:.1%}"])
    print_table(["size", "policy", "step of 64 pairs", "waiting for input"], rows)


if __name__ == "__main__":
    main()
