"""Text-to-video retrieval and back: how often is what is right among the first?

A published figure says little without the size of the gallery, the number of sentences a video and
how ties are counted: each report here carries them, with the chance of a random order and an
interval.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vidsim.errors import VidsimError
from vidsim.metrics.ranks import checked_pairs, embedding_ranks, score_ranks

CUTOFFS = (1, 5, 10)
"""The k of R@k."""
DRAWS = 1000
"""Draws of the bootstrap."""


@dataclass(frozen=True)
class RetrievalReport:
    """What a retrieval was measured to be, and all that is needed to compare it with another.

    Attributes:
        metrics: R@1, R@5, R@10 in percent, MedR and MeanR as ranks, with t2v_ (text to video) or
            v2t_ before them; r_mean, the mean of the six R@k in percent.
        chance: of each R@k and r_mean, in percent: what a random order gives on average.
        intervals: of the same, (low, high) in percent: 95 %, percentile bootstrap.
        protocol: gallery, queries and conventions in one line.
    """

    metrics: dict[str, float]
    chance: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    protocol: str

    def as_json(self) -> dict[str, Any]:
        """The same as plain dicts, lists and numbers."""
        return asdict(self) | {"intervals": {k: list(v) for k, v in self.intervals.items()}}


class RetrievalEvaluator:
    """Scores two matrices of embeddings, one of sentences and one of videos.

    A trainer calls it with what the model gives now, and reads ``primary_metric`` and
    ``greater_is_better`` to know which checkpoint is the best; it knows nothing of the trainer.

    Shapes: S sentences, V videos; called with (S, D) and (V, D).

    Args:
        videos: (S,) int, the row of each sentence's video. Several sentences may have one video; a
            video without a sentence is searched among the others, but asks nothing.
        count: V, the number of videos.
        name: goes before the metrics' names, so that two evaluators can be told apart.
        seed: of the bootstrap.

    Raises:
        VidsimError: no sentence, or one whose video is not among the V.
    """

    greater_is_better = True

    def __init__(self, videos: np.ndarray, count: int, name: str = "", seed: int = 0):
        videos = np.asarray(videos)
        if videos.ndim != 1 or not len(videos) or videos.dtype.kind not in "iu":
            raise VidsimError(
                f"retrieval: the sentences' videos have the shape {videos.shape} ({videos.dtype}); "
                "accepted is one row number a sentence, of one sentence or more"
            )
        self.videos, self.count, self.seed = videos.astype(np.int64), count, seed
        self._prefix = f"{name}_" if name else ""
        self.primary_metric = f"{self._prefix}r_mean"
        self._asking, places = np.unique(self.videos, return_inverse=True)  # videos with sentences
        self._t2v = np.stack([np.arange(len(videos)), self.videos], axis=1)
        self._v2t = np.stack([places, np.arange(len(videos))], axis=1)
        checked_pairs(self._t2v, len(videos), count)

    def __call__(self, texts: np.ndarray, videos: np.ndarray) -> dict[str, float]:
        """The metrics of `RetrievalReport`, by cosine."""
        return self._named(_metrics(*self._ranks(texts, videos)))

    def report(self, texts: np.ndarray, videos: np.ndarray) -> RetrievalReport:
        """The metrics by cosine, with chance, intervals and protocol."""
        return self._report(*self._ranks(texts, videos), "cosine of two embeddings")

    def report_of_scores(
        self,
        t2v: np.ndarray,
        v2t: np.ndarray | None = None,
        scored_by: str = "a joint model",
        hidden: bool = False,
    ) -> RetrievalReport:
        """The same where a model scores sentence and video together.

        Args:
            t2v: (S, V) scores of each sentence's search.
            v2t: (V, S) scores of each video's search; None: those of t2v. Two-stage retrieval
                scores other pairs in each direction.
            scored_by: in words, for the protocol.
            hidden: whether -inf is allowed, for pairs that were not scored.

        Raises:
            VidsimError: other shapes, or scores that are not finite.
        """
        forth, back = self._score_ranks(t2v, v2t, hidden)
        if hidden:
            scored_by += "; a pair that it did not score comes after all others"
        return self._report(forth, back, scored_by)

    def metrics_of_scores(
        self, t2v: np.ndarray, v2t: np.ndarray | None = None, hidden: bool = False
    ) -> dict[str, float]:
        """The metrics alone, in a small part of the time; as `report_of_scores`."""
        return self._named(_metrics(*self._score_ranks(t2v, v2t, hidden)))

    def chance(self) -> dict[str, float]:
        """What a random order scores: every R@k and their mean."""
        places = self._v2t[:, 0]
        sentences = np.bincount(places).tolist()  # of each video that has some
        forth = [[_chance(self.count, 1, k)] for k in CUTOFFS]
        back = [[_chance(len(places), m, k) for m in sentences] for k in CUTOFFS]
        return self._named(_recalls(forth, back))

    def _ranks(self, texts: np.ndarray, videos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(S,) ranks of the sentences' searches, and those of the videos that have sentences."""
        texts, videos = np.asarray(texts), np.asarray(videos)
        if len(texts) != len(self.videos) or len(videos) != self.count:
            raise VidsimError(
                f"retrieval: {len(texts)} embeddings of {len(self.videos)} sentences and "
                f"{len(videos)} of {self.count} videos"
            )
        forth = embedding_ranks(texts, videos, self._t2v)
        return forth, embedding_ranks(videos[self._asking], texts, self._v2t)

    def _score_ranks(
        self, t2v: np.ndarray, v2t: np.ndarray | None, hidden: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same ranks, by scores in the place of embeddings."""
        t2v = np.asarray(t2v)
        v2t = t2v.T if v2t is None else np.asarray(v2t)
        wanted = (len(self.videos), self.count)
        if t2v.shape != wanted or v2t.shape != wanted[::-1]:
            raise VidsimError(
                f"scores have the shapes {t2v.shape} and {v2t.shape}; accepted are {wanted} and "
                f"{wanted[::-1]}"
            )
        forth = score_ranks(t2v, self._t2v, hidden)
        return forth, score_ranks(v2t[self._asking], self._v2t, hidden)

    def _named(self, metrics: dict[str, Any]) -> dict[str, Any]:
        return {f"{self._prefix}{name}": value for name, value in metrics.items()}

    def _report(self, forth: np.ndarray, back: np.ndarray, scored_by: str) -> RetrievalReport:
        places = self._v2t[:, 0]
        return RetrievalReport(
            self._named(_metrics(forth, back)),
            self.chance(),
            self._named(_intervals(forth, back, places, self.seed)),
            self._protocol(np.bincount(places), scored_by),
        )

    def _protocol(self, sentences: np.ndarray, scored_by: str) -> str:
        least, most = sentences.min(), sentences.max()
        each = f"{most}" if least == most else f"{least} to {most}"
        silent = self.count - len(sentences)
        return (
            f"t2v: {len(self.videos)} sentences, gallery {self.count} videos; v2t: "
            f"{len(sentences)} videos, gallery {len(self.videos)} sentences; {each} sentences a "
            f"video{f', {silent} videos without one' if silent else ''}; score: {scored_by}; rank: "
            "number of scores >= the right one's, its own included, ties against the model, the "
            "best of several right ones; MedR: median; no dual softmax; interval: 95 %, percentile "
            f"bootstrap, {DRAWS} draws of videos with their sentences, seed {self.seed}"
        )


def _recalls(forth: Any, back: Any) -> dict[str, float]:
    """R@k of each direction from shares of hits, (3, Q) each, and their mean; in percent."""
    found = {}
    for name, hits in (("t2v", forth), ("v2t", back)):
        found |= {
            f"{name}_R@{k}": 100 * float(np.mean(of_k))
            for k, of_k in zip(CUTOFFS, hits, strict=True)
        }
    return found | {"r_mean": sum(found.values()) / len(found)}


def _hits(ranks: np.ndarray) -> np.ndarray:
    """(Q,) ranks -> (3, Q), 1 where the rank is at most k."""
    return (ranks <= np.array(CUTOFFS)[:, None]).astype(np.float64)


def _metrics(forth: np.ndarray, back: np.ndarray) -> dict[str, float]:
    metrics = _recalls(_hits(forth), _hits(back))
    for name, ranks in (("t2v", forth), ("v2t", back)):
        metrics |= {f"{name}_MedR": float(np.median(ranks)), f"{name}_MeanR": float(ranks.mean())}
    return metrics


def _chance(gallery: int, right: int, k: int) -> float:
    """That one of the right items is among the first k of a random order of the gallery."""
    none = (max(gallery - right - i, 0) / (gallery - i) for i in range(min(k, gallery)))
    return 1 - math.prod(none)


def _intervals(
    forth: np.ndarray, back: np.ndarray, places: np.ndarray, seed: int
) -> dict[str, tuple[float, float]]:
    """95 % of what other draws of as many videos would have given.

    A video is drawn with all its sentences, in both directions: its sentences are no independent
    queries. With one sentence a video this draws queries.

    Args:
        forth: (S,) ranks of sentences.
        back: (V,) ranks of the videos that have sentences.
        places: (S,) of each sentence its video among these.
        seed: of the draws.
    """
    sums = np.stack([np.bincount(places, hits) for hits in _hits(forth)], axis=1)  # (V, 3)
    table = np.concatenate([sums, _hits(back).T, np.bincount(places)[:, None]], axis=1)  # (V, 7)
    generator, count = np.random.default_rng(seed), len(back)
    drawn = np.empty((DRAWS, 7))
    for row in drawn:
        times = np.bincount(generator.integers(count, size=count), minlength=count)
        totals = times @ table
        row[:3], row[3:6] = totals[:3] / totals[6], totals[3:6] / count
        row[6] = row[:6].mean()
    low, high = 100 * np.percentile(drawn, [2.5, 97.5], axis=0)
    names = [*(f"{name}_R@{k}" for name in ("t2v", "v2t") for k in CUTOFFS), "r_mean"]
    return {n: (float(a), float(b)) for n, a, b in zip(names, low, high, strict=True)}
