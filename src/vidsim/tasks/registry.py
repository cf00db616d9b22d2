"""The tasks by name. A new task is one package beside this file and its name here."""

from vidsim.config import PUBLISHED_TASK, Common, Size
from vidsim.errors import VidsimError
from vidsim.recipes import registry as recipe_registry
from vidsim.recipes.recipe import Recipe
from vidsim.recipes.sizes import task_at_size
from vidsim.tasks.classification.task import Classification
from vidsim.tasks.retrieval.task import Retrieval
from vidsim.tasks.similarity.task import Similarity
from vidsim.tasks.task import Task

TASKS: dict[str, Task] = {task.name: task for task in (Similarity(), Retrieval(), Classification())}
"""A recipe file may add one of the user's own, which is known wherever --recipes names the file."""


def find_task(common: Common) -> Task:
    """The task of --task.

    Raises:
        VidsimError: no such task.
    """
    if common.task not in TASKS:
        recipe_registry.load_files(common.recipes)  # one of them may define it
    if common.task not in TASKS:
        raise VidsimError(f"--task {common.task}: accepted are {', '.join(TASKS)}")
    return TASKS[common.task]


def for_task(recipes: list[Recipe], task: Task, size: Size, pretrained: bool) -> list[Recipe]:
    """The recipes with the task's configuration as their `finetune`.

    Args:
        recipes: at a size.
        task: what is to be finetuned for.
        size: of the task's own defaults; loses to what a recipe says.
        pretrained: whether the text encoder comes from --bert-dir.

    Raises:
        VidsimError: a recipe's values for the task are not those of its configuration.
    """
    if task.name == PUBLISHED_TASK:
        return recipes
    own = task.size_values(size, pretrained)
    configs = (task_at_size(task.default_config(item), size, pretrained, own) for item in recipes)
    return [item.for_task(task.name, config) for item, config in zip(recipes, configs, strict=True)]
