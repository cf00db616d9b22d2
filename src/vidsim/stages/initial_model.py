"""Where a recipe's tokenizer and first weights come from."""

from collections.abc import Sequence
from pathlib import Path

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.models.backbone import Backbone
from vidsim.objectives.masked_lm import MaskedLMObjective
from vidsim.objectives.objective import Objective
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.preprocess.title_tokenizer import TitleTokenizer
from vidsim.pretrained.encoder_folder import choose_folder
from vidsim.recipes.recipe import Recipe
from vidsim.stages.step_record import is_finished
from vidsim.training.checkpoint import Checkpoint, load_checkpoint
from vidsim.training.checkpoint_keeper import find_checkpoint


def fresh_model(
    common: Common, recipe: Recipe, titles: Sequence[str], tags: TagVocabulary
) -> Checkpoint:
    """A new model with random weights, in the shape of the encoder of --bert-dir where given.

    Its weights are filled in by `load_encoder`, when the heads that they may also fill are there.

    Args:
        common: --bert-dir.
        recipe: family and size.
        titles: a WordPiece vocabulary is trained on them where there is no --bert-dir.
        tags: the columns of the classifier.
    """
    config = recipe.model
    folder = choose_folder(common.bert_dir, config.positions)
    if folder is None:
        tokenizer = TitleTokenizer.train(titles, config.vocab_size)
        backbone = config.build(config.encoder(len(tokenizer)), len(tags))
    else:
        tokenizer = folder.tokenizer()
        backbone = config.build(folder.encoder_config(config), len(tags))
    return Checkpoint(backbone, tokenizer, tags, {})


def encoder_digest(common: Common, recipe: Recipe) -> dict[str, str] | None:
    """What the recipe's text encoder starts from: hashes of its files; None without --bert-dir."""
    folder = choose_folder(common.bert_dir, recipe.model.positions)
    return folder.digest if folder else None


def load_encoder(common: Common, backbone: Backbone, objectives: Sequence[Objective] = ()) -> None:
    """Fills text encoder and masked-word head with what --bert-dir has, and prints what it was.

    Raises:
        VidsimError: the folder's weights are not those of its configuration.
    """
    folder = choose_folder(common.bert_dir, backbone.config.positions)
    if folder is None:
        return
    heads = [item for item in objectives if isinstance(item, MaskedLMObjective)]
    print(folder.load_into(backbone, heads[0].published_weights() if heads else None))


def pretrained_checkpoint(common: Common, recipe: Recipe) -> Path | None:
    """The folder of the best pretrained checkpoint; None where --pretrain_model_dir is "none"."""
    named = recipe.finetune.pretrain_model_dir
    if named == "none":
        return None
    folder = Path(named) if named else common.save_dir / "pretrain" / recipe.name
    if not folder.exists():
        raise VidsimError(
            f"{folder}: no pretrained model of {recipe.name}; run "
            f"`python pretrain --recipes {recipe.name}` first, or pass --pretrain_model_dir none "
            "to start from random weights"
        )
    checkpoint = find_checkpoint(folder)
    if not named and not is_finished(folder):
        raise VidsimError(
            f"{folder}: this pretraining was interrupted or goes on; let it finish by the same "
            f"command, or pass --pretrain_model_dir {checkpoint} to start from its best so far"
        )
    return checkpoint


def first_checkpoint(
    common: Common,
    recipe: Recipe,
    pretrained: Path | None,
    titles: Sequence[str],
    tags: TagVocabulary,
) -> Checkpoint:
    """The model finetuning starts from, with a line that says what was loaded.

    Raises:
        VidsimError: the pretrained model has another shape or other tags than asked for.
    """
    name = recipe.name
    if pretrained is None:
        print(f"finetune {name}: from random weights, as --pretrain_model_dir none says")
        fresh = fresh_model(common, recipe, titles, tags)
        load_encoder(common, fresh.backbone)
        return fresh
    checkpoint = load_checkpoint(pretrained)
    if checkpoint.tags.digest != tags.digest:
        raise VidsimError(
            f"{pretrained} was pretrained with {len(checkpoint.tags)} tags, and the tag list now "
            f"has {len(tags)} or others; pretrain again, or name the old list by --multi-label-file"
        )
    if checkpoint.backbone.config != recipe.model:
        raise VidsimError(
            f"{pretrained} holds {checkpoint.backbone.config}, but asked for is {recipe.model}; "
            "pretrain again, or drop the flags that differ"
        )
    print(
        f"finetune {name}: loaded {len(checkpoint.backbone.weights)} of "
        f"{len(checkpoint.backbone.weights)} tensors of the backbone from {pretrained} "
        f"(Spearman {checkpoint.info.get('spearman', float('nan')):.4f}); "
        "none missing, none unexpected; the optimizer starts anew"
    )
    return checkpoint
