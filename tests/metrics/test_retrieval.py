"""Ranks and recalls by hand, and at parity with scikit-learn."""

import math

import numpy as np
import pytest
from sklearn.metrics import top_k_accuracy_score

from vidsim.errors import VidsimError
from vidsim.metrics import ranks as ranks_module
from vidsim.metrics import retrieval as retrieval_module
from vidsim.metrics.ranks import embedding_ranks, score_ranks
from vidsim.metrics.retrieval import RetrievalEvaluator

NAMES = [f"{side}_R@{k}" for side in ("t2v", "v2t") for k in (1, 5, 10)]


def one_each(count: int) -> np.ndarray:
    return np.stack([np.arange(count)] * 2, axis=1)


def made(sentences: int, videos: int, noise: float = 1.0, seed: int = 0):
    """Embeddings that go together, a bit; the video of each sentence, none without one."""
    rng = np.random.default_rng(seed)
    of = rng.permutation(np.arange(sentences) % videos)
    clips = rng.normal(size=(videos, 8)).astype("float32")
    return clips[of] + noise * rng.normal(size=(sentences, 8)).astype("float32"), clips, of


def test_ranks_derived():
    """Right is item 0, at 0.5: 0.9 is above and 0.5 ties, so rank 3. Then alone at the top: 1.

    Query 2 has items 1 and 3, at 0.7 and 0.4: the better one counts, with 0.8 above it: 2. Query 3
    has items 0 and 1, both at 0.6, and 0.6 of the wrong item 2 beside them: 2, for whichever right
    one comes first has only that one before it.
    """
    scores = np.array([[0.5, 0.9, 0.1, 0.5], [9, 1, 2, 3], [0.8, 0.7, 0, 0.4], [0.6, 0.6, 0.6, 0]])
    right = np.array([[3, 0], [0, 0], [1, 0], [2, 1], [2, 3], [3, 1], [3, 1]])
    assert score_ranks(scores, right).tolist() == [3, 1, 2, 2]
    assert score_ranks((100 * scores).astype(int), right).tolist() == [3, 1, 2, 2]


def test_what_was_not_scored_comes_last():
    """Of four items two were scored: right among them 1; right not among them 4, the worst."""
    scores = np.array([[0.2, 0.1, -np.inf, -np.inf]] * 2)
    assert score_ranks(scores, np.array([[0, 0], [1, 3]]), hidden=True).tolist() == [1, 4]


@pytest.mark.parametrize(("queries", "gallery"), [(1, 1), (40, 30), (7, 100)])
def test_ranks_by_blocks_are_those_of_the_whole(monkeypatch, queries, gallery):
    """Against the definition, a query at a time; whatever the blocks and the order."""
    rng = np.random.default_rng(queries)
    a, b = rng.normal(size=(queries, 5)), rng.normal(size=(gallery, 5))
    more = np.stack([rng.integers(queries, size=30), rng.integers(gallery, size=30)], axis=1)
    right = np.concatenate([np.stack([np.arange(queries), np.arange(queries) % gallery], 1), more])
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b)]
    scores = unit[0] @ unit[1].T
    expected = [
        min(int((scores[q] >= scores[q, i]).sum()) for p, i in right if p == q)
        for q in range(queries)
    ]
    for block in (1, 3 * gallery, 1 << 22):
        monkeypatch.setattr(ranks_module, "_BLOCK", block)
        assert embedding_ranks(7 * a, b, right).tolist() == expected
        assert score_ranks(scores, right).tolist() == expected
    turn = rng.permutation(gallery)  # item i stands at place turn[i]
    back = np.argsort(turn)
    moved = np.stack([right[:, 0], turn[right[:, 1]]], axis=1)
    assert embedding_ranks(a, b[back], moved).tolist() == expected


@pytest.mark.parametrize("width", [1, 3, 256])
def test_a_model_that_gives_all_the_same_is_last(width):
    """Also where a matrix product sums the last columns in another order; and for zeros."""
    vector = np.random.default_rng(1).normal(size=width)
    for constant in (vector, 0 * vector):
        for dtype in ("float16", "float32", "float64"):
            same = np.tile(constant.astype(dtype), (211, 1))
            assert set(embedding_ranks(same, same, one_each(211))) == {211}


