"""Door 4: many models' embeddings -> result.zip, and what it should score.

It needs neither a model nor TensorFlow, takes seconds, and so runs every time. Members are read by
rows, so that memory does not grow with the videos.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from rich.filesize import decimal

from vidsim.blending.blend import Blend
from vidsim.blending.figure import draw_report
from vidsim.blending.fold_mean import FoldMean
from vidsim.blending.member_file import MemberFile
from vidsim.blending.members import find_members, member_path, validation_path
from vidsim.blending.out_of_fold import pair_keys, score_out_of_fold
from vidsim.blending.report import Report, print_report
from vidsim.blending.row_source import RowSource, source_cosine
from vidsim.blending.scores import ENSEMBLE, Scores
from vidsim.blending.submission import check_submission, write_submission
from vidsim.blending.weights import resolve_weights
from vidsim.config import Common, parse_folds
from vidsim.errors import VidsimError
from vidsim.files import write_json
from vidsim.metrics.spearman import spearman
from vidsim.recipes import registry
from vidsim.records.fold_manifest import VAL_FILE, read_folds
from vidsim.records.labels import read_labels
from vidsim.records.pairs import Pairs
from vidsim.records.video_table import VideoTable
from vidsim.stages.configs import EnsembleConfig
from vidsim.stages.data_files import complete, open_pairs, open_ratings, open_table

_DRIFT = 0.01  # a fold's Spearman may differ so much from its finetuning's (lower precision there)


@dataclass(frozen=True)
class _Plan:
    """What is blended and judged, found on disk before anything is read at length."""

    weights: dict[str, float]  # by recipe
    folds: list[int]
    ids: list[str]  # the videos of the submission
    fold_pairs: dict[int, Pairs]  # the validation part of each fold
    rated: Pairs  # every rated pair
    test_pairs: Pairs | None  # of the test videos, where their ratings are known
    test_rows: np.ndarray  # (pairs, 2) their places in `ids`
    files: list[Path]
    notes: list[str]


def run(common: Common, config: EnsembleConfig) -> None:
    """Blends what inference left, writes the submission, checks it and reports.

    Raises:
        VidsimError: embeddings that are missing or of other videos, weights that do not fit, or a
            submission that the challenge would refuse.
    """
    common.check_fields()
    config.check_fields()
    if config.check is not None:
        _check(common, config, config.check)
        return

    # 1 Config and data
    plan = _plan(common, config)

    # 2 Blend
    ids = np.array(plan.ids)
    sources: dict[str, RowSource] = {
        name: _recipe_mean(common, config, plan, name, ids) for name in plan.weights
    }
    weights = list(plan.weights.values())
    blended = Blend(list(sources.values()), weights, config.blend, config.raw)

    # 3 Write
    _write_checked(common.output_zip, plan.ids, blended)

    # 4 Evaluate
    report = _evaluate(common, config, plan, sources | {ENSEMBLE: blended})

    # 5 Report
    _save(common, config, plan, report)
    print_report(report)
    size = decimal(common.output_zip.stat().st_size)
    print(f"{common.output_zip}: {size}, {len(ids):,} videos, checked")


def _plan(common: Common, config: EnsembleConfig) -> _Plan:
    names = registry.names(common.recipes)
    weights, origin = resolve_weights(names, config.weights)
    written = read_folds(common.data_dir).folds
    folds = parse_folds(common.folds, len(written))
    notes = [f"blend: {config.blend}{', raw vectors' if config.raw else ''}; {origin}"]
    if len(folds) < len(written):
        named = ", ".join(map(str, folds))
        notes.append(f"folds: {named}, as named by --folds; there are {len(written)}")
    videos = sum(written[fold].val_videos for fold in folds)
    seen = sum(written[fold].val_videos_seen for fold in folds)
    notes.append(
        f"{seen:,} of {videos:,} validation videos are in other pairs of the training part"
    )
    files = find_members(common, names, folds)
    pairwise = common.data_dir / "pairwise"
    test_file = _test_file(common, config)
    table = open_table(common, test_file)
    test_pairs, test_rows = _test_ratings(test_file.with_name("label.tsv"), table)
    val_files = {fold: pairwise / written[fold].name / VAL_FILE for fold in folds}
    return _Plan(
        weights=weights,
        folds=folds,
        ids=[name.decode() for name in table.ids.tolist()],
        fold_pairs={
            fold: open_pairs(common, path, written[fold].val_pairs)[0]
            for fold, path in val_files.items()
        },
        rated=read_labels(config.annotation_file or pairwise / "label.tsv"),
        test_pairs=test_pairs,
        test_rows=test_rows,
        files=files,
        notes=notes,
    )


def _test_file(common: Common, config: EnsembleConfig) -> Path:
    return config.test_b_file or common.data_dir / "test_b" / "test_b.tfrecords"


def _recipe_mean(
    common: Common, config: EnsembleConfig, plan: _Plan, name: str, ids: np.ndarray
) -> FoldMean:
    files = (member_path(common.save_dir, name, fold) for fold in plan.folds)
    return FoldMean([MemberFile(path, ids) for path in files], config.raw)


def _write_checked(path: Path, ids: Sequence[str], vectors: RowSource) -> None:
    write_submission(path, ids, vectors)
    _refuse_problems(path, ids)


def _check(common: Common, config: EnsembleConfig, path: Path) -> None:
    """Judges a submission from anywhere."""
    ids = [name.decode() for name in open_table(common, _test_file(common, config)).ids.tolist()]
    _refuse_problems(path, ids)
    print(f"{path}: good to send in: {len(ids):,} videos, none missing")


def _refuse_problems(path: Path, ids: Sequence[str]) -> None:
    problems = check_submission(path, ids)
    if problems:
        raise VidsimError(f"{path} must not be sent in:\n  " + "\n  ".join(problems))


def _evaluate(
    common: Common, config: EnsembleConfig, plan: _Plan, sources: Mapping[str, RowSource]
) -> Report:
    def load(name: str, fold: int, ids: np.ndarray) -> RowSource:
        return MemberFile(validation_path(common.save_dir, name, fold), ids)

    scores, scored = score_out_of_fold(
        plan.fold_pairs, load, plan.weights, config.blend, config.raw
    )
    test_scores = _score_test(plan, sources)
    return Report(
        scores={name: replace(row, test_b=test_scores.get(name)) for name, row in scores.items()},
        weights=plan.weights,
        blend=config.blend,
        raw=config.raw,
        videos=len(plan.ids),
        pairs=len(scored),
        left_out=len(set(pair_keys(plan.rated)) - scored),
        test_pairs=len(plan.test_rows),
        notes=plan.notes + _unlike_training(common.save_dir, scores),
    )


def _test_ratings(labels: Path, table: VideoTable) -> tuple[Pairs | None, np.ndarray]:
    """The rated test pairs and the rows of their videos; nothing without labels."""
    if not labels.is_file():
        return None, np.zeros((0, 2), np.int64)
    pairs, rows = open_ratings(labels, table)
    known = complete(rows)
    return pairs.take(known), rows[known]


def _score_test(plan: _Plan, sources: Mapping[str, RowSource]) -> dict[str, float]:
    """Spearman on the test pairs by name; nothing without ratings."""
    if plan.test_pairs is None:
        return {}
    scores, (rows_1, rows_2) = {}, plan.test_rows.T
    for name, source in sources.items():
        dtype = "float16" if name == ENSEMBLE else "float32"  # scored as it is in the file
        cosines = source_cosine(source, rows_1, rows_2, dtype)
        scores[name] = spearman(cosines, plan.test_pairs.sim)
    return scores


def _unlike_training(save_dir: Path, scores: Mapping[str, Scores]) -> list[str]:
    """A note for each fold whose embeddings do not score what its finetuning wrote down."""
    notes = []
    for name, row in scores.items():
        for fold, value in row.folds.items():
            path = save_dir / "finetune" / name / f"fold{fold}" / "metrics.json"
            recorded = _recorded_spearman(path)
            if recorded is not None and not abs(recorded - value) <= _DRIFT:
                notes.append(
                    f"{path} says {recorded:.4f}, the embeddings score {value:.4f}: are they of an "
                    "older model? Then make them again"
                )
    return notes


def _recorded_spearman(path: Path) -> float | None:
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["spearman"])
    except (OSError, ValueError, TypeError, KeyError):
        return None  # embeddings may come from elsewhere, without the run that made them


def _save(common: Common, config: EnsembleConfig, plan: _Plan, report: Report) -> None:
    folder = common.save_dir / "ensemble"
    resolved = {
        "common": asdict(common),
        "ensemble": asdict(config),
        "weights": plan.weights,
        "folds": plan.folds,
        "files": plan.files,
    }
    write_json(folder / "config.json", resolved)
    write_json(folder / "report.json", report.to_json())
    draw_report(report, folder / "report.png")
