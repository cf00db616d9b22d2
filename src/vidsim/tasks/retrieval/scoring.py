"""Scores of a match head for many pairs of sentences and videos."""

from typing import TYPE_CHECKING, Any

import numpy as np

from vidsim.blending.blend import l2_normalize
from vidsim.blending.member_file import MemberFile
from vidsim.blending.progress import StepProgress
from vidsim.errors import VidsimError, unwrapped
from vidsim.models.match_scorer import PairMatch, SideStates, StateMatch
from vidsim.models.match_two_tower import OF_TEXT
from vidsim.tasks.loaded_model import LoadedModel
from vidsim.tasks.retrieval.match_job import PLACES, SCORES, MatchJob

if TYPE_CHECKING:
    from vidsim.preprocess.examples import Examples


def match_scores(model: LoadedModel, job: MatchJob, part: slice) -> dict[str, np.ndarray]:
    """The arrays of a MatchJob for some of its rows.

    Args:
        model: of a checkpoint of retrieval with a match head.
        job: what to score; its files of embeddings are there.
        part: which of its rows.

    Raises:
        VidsimError: the model was trained without a match head.
    """
    scorer = getattr(model.model, "matcher", None)
    if scorer is None:
        raise VidsimError(
            f"{job.path}: this model was trained without a match head, which --mode two-stage and "
            "joint need: finetune it with --match-weight 1, or take --mode embedding"
        )
    own, other = (
        MemberFile(path, np.char.decode(ids, "utf-8"))
        for path, ids in zip(job.embeddings, (job.ids, job.other_ids), strict=True)
    )
    places = nearest(own[part], other[:], job.count)  # (K, k)
    wanted, columns = np.unique(places, return_inverse=True)
    sides = [
        (model.examples(job.table), job.rows[part]),
        (model.examples(job.other), job.other_rows[wanted]),
    ]
    pairs = np.stack([np.repeat(np.arange(len(places)), job.count), columns.reshape(-1)])
    if not job.texts_search:
        sides, pairs = sides[::-1], pairs[::-1]
    source = (_States if isinstance(scorer, StateMatch) else _Inputs)(scorer, sides, model)
    return {PLACES: places, SCORES: _scored(scorer, source, pairs, job).reshape(places.shape)}


def nearest(rows: np.ndarray, others: np.ndarray, count: int) -> np.ndarray:
    """(K, count) int32: for each row the others by falling cosine; of equal ones the first."""
    cosines = l2_normalize(rows.astype(np.float64)) @ l2_normalize(others.astype(np.float64)).T
    return np.argsort(-cosines, axis=1, kind="stable")[:, :count].astype(np.int32)


def _scored(scorer: Any, source: Any, pairs: np.ndarray, job: MatchJob) -> np.ndarray:
    """(P,) float32 of pairs (2, P) of places among the texts and among the videos."""
    size, total = source.batch_size, pairs.shape[1]
    found = np.empty(total, np.float32)
    with StepProgress() as progress, scorer.backbone.on_its_devices(), unwrapped():
        progress.step(job.path.stem, total, "pairs")
        for start in range(0, total, size):
            batch = pairs[:, start : start + size]
            full = np.pad(batch, [(0, 0), (0, size - batch.shape[1])], mode="edge")
            scores = scorer.predict_on_batch(source.batch(*full))
            found[start : start + size] = scores[: batch.shape[1]]
            progress.advance(batch.shape[1])
    return found


class _States:
    """Sides of an ALBEF that are encoded once, so that a pair is a pass of the fusion alone."""

    def __init__(
        self, scorer: StateMatch, sides: "list[tuple[Examples, np.ndarray]]", model: LoadedModel
    ):
        self.batch_size = model.batch_size
        self._sides = {}
        for name, (examples, rows) in zip(("text", "frame"), sides, strict=True):
            encoder = model.model.sides[name]
            self._sides[name] = _encoded(encoder, examples, rows, model.batch_size)

    def batch(self, texts: np.ndarray, videos: np.ndarray) -> dict[str, np.ndarray]:
        made = {}
        for name, places in (("text", texts), ("frame", videos)):
            states, mask = self._sides[name]
            made |= {f"{name}_states": states[places], f"{name}_mask": mask[places]}
        return made


class _Inputs:
    """Words and frames of each pair, put together for a backbone that reads both at once."""

    def __init__(
        self, scorer: PairMatch, sides: "list[tuple[Examples, np.ndarray]]", model: LoadedModel
    ):
        self.batch_size, self._sides = model.batch_size, sides

    def batch(self, texts: np.ndarray, videos: np.ndarray) -> dict[str, np.ndarray]:
        made = {}
        for (examples, rows), places, of_texts in zip(
            self._sides, (texts, videos), (True, False), strict=True
        ):
            inputs = examples.batch(rows[places])
            made |= {name: x for name, x in inputs.items() if (name in OF_TEXT) == of_texts}
        return made


def _encoded(
    encoder: SideStates, examples: "Examples", rows: np.ndarray, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """States (N, S, width) and mask (N, S) of some rows, S of the longest."""
    from vidsim.preprocess.pipeline import embedding_dataset

    dataset = embedding_dataset(examples, rows, batch_size, encoder.backbone.devices)
    with encoder.backbone.on_its_devices(), unwrapped():
        parts = [encoder.predict_on_batch(dict(batch)) for batch in dataset.as_numpy_iterator()]
    longest = max(mask.shape[1] for _, mask in parts)
    states, masks = [], []
    for x, mask in parts:
        more = longest - mask.shape[1]
        states.append(np.pad(x, [(0, 0), (0, more), (0, 0)]))
        masks.append(np.pad(mask, [(0, 0), (0, more)]))
    return np.concatenate(states)[: len(rows)], np.concatenate(masks)[: len(rows)]
