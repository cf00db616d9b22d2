"""What run.sh would do: what is done, and what is to be made, continued or made again.

It reads records and hashes, writes nothing but indexes, and loads neither TensorFlow nor Keras.
Where a run of another configuration is in the way it fails, before anything has begun.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from vidsim.blending.members import member_path
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.recipes.recipe import Recipe
from vidsim.stages.prediction_records import PredictionRecords
from vidsim.stages.run_folders import finetune_folder, pretrain_folder
from vidsim.stages.training_records import (
    FinetuneRecords,
    FoldSources,
    PretrainFiles,
    finished_pretraining,
    pretrain_record,
)
from vidsim.tasks.configs import FoldConfig
from vidsim.tasks.folds import Folds
from vidsim.tasks.registry import find_task
from vidsim.training.run_record import RunRecord, recorded_in

if TYPE_CHECKING:
    from vidsim.pretrained.encoder_folder import EncoderFolder, EncoderFolders

DONE = "done"
_TO_DO, _GOES_ON = "to do", "to go on with"
_REDO, _LATER, _STOPS = "to be made again", "known after the stage before", "STOPS, see below"


def run(common: Common, config: FoldConfig, recipes: list[Recipe]) -> None:
    """Prints a line for each stage and recipe: what is done, and what will be.

    Args:
        common: as of every stage.
        config: of the folds.
        recipes: with their own flags.

    Raises:
        VidsimError: something is in the way: a run of another configuration without --redo, no
            data, or a file at --output-zip that is no submission.
    """
    common.check_fields()
    for recipe in recipes:
        recipe.check("pretrain")
        recipe.check("finetune")
    plan = Plan(common, config, recipes)
    for line in plan.lines():
        print(line, flush=True)
    if plan.refusals:
        raise VidsimError("\n".join(plan.refusals))


@dataclass(frozen=True)
class StageState:
    """Where one run of a stage stands.

    Attributes:
        stage: pretrain, finetune or inference.
        recipe: of the run.
        fold: its number; None for pretraining.
        state: in words; DONE if there is nothing to do.
    """

    stage: str
    recipe: Recipe
    fold: int | None
    state: str


class Plan:
    """The state of every stage.

    Args:
        common: as of every stage.
        config: of the folds.
        recipes: with their own flags.

    Attributes:
        refusals: what stages would stop with, the first of each stage and recipe.
    """

    def __init__(self, common: Common, config: FoldConfig, recipes: list[Recipe]):
        self._common, self._config, self._recipes = common, config, recipes
        self._task = find_task(common)
        self.refusals: list[str] = []

    def lines(self) -> Iterator[str]:
        """One line for each stage and recipe."""
        yield _line("write_tfrecord", self.folds)
        if self.folds != DONE:
            yield _line("the others", "known after that")
            return
        stages: dict[str, dict[str, dict[int | None, str]]] = {}
        for run_ in self.runs:
            named = stages.setdefault(run_.stage, {})
            named.setdefault(self._common.run(run_.recipe.name), {})[run_.fold] = run_.state
        for stage, names in stages.items():
            states = {name: _by_state(found) for name, found in names.items()}
            for state in dict.fromkeys(states.values()):
                same = [name for name, found in states.items() if found == state]
                yield _line(stage, f"{state}: {', '.join(same)}")
        yield _line("ensemble", self._state_of_one(self._ensemble))

    @cached_property
    def folds(self) -> str:
        """The state of the folds; nothing else is known before they are there."""
        return self._state_of_one(self._folds)

    @cached_property
    def runs(self) -> list[StageState]:
        """Every pretraining, finetuning and inference, stage by stage."""
        sources, files = FoldSources(self._common, self._task), PretrainFiles(self._common)
        predictions = PredictionRecords(self._common, self._task.inference_config())
        found: dict[str, list[StageState]] = {"pretrain": [], "finetune": [], "inference": []}
        for recipe in self._recipes:
            source = sources.open(recipe.finetune)
            pretrained = self._state_of_one(partial(self._pretraining, recipe, files))
            tuned = self._states(
                {
                    fold: partial(self._finetuning, recipe, source, fold, pretrained)
                    for fold in source.folds
                }
            )
            embedded = self._states(
                {
                    fold: partial(self._inference, recipe, predictions, fold, tuned[fold])
                    for fold in source.folds
                }
            )
            found["pretrain"].append(StageState("pretrain", recipe, None, pretrained))
            for stage, states in (("finetune", tuned), ("inference", embedded)):
                found[stage] += [StageState(stage, recipe, *item) for item in states.items()]
        return [*itertools.chain(*found.values())]

    def _state_of_one(self, find: Callable[[], str]) -> str:
        return self._states({0: find})[0]

    def _states(self, find: dict[int, Callable[[], str]]) -> dict[int, str]:
        """The state of each run of a stage; notes the first that the stage would stop with."""
        states, refused = {}, False
        for number, state in find.items():
            try:
                states[number] = state()
            except VidsimError as error:
                self.refusals += [str(error)] * (not refused)
                states[number], refused = _STOPS, True
        return states

    def _folds(self) -> str:
        differing = self._task.fold_differences(self._common, self._config)
        if differing is None:
            return _TO_DO
        return _REDO if differing else DONE

    def _ensemble(self) -> str:
        self._task.check_ensemble(self._common)
        return "to do, as always"

    def _pretraining(self, recipe: Recipe, files: PretrainFiles) -> str:
        common = self._common
        folders = [pretrain_folder(one, recipe) for one in (common, replace(common, run_name=None))]
        if not any(map(recorded_in, folders)):
            return _TO_DO
        encoder, data = self._encoder(recipe), files.open(recipe.pretrain)
        if finished_pretraining(common, recipe, data, encoder):
            return DONE
        record = pretrain_record(common, recipe, data, encoder)
        return _state(record) if recorded_in(record.folder) else _TO_DO

    def _finetuning(self, recipe: Recipe, source: Folds, fold: int, pretrained: str) -> str:
        if recorded_in(finetune_folder(self._common, recipe, fold)) is None:
            return _TO_DO
        if pretrained != DONE and recipe.finetune.pretrain_model_dir is None:
            return _REDO if pretrained == _REDO else _LATER
        encoder = self._encoder(recipe)
        return _state(FinetuneRecords(self._common, recipe, source, encoder).of_fold(fold))

    def _inference(
        self, recipe: Recipe, predictions: PredictionRecords, fold: int, tuned: str
    ) -> str:
        run_ = self._common.run(recipe.name)
        if not member_path(self._common.task_dir, run_, fold).with_suffix(".json").exists():
            return _TO_DO
        if tuned != DONE:
            return _REDO if tuned == _REDO else _LATER
        record = predictions.record(recipe.name, fold)
        if record.is_done():
            return DONE
        return _REDO if record.differences() else _TO_DO

    def _encoder(self, recipe: Recipe) -> "EncoderFolder | None":
        """Of --bert-dir; without it Keras is not loaded."""
        return self._encoders.choose(recipe.model.positions) if self._common.bert_dir else None

    @cached_property
    def _encoders(self) -> "EncoderFolders":
        from vidsim.pretrained.encoder_folder import EncoderFolders

        return EncoderFolders(self._common.bert_dir)


def _line(stage: str, state: str) -> str:
    return f"  {stage:<15} {state}"


def _state(record: RunRecord) -> str:
    if record.is_done():
        return DONE
    if record.differences():
        return _REDO
    return _GOES_ON if record.has_work() else _TO_DO


def _by_state(states: Mapping[int | None, str]) -> str:
    """The folds of each state: "done (folds 0-3), to do (folds 4-10)"."""
    folds: dict[str, list[int]] = {}
    for fold, state in states.items():
        folds.setdefault(state, []).append(fold or 0)
    if len(folds) == 1:
        return next(iter(folds))
    return ", ".join(f"{state} ({_ranges(numbers)})" for state, numbers in folds.items())


def _ranges(numbers: list[int]) -> str:
    """0, 1, 2, 5 as "folds 0-2, 5"."""
    runs = itertools.groupby(enumerate(numbers), lambda item: item[1] - item[0])
    parts = [[number for _, number in run_] for _, run_ in runs]
    shown = [str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts]
    return f"fold{'s' * (len(numbers) > 1)} {', '.join(shown)}"
