"""Gives a TaskModel the tricks that a configuration asks for."""

from vidsim.errors import VidsimError
from vidsim.models.attack import Attack
from vidsim.models.task_model import TaskModel
from vidsim.models.weight_average import WeightAverage
from vidsim.training.tricks_config import TricksConfig


def add_tricks(task: TaskModel, config: TricksConfig) -> None:
    """Adds an average of the weights and an attack, where asked for.

    To be called once, before the optimizer is built: the averages are state of the TaskModel.

    Raises:
        VidsimError: an attack, on a model that trains no word embeddings.
    """
    if config.ema:
        task.average = WeightAverage(task, config.ema)
    if config.attack is not None:
        table = task.backbone.word_embeddings()
        if table is None or not any(table is weight for weight in task.trainable_variables):
            name = "fgm" if config.fgm else "pgd_steps"
            raise VidsimError(
                f"{config.said(name)}: this {task.backbone.config.family} model trains no word "
                "embeddings, which are what is displaced; give --fgm 0 --pgd-steps 0"
            )
        task.attack = Attack(table, *config.attack)
