"""What `python finetune` trains, on made vocabularies and without a data set."""


def finetuning_task(recipe_name: str, size: str, policy: str, words: int, tags: int):
    """A compiled task of random weights.

    Args:
        recipe_name: of RECIPES.
        size: tiny, small or base.
        policy: Keras dtype policy.
        words: in the tokenizer's vocabulary.
        tags: columns of the classifier.

    Returns:
        The recipe and the task.
    """
    from vidsim.tensorflow_start import start_tensorflow

    start_tensorflow()
    import keras

    from vidsim.models.configs import build_backbone
    from vidsim.models.input_spec import InputSpec
    from vidsim.models.pair_scorer import PairScorer
    from vidsim.objectives.objective import build_objectives
    from vidsim.recipes.recipe import objectives
    from vidsim.recipes.registry import load
    from vidsim.records.sample import FRAME_WIDTH
    from vidsim.schema import COSINE, FRAMES
    from vidsim.stages.compiled import compiled
    from vidsim.training.optimizer import build_optimizer
    from vidsim.training.trainer import Trainer

    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(0)
    [recipe] = load(recipe_name, size)
    spec = InputSpec(recipe.model.encoder(words), tags, {FRAMES: FRAME_WIDTH})
    backbone = build_backbone(recipe.model, spec)
    losses = build_objectives(
        objectives(recipe.finetune), backbone, (*backbone.output_keys, COSINE)
    )
    task = PairScorer(backbone, losses)
    Trainer(task, build_optimizer(recipe.finetune.optimizer, backbone, 4000, 4000, compiled))
    return recipe, task
