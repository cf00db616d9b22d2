"""Blends what inference left, and says what it is worth: retrieval.json.

It needs neither a model nor TensorFlow. A blend of models scores a sentence and a video by the
weighted mean of the models' cosines. That is the dot product of their vectors side by side, each
scaled to length one and by the root of its weight. The modes with a match head are blended by
`match_blend`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidsim.blending.blend import l2_normalize
from vidsim.blending.earlier import free_mark, marked
from vidsim.blending.weights import resolve_weights
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.files import write_json
from vidsim.metrics.retrieval import RetrievalEvaluator, RetrievalReport
from vidsim.provenance import provenance
from vidsim.recipes import registry
from vidsim.tasks.job import Job
from vidsim.tasks.member_records import (
    Member,
    check_members,
    describe_members,
    read_members,
    run_seeds,
)
from vidsim.tasks.retrieval.configs import RetrievalEnsembleConfig, RetrievalInferenceConfig
from vidsim.tasks.retrieval.cosine_weight import cosine_weights, in_words
from vidsim.tasks.retrieval.data import evaluator_of
from vidsim.tasks.retrieval.match_blend import (
    ScoredModel,
    blended_matches,
    read_embeddings,
    scored_by,
)
from vidsim.tasks.retrieval.predictions import EmbeddedSides
from vidsim.tasks.retrieval.report import ENSEMBLE, Marks, print_marks

FORMAT = 1
RESULT = "retrieval.json"


def run(common: Common, config: RetrievalEnsembleConfig) -> None:
    """Scores every recipe and their blend: out of fold, and on the test part where there is one.

    Raises:
        VidsimError: embeddings are missing, or are not of these runs and data, or weights do not
            fit.
    """
    # 1 Config and data
    names = registry.names(common.recipes)
    weights, origin = resolve_weights(names, config.weights)
    mode = RetrievalInferenceConfig(mode=config.mode, k_test=config.k_test)
    sides = EmbeddedSides(common, mode)
    members = read_members(common, names, sides.folds, sides.name)
    averaged = "cosines" if config.mode == "embedding" else "probabilities of a match"
    notes = [f"blend: {averaged} averaged by weight; {origin}", *_checked(common, sides, members)]

    # 2 Evaluate
    cosines = cosine_weights(config, names, lambda name: _validations(common, sides, name))
    score = _Scores(config, weights, cosines)
    marks = Marks(
        validation={fold: _of_fold(common, sides, score, fold) for fold in sides.folds},
        test=_of_test(common, sides, score),
    )

    # 3 Write
    folder = common.task_dir / common.run("ensemble")
    result = _result(common, score, marks, notes, members)
    moved = _move_other_aside(folder / RESULT, result)
    write_json(folder / RESULT, result)
    print_marks(marks, weights, notes)
    print(f"{folder / RESULT}: written" + (f"; the earlier one is {moved}" if moved else ""))


def _checked(common: Common, sides: EmbeddedSides, members: Sequence[Member]) -> list[str]:
    """Notes on the files of all members.

    Raises:
        VidsimError: files are missing, or were made of other videos or sentences than there are.
    """
    for member in members:
        again = (
            f"make the embeddings again: python inference --task {common.task} --recipes "
            f"{member.recipe} --folds {member.fold}{sides.flags}"
        )
        jobs = sides.jobs(common.run(member.recipe), member.fold)
        missing = [str(job.path) for job in jobs.values() if not job.path.is_file()]
        if missing:
            raise VidsimError(f"{', '.join(missing)} not found; {again}")
        recorded = (member.record or {}).get("data")
        wanted = {name: job.hashes for name, job in jobs.items()}
        if recorded is not None and recorded != wanted:
            differing = [name for name in wanted if recorded.get(name) != wanted[name]]
            raise VidsimError(
                f"{member.path.with_suffix('.json')}: its record is of other videos or sentences "
                f"than there are now ({', '.join(differing or recorded)}); {again}"
            )
    return check_members(common, members, sides.test.digest if sides.test else None)


@dataclass(frozen=True)
class _Scores:
    """How pairs are scored: by what, with which weights of the recipes and of their cosines."""

    config: RetrievalEnsembleConfig
    weights: Mapping[str, float]
    cosines: Mapping[str, float]

    @property
    def words(self) -> str:
        cosines = in_words(self.cosines, fitted=self.config.cosine_weight is None)
        return scored_by(self.config.mode, self.config.k_test, cosines)

    def reports(
        self,
        evaluate: RetrievalEvaluator,
        jobs: Mapping[str, Sequence[Mapping[str, Job]]],
        part: str,
    ) -> dict[str, RetrievalReport]:
        """Of each recipe and of the blend, on "test" or "validation"."""
        if self.config.mode == "embedding":
            pairs = _scored(jobs, self.weights, (f"{part}_texts", part))
            return {name: evaluate.report(*pair) for name, pair in pairs.items()}
        models = {
            name: [
                ScoredModel(found, self.weights[name] / len(of_folds), self.cosines[name])
                for found in of_folds
            ]
            for name, of_folds in jobs.items()
        }
        models[ENSEMBLE] = [model for of_name in models.values() for model in of_name]
        return {
            name: evaluate.report_of_scores(
                *blended_matches(of_name, part), scored_by=self.words, hidden=True
            )
            for name, of_name in models.items()
        }


def _validations(
    common: Common, sides: EmbeddedSides, name: str
) -> list[tuple[RetrievalEvaluator, Mapping[str, Job]]]:
    """Of one recipe, what judges each fold's validation part, and its files."""
    return [
        (sides.load(fold).evaluator(), sides.jobs(common.run(name), fold)) for fold in sides.folds
    ]