def test_recalls_derived():
    """Three sentences over two videos. Cosines:

              video 0 (1,0)   video 1 (0,1)   right
    s0 (1,0)       1               0            0    rank 1
    s1 (3,4)      0.6             0.8           0    rank 2
    s2 (1,1)      0.7             0.7           1    rank 2, a tie

    t2v: R@1 1/3, R@5 and R@10 1, MedR 2, MeanR 5/3. Video 0 finds s0 first: 1. Video 1 has s1 (0.8)
    before its s2 (0.7): 2. v2t: R@1 1/2, MedR 1.5. r_mean (33.3 + 50 + 4 * 100) / 6 = 80.56.
    By chance: t2v R@1 1/2; v2t R@1: video 0 has two right of three, video 1 one: (2/3 + 1/3) / 2.
    """
    evaluate = RetrievalEvaluator(np.array([0, 0, 1]), 2)
    texts, videos = np.array([[1.0, 0], [3, 4], [1, 1]]), np.eye(2)
    report = evaluate.report(texts, videos)
    assert evaluate.primary_metric == "r_mean" and evaluate.greater_is_better
    assert evaluate(texts, videos) == report.metrics
    expected = {"t2v_R@1": 100 / 3, "t2v_R@5": 100, "t2v_R@10": 100, "v2t_R@1": 50}
    expected |= {"v2t_R@5": 100, "v2t_R@10": 100, "r_mean": 80.5556}
    expected |= {"t2v_MedR": 2, "t2v_MeanR": 5 / 3, "v2t_MedR": 1.5, "v2t_MeanR": 1.5}
    assert report.metrics == pytest.approx(expected)
    chance = {**dict.fromkeys(NAMES, 100), "t2v_R@1": 50, "v2t_R@1": 50, "r_mean": 500 / 6}
    assert report.chance == pytest.approx(chance)
    for part in (
        "3 sentences, gallery 2 videos",
        "2 videos, gallery 3 sentences",
        "1 to 2 sentences a video",
        "score: cosine",
        "scores >= the right one's, its own included, ties against",
        "no dual softmax",
        "seed 0",
    ):
        assert part in report.protocol
    named = RetrievalEvaluator(np.array([0, 0, 1]), 2, name="dev")
    assert named.primary_metric in named(texts, videos)
    assert {f"dev_{key}" for key in expected} == set(named(texts, videos))


def test_chance_is_what_random_orders_give(monkeypatch):
    """Nine videos with 1 to 3 of 20 sentences, one without: 500 random orders, and the formula."""
    monkeypatch.setattr(retrieval_module, "DRAWS", 2)
    of = np.array([0] * 3 + [1] * 3 + [2] * 3 + [3] * 3 + [4] * 2 + [5] * 2 + [6, 7, 8, 8])
    evaluate, rng = RetrievalEvaluator(of, 10), np.random.default_rng(0)
    reports = [evaluate.report_of_scores(rng.random((20, 10))).metrics for _ in range(500)]
    chance = evaluate.report_of_scores(rng.random((20, 10))).chance
    for name in NAMES:
        assert np.mean([r[name] for r in reports]) == pytest.approx(chance[name], abs=2), name
    assert chance["t2v_R@1"] == pytest.approx(10) and chance["t2v_R@10"] == pytest.approx(100)
    assert chance["v2t_R@1"] == pytest.approx(100 * np.mean([3, 3, 3, 3, 2, 2, 1, 1, 2]) / 20)
    assert "1 videos without one" in evaluate.report_of_scores(rng.random((20, 10))).protocol


def test_parity_with_scikit_learn():
    """One right answer and no ties: R@k is its top-k accuracy."""
    texts, videos, of = made(60, 60)
    evaluate = RetrievalEvaluator(of, 60)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (texts, videos)]
    scores, report = unit[0] @ unit[1].T, evaluate.report(texts, videos)
    for k in (1, 5, 10):
        forth = top_k_accuracy_score(of, scores, k=k, labels=np.arange(60))
        back = top_k_accuracy_score(np.argsort(of), scores.T, k=k, labels=np.arange(60))
        assert 0.05 < forth < 0.999  # there is something to compare
        assert report.metrics[f"t2v_R@{k}"] == pytest.approx(100 * forth)
        assert report.metrics[f"v2t_R@{k}"] == pytest.approx(100 * back)
    joint = evaluate.report_of_scores(scores)
    assert joint.metrics == pytest.approx(report.metrics) and joint.intervals == report.intervals
    assert "score: a joint model" in joint.protocol


