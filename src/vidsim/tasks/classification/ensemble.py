"""Probabilities of many models -> result.csv, what it should score, and a picture of confusions.

The blend is the mean over folds and the weighted mean over recipes. It needs neither a model nor
TensorFlow.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import fill

import numpy as np

from vidsim.blending.earlier import keep_earlier
from vidsim.blending.fit import FIT, Fit
from vidsim.blending.members import find_members, member_path, test_name
from vidsim.blending.weights import resolve_weights
from vidsim.config import Common
from vidsim.files import write_json
from vidsim.provenance import is_made_up, provenance
from vidsim.recipes import registry
from vidsim.records.file_pattern import FilePattern
from vidsim.records.video_table import VideoTable
from vidsim.schema import CATEGORY_ID
from vidsim.tasks.classification.configs import ClassEnsembleConfig
from vidsim.tasks.classification.figure import draw_confusion
from vidsim.tasks.classification.fold_source import ClassFolds, class_evaluator
from vidsim.tasks.classification.labelled import CATEGORY_NAMES, class_names
from vidsim.tasks.classification.out_of_fold import (
    METRIC,
    OutOfFold,
    Validated,
    blend,
    blend_out_of_fold,
    fit_out_of_fold,
    read_out_of_fold,
    texts,
)
from vidsim.tasks.classification.probabilities import read_probabilities
from vidsim.tasks.classification.report import ENSEMBLE, Marks, print_report
from vidsim.tasks.classification.result import (
    CONFIG,
    FIGURE,
    FILES,
    REPORT,
    ensemble_dir,
    refuse_foreign,
    result_path,
    write_result,
)
from vidsim.tasks.data_files import TEST, open_table
from vidsim.tasks.member_records import check_members, describe_members, read_members, run_seeds


@dataclass(frozen=True)
class _Plan:
    """What is blended: recipes with their weights, folds, and test videos where there are any."""

    source: ClassFolds
    weights: dict[str, float]
    fit: Fit | None
    validated: Validated
    test: VideoTable | None
    name: str | None
    notes: list[str]
    members: list

    @property
    def classes(self) -> np.ndarray:
        """(C,) category ids."""
        return self.source.videos.vocabulary.ids


def run(common: Common, config: ClassEnsembleConfig) -> None:
    """Blends what inference left, writes the result and reports.

    Raises:
        VidsimError: probabilities are missing, are of other videos, classes or models than those
            there are, weights do not fit, or the result would replace a file that is none.
    """
    plan = _plan(common, config)
    tested = _tested(common, plan) if plan.test is not None else {}
    found = blend_out_of_fold(plan.source, plan.validated, plan.weights)
    marks = _marks(plan, found, tested)
    path, notes = result_path(common, plan.name), plan.notes
    folder = ensemble_dir(common, plan.name)
    if plan.test is not None:
        chosen = plan.classes[tested[ENSEMBLE].argmax(axis=1)]
        moved = write_result(path, texts(plan.test.ids), chosen.tolist())
        if moved is not None:
            notes = [*notes, f"{path} was another result; it is {moved} now"]
    content = {
        "marks": {name: row.to_json() for name, row in marks.items()},
        "weights": plan.weights,
        "fit": plan.fit.to_json() if plan.fit else None,
        "classes": plan.classes,
        "test_videos": 0 if plan.test is None else len(plan.test),
        "made_up_sample": is_made_up(plan.source.videos.table.ids.tolist()),
        "members": describe_members(plan.members),
        "seeds": run_seeds(plan.members),
        "notes": notes,
        **provenance(),
    }
    resolved = {
        "common": asdict(common),
        "ensemble": asdict(config),
        "weights": plan.weights,
        "folds": plan.source.folds,
    }
    keep_earlier(folder, FILES, resolved)
    write_json(folder / CONFIG, resolved)
    write_json(folder / REPORT, content)
    _draw(common, plan, found, folder / FIGURE)
    print_report(marks, plan.weights, notes)
    print(f"{folder / FIGURE}: which classes are taken for which")
    if plan.test is not None:
        print(f"{path}: {len(plan.test):,} videos")


def _plan(common: Common, config: ClassEnsembleConfig) -> _Plan:
    names = registry.names(common.recipes)
    weights, origin = resolve_weights(names, None if config.weights == FIT else config.weights)
    source = ClassFolds(common)
    name = test_name(config.test_b_file, common.data_dir / TEST, config.out)
    own = FilePattern(common.data_dir, TEST)
    files = own if config.test_b_file is None else FilePattern.of(config.test_b_file)
    tested = name is not None or (common.data_dir / TEST).parent.exists()
    named = config.test_b_file
    flags = [] if named is None else ["--test-b-file", named]
    flags += [] if config.out is None else ["--out", config.out]
    if tested:
        refuse_foreign(result_path(common, name))
    find_members(common, names, source.folds, name, flags, tested)
    test = open_table(common, files) if tested else None
    members = read_members(common, names, source.folds, name)
    checked = check_members(common, members, test.digest if test else None, flags)
    notes = list(checked)
    if test is None:
        notes.insert(0, f"{files} is not there: marks out of fold, and no result.csv")
    if source.stale:
        notes.append("the folds were cut of other videos than those that are there now")
    validated = read_out_of_fold(common, source, names)
    fit = None
    if config.weights == FIT and len(names) > 1:
        fit = fit_out_of_fold(source, validated)
        weights = fit.weights
        origin = fit.words("weights fitted to the validation videos", METRIC)
    notes.insert(0, f"blend: probabilities, mean over folds; {origin}")
    return _Plan(source, weights, fit, validated, test, name, notes, members)


def _tested(common: Common, plan: _Plan) -> dict[str, np.ndarray]:
    """(N, C) probabilities of the test videos by recipe, the ensemble's last."""
    assert plan.test is not None
    ids, root, found = texts(plan.test.ids), common.task_dir, {}
    for name in plan.weights:
        run_ = common.run(name)
        paths = [member_path(root, run_, fold, plan.name) for fold in plan.source.folds]
        found[name] = np.mean([read_probabilities(p, ids, plan.classes) for p in paths], axis=0)
    return found | {ENSEMBLE: blend(found, plan.weights)}