def _of_fold(
    common: Common, sides: EmbeddedSides, score: _Scores, fold: int
) -> dict[str, RetrievalReport]:
    """Each recipe's, and their blend's, by the models of one fold on what it was not trained on."""
    jobs = {name: [sides.jobs(common.run(name), fold)] for name in score.weights}
    return score.reports(sides.load(fold).evaluator(), jobs, "validation")


def _of_test(common: Common, sides: EmbeddedSides, score: _Scores) -> dict[str, RetrievalReport]:
    """The same on the test part, by the models of all folds; {} where it has no captions."""
    if sides.test is None or sides.test_captions is None:
        return {}
    jobs = {n: [sides.jobs(common.run(n), fold) for fold in sides.folds] for n in score.weights}
    return score.reports(evaluator_of(sides.test_captions, sides.test.ids), jobs, "test")


def _scored(
    jobs: Mapping[str, Sequence[Mapping[str, Job]]],
    weights: Mapping[str, float],
    parts: tuple[str, str],
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Sentences and videos of each recipe and of the blend, whose cosines are the scores."""
    sides: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for name, of_folds in jobs.items():
        sides[name] = [
            (read_embeddings(found[parts[0]]), read_embeddings(found[parts[1]]))
            for found in of_folds
        ]
    found = {name: side_by_side(pairs, [1] * len(pairs)) for name, pairs in sides.items()}
    every = [(pair, weights[n] / len(pairs)) for n, pairs in sides.items() for pair in pairs]
    found[ENSEMBLE] = side_by_side([pair for pair, _ in every], [weight for _, weight in every])
    return found


def side_by_side(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], weights: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors whose cosine is the weighted mean of the cosines of some pairs of matrices.

    Args:
        pairs: (S, D) sentences and (V, D) videos of each model; a zero vector has cosine 0 to all.
        weights: of the models, > 0.

    Returns:
        (S, W) and (V, W) float64, every row of length one. Their last two columns, 0 unless a model
        gives a zero vector, make up the length in directions that the other side has not.
    """
    roots = np.sqrt(np.asarray(weights, np.float64) / np.sum(weights))
    made = []
    for side in (0, 1):
        scaled = [
            r * l2_normalize(p[side].astype(np.float64)) for r, p in zip(roots, pairs, strict=True)
        ]
        joined = np.concatenate(scaled, axis=1)
        missing = np.sqrt(np.clip(1 - np.square(joined).sum(axis=1), 0, None))
        missing[missing < 1e-6] = 0  # rounding
        filled = np.zeros((len(joined), 2))
        filled[:, side] = missing
        made.append(np.concatenate([joined, filled], axis=1))
    return made[0], made[1]


def _move_other_aside(path: Path, result: Mapping[str, Any]) -> Path | None:
    """Moves an earlier result of another mode or other weights to retrieval.old-<n>.json."""
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        earlier = None  # damaged: whatever it was
    same = isinstance(earlier, dict) and all(
        earlier.get(key) == result[key] for key in ("mode", "scored_by", "weights")
    )
    if same:
        return None
    return path.rename(marked(path, free_mark([path])))


def _result(
    common: Common, score: _Scores, marks: Marks, notes: list[str], members: Sequence[Member]
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "mode": score.config.mode,
        "scored_by": score.words,
        "weights": dict(score.weights),
        **({"cosine_weights": dict(score.cosines)} if score.cosines else {}),
        **marks.as_json(),
        "notes": notes,
        "origin": {
            "data": common.data_dir,
            "ensemble": asdict(score.config),
            "seeds": run_seeds(members),
            "members": describe_members(members),
            **provenance(),
        },
    }
