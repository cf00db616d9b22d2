"""Many models' embeddings -> result.zip, and what it should score.

It needs neither a model nor TensorFlow, takes seconds, and so runs every time. Members are read by
rows, so that memory does not grow with the videos.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from rich.filesize import decimal

from vidsim.blending.blend import Blend
from vidsim.blending.earlier import free_mark, keep_earlier, marked, move_aside
from vidsim.blending.fit import FIT
from vidsim.blending.fold_mean import FoldMean
from vidsim.blending.member_file import MemberFile
from vidsim.blending.members import validation_path
from vidsim.blending.progress import StepProgress, WatchedRows
from vidsim.blending.row_source import RowSource, source_cosine
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.files import file_digest, write_json
from vidsim.metrics.spearman import spearman
from vidsim.provenance import code_commit, installed_versions, is_made_up, now
from vidsim.records.pairs import pair_keys
from vidsim.tasks.member_records import Member, describe_members, run_seeds
from vidsim.tasks.similarity.configs import EnsembleConfig
from vidsim.tasks.similarity.ensemble_plan import Plan, ids_to_check, make_plan
from vidsim.tasks.similarity.figure import draw_report
from vidsim.tasks.similarity.origin import Origin
from vidsim.tasks.similarity.out_of_fold import Load, fit_out_of_fold, score_out_of_fold
from vidsim.tasks.similarity.report import Report, print_report
from vidsim.tasks.similarity.scores import ENSEMBLE, Scores
from vidsim.tasks.similarity.submission import check_submission, write_submission

_REPORT = ("report.json", "report.png", "config.json")
_DRIFT = 0.01  # a fold's Spearman may differ so much from its finetuning's (lower precision there)


def run(common: Common, config: EnsembleConfig) -> None:
    """Blends what inference left, writes the submission, checks it and reports.

    Raises:
        VidsimError: embeddings that are missing, of other videos or of other models than those of
            the runs, weights that do not fit, or a submission that the challenge would refuse.
    """
    if config.check is not None:
        ids = ids_to_check(common, config)
        _refuse_problems(config.check, check_submission(config.check, ids))
        print(f"{config.check}: good to send in: {len(ids):,} videos, none missing")
        return

    # 1 Config and data
    plan = make_plan(common, config)

    with StepProgress() as progress:
        # 2 Blend
        if config.weights == FIT and len(plan.weights) > 1:
            plan = _fitted(common, plan, progress)
        sources = _blended(common, config, plan, progress) if plan.tested else {}

        # 3 Evaluate
        report = _evaluate(common, config, plan, sources, progress)

        # 4 Write
        if plan.tested:
            with _earlier_kept(plan):
                _write(plan, sources[ENSEMBLE], progress)

    # 5 Report
    _save(common, config, plan, report)
    print_report(report)
    if plan.tested:
        size = decimal(plan.output_zip.stat().st_size)
        print(f"{plan.output_zip}: {size}, {len(plan.ids):,} videos, checked")


def _fitted(common: Common, plan: Plan, progress: StepProgress) -> Plan:
    """The plan with weights that are fitted to the validation pairs of the folds."""
    progress.step("fit weights", len(plan.members), "models read")
    load = _validation_loader(common, progress)
    fit = fit_out_of_fold(plan.fold_pairs, load, list(plan.weights))
    origin = fit.words("weights fitted to the validation pairs", "mean of cosines: Spearman")
    return replace(plan, weights=fit.weights, origin=origin, fit=fit)


def _validation_loader(common: Common, progress: StepProgress) -> Load:
    """Opens what inference left of a fold's validation videos."""

    def load(name: str, fold: int, ids: np.ndarray) -> RowSource:
        progress.advance()
        return MemberFile(validation_path(common.task_dir, common.run(name), fold), ids)

    return load


def _blended(
    common: Common, config: EnsembleConfig, plan: Plan, progress: StepProgress
) -> dict[str, RowSource]:
    """The test videos' vectors by recipe, the ensemble's last."""
    sources = _recipe_means(common, config, plan, progress)
    progress.step("blend", len(plan.ids), "videos looked at")
    weights = list(plan.weights.values())
    blended = Blend(list(sources.values()), weights, config.blend, config.raw)
    return sources | {ENSEMBLE: blended}


def _write(plan: Plan, blended: RowSource, progress: StepProgress) -> None:
    """Writes the submission; it takes its place when it was read back and found to be right."""
    path, count = plan.output_zip, len(plan.ids)

    def check(written: Path) -> None:
        progress.step(str(path), count, "videos checked")
        _refuse_problems(path, check_submission(written, plan.ids, progress.advance))

    progress.step(str(path), count, "videos written")
    write_submission(path, plan.ids, blended, check)