def _marks(plan: _Plan, found: OutOfFold, tested: Mapping[str, np.ndarray]) -> dict[str, Marks]:
    """The marks of each recipe, the ensemble's last."""
    together = class_evaluator(found.truth, plan.source.videos.vocabulary)
    test = _test_marks(plan, tested)
    return {
        name: Marks(by_fold, together(found.probabilities[name]), test.get(name))
        for name, by_fold in found.folds.items()
    }


def _draw(common: Common, plan: _Plan, found: OutOfFold, path: Path) -> None:
    """The picture of the ensemble's confusions."""
    names = class_names(common.data_dir / CATEGORY_NAMES, plan.classes)
    count, recipes = len(found.truth), ", ".join(plan.weights)
    made_up = " (MADE-UP SAMPLE)" if is_made_up(plan.source.videos.table.ids.tolist()) else ""
    title = f"{count:,} videos out of fold{made_up}, {fill(recipes, 60)}"
    predicted = found.probabilities[ENSEMBLE].argmax(axis=1)
    draw_confusion(found.truth, predicted, names, title, path)


def _test_marks(plan: _Plan, tested: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """By recipe, of the test videos whose category is one of the classes; {} without any."""
    if plan.test is None or not plan.test.has(CATEGORY_ID):
        return {}
    vocabulary = plan.source.videos.vocabulary
    classes = vocabulary.classes(plan.test.number(CATEGORY_ID))
    known = classes >= 0
    if not known.any():
        return {}
    judge = class_evaluator(classes[known], vocabulary)
    count = int(known.sum())
    plan.notes.append(f"test: {count:,} of {len(known):,} test videos have a category of the list")
    return {name: judge(values[known]) for name, values in tested.items()}
