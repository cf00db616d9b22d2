"""Where a recipe's tokenizer and first weights come from."""

from collections.abc import Sequence
from pathlib import Path

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.models.backbone import Backbone
from vidsim.models.configs import build_backbone
from vidsim.models.input_spec import InputSpec
from vidsim.objectives.masked_lm import MaskedLMObjective
from vidsim.objectives.objective import Objective
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.preprocess.title_tokenizer import TitleTokenizer
from vidsim.pretrained.encoder_folder import EncoderFolder
from vidsim.recipes.recipe import Recipe
from vidsim.stages.run_identity import config_differences
from vidsim.training.checkpoint import Checkpoint, load_checkpoint


def fresh_model(
    recipe: Recipe, encoder: EncoderFolder | None, titles: Sequence[str], tags: TagVocabulary
) -> Checkpoint:
    """A new model with random weights, in the shape of the encoder of --bert-dir where given.

    Its weights are filled in by `load_encoder`, when the heads that they may also fill are there.

    Args:
        recipe: family and size.
        encoder: the folder of --bert-dir; None without it.
        titles: a WordPiece vocabulary is trained on them where there is no --bert-dir.
        tags: the columns of the classifier.
    """
    config = recipe.model
    if encoder is None:
        tokenizer = TitleTokenizer.train(titles, config.vocab_size)
        shape = config.encoder(len(tokenizer))
    else:
        tokenizer = encoder.tokenizer()
        shape = encoder.encoder_config(config)
    spec = InputSpec(
        shape,
        len(tags),
        {schema.FRAMES: schema.FRAME_SIZE},
        separator=tokenizer.special.sep,
    )
    backbone = build_backbone(config, spec)
    return Checkpoint(backbone, tokenizer, tags, {})


def load_encoder(
    encoder: EncoderFolder | None, backbone: Backbone, objectives: Sequence[Objective] = ()
) -> None:
    """Fills text encoder and masked-word head with what --bert-dir has, and prints what it was.

    Raises:
        VidsimError: the folder's weights are not those of its configuration.
    """
    if encoder is None:
        return
    heads = [item for item in objectives if isinstance(item, MaskedLMObjective)]
    print(encoder.load_into(backbone, heads[0].published_weights() if heads else None))


def first_checkpoint(
    recipe: Recipe,
    start: Path | None,
    encoder: EncoderFolder | None,
    titles: Sequence[str],
    tags: TagVocabulary,
) -> Checkpoint:
    """The model finetuning starts from, with a line that says what was loaded.

    Args:
        recipe: what to finetune.
        start: the pretrained checkpoint; None for random weights.
        encoder: the folder of --bert-dir, read where there is no checkpoint.
        titles: as for `fresh_model`.
        tags: as for `fresh_model`.

    Raises:
        VidsimError: the pretrained model has another shape or other tags than asked for.
    """
    name = recipe.name
    if start is None:
        source = f"the encoder of {encoder.name}" if encoder else "random weights"
        print(f"finetune {name}: from {source}, as --pretrain_model_dir none says")
        fresh = fresh_model(recipe, encoder, titles, tags)
        load_encoder(encoder, fresh.backbone)
        return fresh
    checkpoint = load_checkpoint(start)
    if checkpoint.tags.digest != tags.digest:
        raise VidsimError(
            f"{start} was pretrained with {len(checkpoint.tags)} tags, and the tag list now "
            f"has {len(tags)} or others; pretrain again, or name the old list by --multi-label-file"
        )
    differing = config_differences(checkpoint.backbone.config, recipe.model)
    if differing:
        raise VidsimError(
            f"{start} holds another model than asked for:\n"
            + "".join(f"    {line}\n" for line in differing)
            + "Pretrain again, or change the flags that differ"
        )
    count = len(checkpoint.backbone.weights)
    score = checkpoint.info.get("spearman")
    scored = f" (Spearman {score:.4f})" if isinstance(score, float) else ""
    print(
        f"finetune {name}: loaded {count} of {count} tensors of the backbone from {start}{scored}; "
        "none missing, none unexpected"
    )
    return checkpoint