@contextlib.contextmanager
def _earlier_kept(plan: Plan) -> Iterator[None]:
    """Keeps the submission that the block replaces, and its report, unless the new one is equal."""
    path = plan.output_zip
    if not path.exists() or path.stat().st_size == 0:
        yield
        return
    reports = [plan.folder / name for name in _REPORT]
    mark = free_mark([path, *reports])
    earlier = marked(path, mark)
    try:
        os.link(path, earlier)
    except OSError:  # a file system without hard links
        shutil.copy2(path, earlier)
    before = file_digest(earlier)
    try:
        yield
    finally:
        if file_digest(path) == before:
            earlier.unlink()
    if earlier.exists():
        move_aside(reports, mark)
        print(f"ensemble: {path} was another blend; it is {earlier} now, its report {mark} too")


def _recipe_means(
    common: Common, config: EnsembleConfig, plan: Plan, progress: StepProgress
) -> dict[str, RowSource]:
    """Each recipe's mean over its folds; the first tells the progress which rows are read."""
    ids = np.array(plan.ids)
    progress.step("embeddings", len(plan.members), "files verified")
    means: dict[str, RowSource] = {}
    for name in plan.weights:
        files = []
        for member in plan.members:
            if member.recipe == name:
                files.append(MemberFile(member.path, ids))
                progress.advance()
        mean = FoldMean(files, config.raw)
        means[name] = mean if means else WatchedRows(mean, progress)
    return means


def _refuse_problems(path: Path, problems: Sequence[str]) -> None:
    if problems:
        raise VidsimError(f"{path} must not be sent in:\n  " + "\n  ".join(problems))


def _evaluate(
    common: Common,
    config: EnsembleConfig,
    plan: Plan,
    sources: Mapping[str, RowSource],
    progress: StepProgress,
) -> Report:
    progress.step("out of fold", len(plan.members), "models scored")
    load = _validation_loader(common, progress)
    scores, scored = score_out_of_fold(
        plan.fold_pairs, load, plan.weights, config.blend, config.raw
    )
    test_scores = _score_test(plan, sources)
    blend = f"blend: {config.blend}{', raw vectors' if config.raw else ''}; {plan.origin}"
    return Report(
        scores={name: replace(row, test_b=test_scores.get(name)) for name, row in scores.items()},
        weights=plan.weights,
        fit=plan.fit,
        blend=config.blend,
        raw=config.raw,
        videos=len(plan.ids),
        pairs=len(scored),
        left_out=len(set(pair_keys(plan.rated)) - scored),
        trained_on=plan.trained_on,
        origin=_origin(common, plan),
        test_pairs=len(plan.test_rows),
        notes=[blend, *plan.notes, *_unlike_training(plan.members, scores)],
    )


def _origin(common: Common, plan: Plan) -> Origin:
    rated = plan.rated.videos().tolist()
    return Origin(
        data=str(common.data_dir),
        made_up=is_made_up(rated) or is_made_up(video.encode() for video in plan.ids),
        rated_pairs=len(plan.rated),
        rated_videos=len(rated),
        files=plan.files,
        seeds=run_seeds(plan.members),
        members=describe_members(plan.members),
        versions=installed_versions(),
        commit=code_commit(),
        date=now(),
        run_name=common.run_name,
        test_name=plan.test_name,
    )


def _score_test(plan: Plan, sources: Mapping[str, RowSource]) -> dict[str, float]:
    """Spearman on the test pairs by name; nothing without ratings."""
    if plan.test_pairs is None:
        return {}
    scores, (rows_1, rows_2) = {}, plan.test_rows.T
    for name, source in sources.items():
        dtype = "float16" if name == ENSEMBLE else "float32"  # scored as it is in the file
        cosines = source_cosine(source, rows_1, rows_2, dtype)
        scores[name] = spearman(cosines, plan.test_pairs.sim)
    return scores


def _unlike_training(members: Sequence[Member], scores: Mapping[str, Scores]) -> list[str]:
    """A note for each fold whose embeddings do not score what its finetuning wrote down."""
    notes = []
    for member in members:
        value = scores[member.recipe].folds[member.fold]
        path = member.run_dir / "metrics.json"
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


def _save(common: Common, config: EnsembleConfig, plan: Plan, report: Report) -> None:
    resolved = {
        "common": asdict(common),
        "ensemble": asdict(config),
        "weights": plan.weights,
        "folds": plan.folds,
        "files": plan.paths,
    }
    keep_earlier(plan.folder, _REPORT, resolved)
    report_json, picture, config_json = (plan.folder / name for name in _REPORT)
    write_json(config_json, resolved)
    write_json(report_json, report.to_json())
    draw_report(report, picture)
