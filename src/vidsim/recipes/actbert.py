"""ActBERT: streams of words, regions and actions; masked words, regions and actions; match."""

from vidsim.models.tangled_config import TangledConfig
from vidsim.objectives.configs import (
    MaskedActionsConfig,
    MaskedFramesConfig,
    MaskedLMConfig,
    MatchConfig,
    TagConfig,
)
from vidsim.recipes.recipe import FinetuneConfig, PretrainConfig, Recipe
from vidsim.recipes.sizes import published
from vidsim.training.configs import OptimizerConfig

_STREAMS = {"region_layers": 1, "action_layers": 1, "tangled_layers": 1}
_TINY = _STREAMS | {
    "region_width": 64,
    "region_heads": 2,
    "region_intermediate": 128,
    "action_heads": 2,
    "action_intermediate": 128,
    "tangled_width": 64,
    "tangled_heads": 2,
    "max_frames": 8,
}
_SMALL = _STREAMS | {
    "region_width": 256,
    "region_heads": 4,
    "region_intermediate": 256,
    "action_heads": 4,
    "action_intermediate": 256,
    "tangled_width": 256,
    "tangled_heads": 4,
}
# those of text and frames that are hidden whole could not be told to match or not; tags train the
# layer that makes the embedding
_TOLD = {"modality_dropout": 0.0, "mlm_weight": 1.0, "weight_decay": 0.01, "tag_weight": 1.0}


@published(
    {
        "tiny": {"model": _TINY, "pretrain": _TOLD},
        "small": {"model": _SMALL, "pretrain": _TOLD},
    }
)
def recipe() -> Recipe:
    """`sh run.sh --recipes actbert`; `python finetune --recipes actbert --task retrieval`.

    Published numbers, from the configuration and code of PaddleVideo: text of 12 layers (768, 12
    heads), regions of 2 (1024, 8), actions of 3 (768, 12), two tangled layers (1024, 8); the losses
    of masked words, regions, actions and match, each of weight 1; 15 % of words, regions and
    actions, of which 90 % of the vectors are zeros; 10 epochs in batches of 8; Adam from 2e-4 to
    2e-5, L2 1e-4. Its text encoder begins as bert-base-uncased (--bert-dir).

    Other than there: weight decay is decoupled; the learning rate falls in a straight line and not
    in one step; words and actions are not learned beside another video (--match-words for words).
    The default is the paper's form; --published-quirks gives that of the code, whose published
    retrieval (R@1 8.6 on 1000 clips of MSR-VTT) is by that form: padded actions count, one
    projection makes the values of words and regions. Of its data, frames stand for regions and
    means of frames for actions where there are none, and tags for the classes of actions.

    The pretraining of sizes tiny and small learns tags besides, where there are any: without, the
    layer that makes the embedding would not be trained before finetuning.

    Of its five downstream tasks retrieval is here, by embeddings; video captioning, question
    answering, action segmentation and localisation are not: they need other data and heads.
    """
    return Recipe(
        name="actbert",
        model=TangledConfig(
            bert_seq_length=36, max_frames=36, dropout=0.1, frame_sampling="uniform"
        ),
        pretrain=PretrainConfig(
            batch_size=8,
            total_steps=10_000_000,
            epochs=10,
            optimizer=OptimizerConfig(
                lr=2e-4,
                bert_lr=2e-4,
                minimum_lr=2e-5,
                warmup_steps=0,
                bert_warmup_steps=0,
                weight_decay=1e-4,
            ),
            tag=TagConfig(tag_weight=0.0),
            masked_lm=MaskedLMConfig(mlm_weight=1.0),
            match=MatchConfig(match_weight=1.0),
            masked_frames=MaskedFramesConfig(
                masked_frames_weight=1.0,
                masked_frames_form="auto",
                masked_frames_share=0.15,
                masked_frames_hidden=0.9,
            ),
            masked_actions=MaskedActionsConfig(
                masked_actions_weight=1.0, masked_actions_hidden=0.9
            ),
        ),
        finetune=FinetuneConfig(batch_size=128, total_steps=3000, epochs=20),
    )
