"""The scores of match heads, of one model or of several.

A model's score of a pair is the probability that sentence and video match. A blend is the weighted
mean; a pair that a model did not score, because it was not among the best of its own embeddings,
counts as 0 there. What no model scored comes after everything else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vidsim.blending.blend import l2_normalize
from vidsim.blending.member_file import MemberFile, name_ids
from vidsim.errors import VidsimError
from vidsim.schema import ID
from vidsim.tasks.job import Job
from vidsim.tasks.retrieval.match_job import PLACES, SCORES, MatchJob, Mode


@dataclass(frozen=True)
class ScoredModel:
    """What a blend takes of one model.

    Attributes:
        jobs: its files, by part.
        weight: of its probabilities, above 0.
        cosine_weight: this times the cosine of its embeddings, less the greatest of them all, is
            added to the log-odds of a match.
    """

    jobs: Mapping[str, Job]
    weight: float
    cosine_weight: float = 0.0


def scored_by(mode: Mode, k_test: int, cosines: str = "") -> str:
    """A mode in words, as the protocol has it.

    Args:
        mode: of inference.
        k_test: of two-stage.
        cosines: what is added to the log-odds, in words.
    """
    if mode == "embedding":
        return "cosine of two embeddings"
    head = "probability of a match by the match head"
    if cosines:
        head += f", {cosines}"
    return head + (f", of each search's {k_test} best by cosine" if mode == "two-stage" else "")


def blended_matches(models: Sequence[ScoredModel], part: str) -> tuple[np.ndarray, np.ndarray]:
    """(S, V) scores of the sentences' searches and (V, S) of the videos'; -inf: nobody scored it.

    Args:
        models: of one recipe, or of all.
        part: "test" or "validation".
    """
    forth = _blended(models, f"{part}_texts_match")
    if f"{part}_match" not in models[0].jobs:  # every pair is scored at once
        return forth, forth.T
    return forth, _blended(models, f"{part}_match")


def read_embeddings(job: Job) -> np.ndarray:
    """(N, D) of a job's file."""
    return MemberFile(job.path, np.char.decode(job.ids, "utf-8"))[:]


def match_matrix(
    places: np.ndarray, scores: np.ndarray, count: int, hidden: float = -np.inf
) -> np.ndarray:
    """Scores of some cells of each row as a whole matrix.

    Args:
        places: the columns.
        scores: what stands there.
        count: M, columns.
        hidden: what stands everywhere else.

    Shapes: places (N, k), scores (N, k) -> (N, M) float64
    """
    matrix = np.full((len(places), count), hidden, np.float64)
    np.put_along_axis(matrix, places.astype(np.int64), scores.astype(np.float64), axis=1)
    return matrix


def _blended(models: Sequence[ScoredModel], name: str) -> np.ndarray:
    total, scored, whole = 0.0, False, sum(model.weight for model in models)
    for model in models:
        job = model.jobs[name]
        assert isinstance(job, MatchJob)
        places, scores = _read(job)
        if model.cosine_weight:
            cosines = np.take_along_axis(_cosines(model.jobs, name), places, 1)
            # so that no probability is rounded to 1, where many would be equal
            scores = scores + model.cosine_weight * (cosines - cosines.max())
        odds = match_matrix(places, scores, len(job.other_rows))
        total = total + model.weight / whole / (1 + np.exp(-odds))
        scored = scored | np.isfinite(odds)
    return np.where(scored, total, -np.inf)


def _cosines(jobs: Mapping[str, Job], name: str) -> np.ndarray:
    """Of the side that searches, with the other one."""
    own = name.removesuffix("_match")
    other = own.removesuffix("_texts") if own.endswith("_texts") else f"{own}_texts"
    rows, others = (l2_normalize(read_embeddings(jobs[n]).astype(np.float64)) for n in (own, other))
    return rows @ others.T


def _read(job: MatchJob) -> tuple[np.ndarray, np.ndarray]:
    """Places (N, k) and scores (N, k) float64 of a file.

    Raises:
        VidsimError: it cannot be read, or is of others.
    """
    try:
        with np.load(job.path, allow_pickle=False) as file:
            ids, places, scores = file[ID], file[PLACES], file[SCORES]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise VidsimError(f"{job.path}: no file of match scores ({error})") from None
    wanted = np.char.decode(job.ids, "utf-8")
    shape = (len(wanted), job.count)
    if not np.array_equal(ids, wanted) or places.shape != shape or scores.shape != shape:
        raise VidsimError(
            f"{job.path}: scores of {name_ids(ids.tolist())}, {places.shape}; wanted are those of "
            f"{name_ids(wanted.tolist())}, {shape}"
        )
    if not np.isfinite(scores).all():
        raise VidsimError(f"{job.path}: scores that are not finite; train this fold again")
    return places.astype(np.int64), scores.astype(np.float64)
