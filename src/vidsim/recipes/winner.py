"""The challenge's winner: one large encoder; tags, masked words, masked frames; ranks as labels."""

from vidsim.models.configs import JointConfig
from vidsim.objectives.configs import (
    MaskedFramesConfig,
    MaskedLMConfig,
    SimilarityConfig,
    TagConfig,
)
from vidsim.recipes.recipe import FinetuneConfig, PretrainConfig, Recipe
from vidsim.recipes.sizes import published
from vidsim.training.configs import OptimizerConfig

# Published: 1250/3 x the mean over videos and over 10,000 tags. Here the loss of a video is the
# sum over tags, 10,000 times their mean, so that the weight is 1250 / 3 / 10,000 = 1/24.
_TAG_WEIGHT = 1250 / 3 / 10_000


@published({"small": {"finetune": {"tag_weight": 0.0}}})  # where all recipes have another
def recipe() -> Recipe:
    """`sh run.sh --recipes winner`; the base of its six jobs (arXiv:2111.01677, public code).

    As published: the sequence [CLS] frames [SEP] title [SEP] of 36 tokens and 32 frames through
    24 layers of 1024 in 16 heads; frames with position, type and LayerNorm of their own; 1250/3 x
    tags + words / 3.75 + frames / 9, of 13.5 % of the frames, all hidden; 40 epochs of 1,063,613
    videos in batches of 128; finetuning by squared error alone on ranks of the ratings, 10 epochs
    of 65,373 pairs in batches of 32; cosine decay after 6 % of warm-up; for tags another number of
    them than 10,000 keeps the weight of each.

    Attention pooling is that of jobs 4 and 5; the mean of the others is `--pooling token_mean`.
    Other than there: tags are predicted from the embedding and not from the ReLU of [CLS], frames
    are taken evenly over the whole video, padding is in no mean, AdamW's epsilon is 1e-8 and not
    1e-6, and the norm of gradients is clipped. Its split of the pairs by id and its jobs' other
    combinations of data are the user's to make; the blend of cosines is `--blend svd`.

    Measured on CxC from random weights, --size small, fold 0: Spearman 0.8447 on test_b.
    """
    return Recipe(
        name="winner",
        model=JointConfig(
            encoder_layers=24,
            encoder_width=1024,
            encoder_heads=16,
            encoder_intermediate=4096,
            bert_seq_length=35,  # and the [SEP] between frames and title
            sequence="cls frames sep words",
            pooling="attention",
            frame_positions=True,
            frame_activation="linear",
        ),
        pretrain=PretrainConfig(
            batch_size=128,
            total_steps=332_379,
            epochs=40,
            optimizer=_optimizer(lr=5e-4, bert_lr=5e-5, warmup=19_943),
            tag=TagConfig(tag_weight=_TAG_WEIGHT),
            masked_lm=MaskedLMConfig(mlm_weight=1 / 3.75),
            masked_frames=MaskedFramesConfig(masked_frames_weight=1 / 9),
        ),
        finetune=FinetuneConfig(
            batch_size=32,
            total_steps=20_429,
            epochs=10,
            optimizer=_optimizer(lr=5e-5, bert_lr=1e-5, warmup=1226),
            similarity=SimilarityConfig(similarity_weight=1.0, kl_weight=0.0),
            tag=TagConfig(tag_weight=0.0),
            rank_labels=True,
        ),
    )


def _optimizer(lr: float, bert_lr: float, warmup: int) -> OptimizerConfig:
    """AdamW with weight decay 0.01 and a cosine."""
    return OptimizerConfig(
        lr=lr, bert_lr=bert_lr, schedule="cosine", warmup_steps=warmup, bert_warmup_steps=warmup
    )
