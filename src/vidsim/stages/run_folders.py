"""Where runs lie under the save folder, and the checkpoints that one stage takes from another."""

from pathlib import Path

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.recipes.recipe import Recipe
from vidsim.training.checkpoint_keeper import best_checkpoint, find_checkpoint
from vidsim.training.configs import RunConfig
from vidsim.training.run_record import is_finished


def pretrain_folder(common: Common, recipe: Recipe, runs: int = 1) -> Path:
    """The folder of a recipe's pretraining; `runs` is how many the command makes."""
    default = common.save_dir / "pretrain" / common.run(recipe.name)
    return _folder(recipe.pretrain, default, runs)


def finetune_folder(common: Common, recipe: Recipe, fold: int, runs: int = 1) -> Path:
    """The folder of a recipe's finetuning on a fold; `runs` is how many the command makes."""
    default = common.task_dir / "finetune" / common.run(recipe.name) / f"fold{fold}"
    return _folder(recipe.finetune, default, runs)


def pretrained_checkpoint(common: Common, recipe: Recipe) -> Path | None:
    """The folder of the best pretrained checkpoint; None where --pretrain_model_dir is "none"."""
    named = recipe.finetune.pretrain_model_dir
    if named == "none":
        return None
    folder = Path(named) if named else _pretrained_folder(common, recipe.name)
    if not folder.exists():
        raise VidsimError(
            f"{folder}: no pretrained model of {recipe.name}; run "
            f"`python pretrain --recipes {recipe.word}` first, or pass --pretrain_model_dir none "
            "to start from random weights"
        )
    checkpoint = find_checkpoint(folder)
    if not named and not is_finished(folder):
        raise VidsimError(
            f"{folder}: this pretraining was interrupted or goes on; let it finish by the same "
            f"command, or pass --pretrain_model_dir {checkpoint} to start from its best so far"
        )
    return checkpoint


def best_of_finished(folder: Path) -> Path:
    """The best checkpoint of a finetuning that will not find a better one."""
    if is_finished(folder):
        return best_checkpoint(folder)
    if not folder.exists():
        raise VidsimError(f"{folder}: no finetuning here; run `python finetune` first")
    said = (
        f"{folder}: this finetuning was interrupted or goes on; let it finish by the same command"
    )
    try:
        checkpoint = best_checkpoint(folder)
    except VidsimError:
        raise VidsimError(f"{said} (it has no checkpoint yet)") from None
    raise VidsimError(f"{said}, or name {checkpoint}, its best so far, by --ckpt-file")


def beside(config: RunConfig) -> str:
    """The flag that gives a run another folder, as a message names it."""
    return "--run-name NAME" if config.savedmodel_path is None else "another --savedmodel-path"


def _pretrained_folder(common: Common, recipe: str) -> Path:
    """The pretraining of the run's name, or the unnamed one where there is none."""
    named = common.save_dir / "pretrain" / common.run(recipe)
    return named if named.exists() else common.save_dir / "pretrain" / recipe


def _folder(config: RunConfig, default: Path, runs: int) -> Path:
    """--savedmodel-path, or a place of its own under the save folder."""
    if config.savedmodel_path is None:
        return default
    if runs > 1:
        raise VidsimError(
            f"--savedmodel-path {config.savedmodel_path} names the folder of one run, but this "
            f"command makes {runs}; name one recipe and one fold, or leave it out"
        )
    return config.savedmodel_path