def test_two_stages_score_other_pairs_each_way():
    scores = np.array([[0.9, -np.inf], [-np.inf, 0.1]])
    evaluate = RetrievalEvaluator(np.array([0, 1]), 2)
    report = evaluate.report_of_scores(scores, np.array([[-np.inf, 3], [2, 1.0]]), "two", True)
    assert report.metrics["t2v_R@1"] == 100 and report.metrics["v2t_R@1"] == 0
    assert "did not score comes after all others" in report.protocol
    with pytest.raises(VidsimError, match="query 0 and item 1 is -inf"):
        evaluate.report_of_scores(scores)


def test_intervals():
    """Seeded; around the figure; of the width that a binomial has; none where all is right.

    Sentences of one video that are copies of each other are one draw, not three: three copies of
    everything give the same interval of t2v.
    """
    texts, videos, of = made(60, 60)
    report = RetrievalEvaluator(of, 60).report(texts, videos)
    again = RetrievalEvaluator(of, 60).report(texts, videos)
    assert again == report
    assert RetrievalEvaluator(of, 60, seed=1).report(texts, videos).intervals != report.intervals
    for name in (*NAMES, "r_mean"):
        low, high = report.intervals[name]
        assert low <= report.metrics[name] <= high, name
    many, clips, those = made(1000, 1000)
    large = RetrievalEvaluator(those, 1000).report(many, clips)
    for name in NAMES:
        share, (low, high) = large.metrics[name] / 100, large.intervals[name]
        width = 100 * 2 * 1.96 * math.sqrt(share * (1 - share) / 1000)
        assert high - low == pytest.approx(width, rel=0.1), name
    thrice = RetrievalEvaluator(np.tile(of, 3), 60).report(np.tile(texts, (3, 1)), videos)
    for name in NAMES[:3]:
        assert thrice.intervals[name] == pytest.approx(report.intervals[name])
    perfect = RetrievalEvaluator(of, 60).report(videos[of], videos)
    assert set(perfect.intervals.values()) == {(100.0, 100.0)}
    assert perfect.as_json()["intervals"]["r_mean"] == [100.0, 100.0]


def test_the_order_of_sentences_changes_nothing():
    texts, videos, of = made(90, 30)
    turn = np.random.default_rng(5).permutation(90)
    there = RetrievalEvaluator(of, 30)(texts, videos)
    assert RetrievalEvaluator(of[turn], 30)(texts[turn], videos) == pytest.approx(there)
    alone = RetrievalEvaluator(np.array([0]), 1).report(texts[:1], videos[:1])
    assert alone.metrics["r_mean"] == alone.chance["r_mean"] == 100


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: score_ranks(np.array([[1.0, np.nan]]), [[0, 0]]), "query 0 and item 1 is nan"),
        (
            lambda: score_ranks(np.array([[np.inf, 1]]), [[0, 1]], True),
            "item 0 is inf; .* and -inf",
        ),
        (lambda: score_ranks(np.zeros(3), [[0, 0]]), r"shape \(3,\)"),
        (lambda: score_ranks(np.zeros((1, 2)), [[0, 2]]), "query 0, item 2; accepted are 0 to 0"),
        (lambda: score_ranks(np.zeros((1, 2)), [[0, -1]]), "item -1"),
        (lambda: score_ranks(np.zeros((2, 2)), [[0, 1]]), "query 1 has none"),
        (lambda: score_ranks(np.zeros((0, 2)), np.zeros((0, 2), int)), "there is no query"),
        (lambda: score_ranks(np.zeros((1, 2)), [0, 1]), r"shape \(2,\)"),
        (lambda: embedding_ranks(np.ones((1, 2)), np.ones((1, 3)), [[0, 0]]), r"\(1, 2\) and \(1,"),
        (
            lambda: embedding_ranks(np.ones((1, 2)), np.array([[1, 2], [np.nan, 1]]), [[0, 0]]),
            "gallery: the embedding of row 1",
        ),
        (
            lambda: embedding_ranks(np.full((1, 2), np.inf), np.eye(2), [[0, 0]]),
            "queries: .* row 0",
        ),
        (lambda: RetrievalEvaluator(np.zeros(0, int), 3), "one sentence or more"),
        (lambda: RetrievalEvaluator(np.array([0.5]), 3), "float64"),
        (lambda: RetrievalEvaluator(np.array([3]), 3), "item 3; accepted"),
        (lambda: RetrievalEvaluator(np.array([0]), 2)(np.eye(2), np.eye(2)), "2 embeddings of 1"),
        (
            lambda: RetrievalEvaluator(np.array([0]), 2).report_of_scores(np.eye(2)),
            r"accepted are \(1, 2\)",
        ),
    ],
)
def test_what_cannot_be_ranked_is_named(call, message):
    with pytest.raises(VidsimError, match=message):
        call()
