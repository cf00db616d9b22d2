"""Where a recipe's tokenizer and first weights come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidsim.errors import VidsimError
from vidsim.models.backbone import Backbone
from vidsim.models.configs import build_backbone
from vidsim.models.input_spec import InputSpec
from vidsim.objectives.masked_lm import MaskedLMObjective
from vidsim.objectives.objective import Objective
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.preprocess.tensors import LEARNED
from vidsim.preprocess.text_assembly import TextAssembler
from vidsim.preprocess.title_tokenizer import TitleTokenizer
from vidsim.pretrained.encoder_folder import EncoderFolder
from vidsim.recipes.recipe import Recipe
from vidsim.records.feature_origin import FeatureOrigin
from vidsim.training.checkpoint import Checkpoint, load_checkpoint
from vidsim.training.checkpoint_keeper import JUDGED_BY_SPEARMAN
from vidsim.training.run_identity import config_differences
from vidsim.training.validation import metric_title


@dataclass(frozen=True)
class FoundData:
    """What of the data a new model depends on.

    Attributes:
        titles: a WordPiece vocabulary is trained on them where there is no --bert-dir.
        tags: the columns of the classifier.
        widths: numbers in a vector of each stream, by tensor; {} where the data have none.
        texts: of the training videos by field, from which --text-assembly counts words.
        origin: of the features, where the data folder states it.
    """

    titles: Sequence[str]
    tags: TagVocabulary
    widths: Mapping[str, int]
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    origin: FeatureOrigin | None = None


def fresh_model(recipe: Recipe, encoder: EncoderFolder | None, found: FoundData) -> Checkpoint:
    """A new model with random weights, in the shape of the encoder of --bert-dir where given.

    Its weights are filled in by `load_encoder`, when the heads that they may also fill are there.

    Args:
        recipe: family and size.
        encoder: the folder of --bert-dir; None without it.
        found: in the data.

    Raises:
        VidsimError: the data have no frames, and the recipe reads them.
    """
    config, tags = recipe.model.fitted(found.widths), found.tags
    check_fits(recipe, encoder, found.widths)
    if encoder is None:
        tokenizer = TitleTokenizer.train(found.titles, config.vocab_size)
        shape = config.encoder(len(tokenizer))
    else:
        tokenizer = encoder.tokenizer()
        shape = encoder.encoder_config(config)
    if config.text_assembly == "tfidf":
        tokenizer = tokenizer.with_assembler(TextAssembler.fit(found.texts))
    fields = tuple(name for name, _ in config.texts)
    separator = tokenizer.special.sep
    widths = config.reads(found.widths)
    spec = InputSpec(shape, len(tags), widths, fields, separator=separator)
    backbone = build_backbone(config, spec)
    return Checkpoint(backbone, tokenizer, tags, {})


def check_fits(recipe: Recipe, encoder: EncoderFolder | None, widths: Mapping[str, int]) -> None:
    """Says what would stop the recipe's model from being built, before any other is trained.

    Args:
        recipe: family and size.
        encoder: the folder of --bert-dir; None without it.
        widths: numbers in a vector of each stream, by tensor; {} where the data have none.

    Raises:
        VidsimError: the data have no frames and the recipe reads them, or its numbers do not go
            with the width of theirs.
    """
    config = recipe.model.fitted(widths)
    widths = config.reads(widths)
    if not widths and config.modalities != "title":
        raise VidsimError(
            f"{recipe.name}: not one frame in the data, so that nothing says how many numbers one "
            "has; a model of texts alone is made by --modalities title"
        )
    shape = encoder.encoder_config(config) if encoder else config.encoder(config.vocab_size)
    fields = tuple(name for name, _ in config.texts)
    any_token = 0  # the vocabulary is not known yet; a trained one and a folder's have a [SEP]
    spec = InputSpec(shape, 0, dict(widths), fields, separator=any_token)
    misfits = list(config.misfits(spec))
    if misfits:
        raise VidsimError(f"recipe {recipe.name}: " + "; ".join(misfits))


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
    found: FoundData,
) -> Checkpoint:
    """The model finetuning starts from, with a line that says what was loaded.

    Args:
        recipe: what to finetune.
        start: the pretrained checkpoint; None for random weights.
        encoder: the folder of --bert-dir, read where there is no checkpoint.
        found: in the data.

    Raises:
        VidsimError: the pretrained model has another shape or other tags than asked for, or
            reads frames of another width or another origin than the data have.
    """
    name = recipe.name
    if start is None:
        source = f"the encoder of {encoder.name}" if encoder else "random weights"
        print(f"finetune {name}: from {source}, as --pretrain_model_dir none says")
        fresh = fresh_model(recipe, encoder, found)
        about = recipe.model.about_data(fresh.backbone.spec.widths)
        if about:
            print(f"finetune {name}: {about}")
        load_encoder(encoder, fresh.backbone)
        return fresh
    checkpoint = load_checkpoint(start)
    _check_start(checkpoint, start, recipe, found)
    count = len(checkpoint.backbone.weights)
    metric = checkpoint.info.get("primary_metric", JUDGED_BY_SPEARMAN["metric"])
    score = checkpoint.info.get(metric)
    scored = f" ({metric_title(metric)} {score:.4f})" if isinstance(score, float) else ""
    print(
        f"finetune {name}: loaded {count} of {count} tensors of the backbone from {start}{scored}; "
        "none missing, none unexpected"
    )
    return checkpoint


def _check_start(checkpoint: Checkpoint, start: Path, recipe: Recipe, found: FoundData) -> None:
    """Raises unless the pretrained model is the one asked for and fits the data."""
    tags = found.tags
    if checkpoint.tags.digest != tags.digest:
        raise VidsimError(
            f"{start} was pretrained with {len(checkpoint.tags)} tags, and the tag list now "
            f"has {len(tags)} or others; pretrain again, or name the old list by --multi-label-file"
        )
    for name, width in recipe.model.reads(found.widths).items():
        if name in LEARNED:
            continue
        built = checkpoint.backbone.spec.widths.get(name)
        if built != width:
            raise VidsimError(
                f"{start} reads {name} of {built} numbers, and those of the data have {width}; "
                "pretrain on data of this width, or start without by --pretrain_model_dir none"
            )
    before = FeatureOrigin.of(checkpoint.info.get("features"))
    if before is not None and found.origin is not None and found.widths:
        found.origin.require_readable(before, str(start))
    asked = recipe.model.fitted(found.widths)
    differing = config_differences(checkpoint.backbone.config, asked)
    if differing:
        raise VidsimError(
            f"{start} holds another model than asked for:\n"
            + "".join(f"    {line}\n" for line in differing)
            + "Pretrain again, or change the flags that differ"
        )
