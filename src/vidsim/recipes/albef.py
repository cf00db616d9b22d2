"""ALBEF: words and frames apart, compared beside a momentum teacher, then fused."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vidsim.config_fields import renamed
from vidsim.models.albef_config import AlbefConfig
from vidsim.objectives.configs import MaskedLMConfig, MatchConfig, TagConfig
from vidsim.objectives.momentum_configs import (
    DistilledLMConfig,
    HardMatchConfig,
    MomentumContrastConfig,
)
from vidsim.recipes.recipe import FinetuneConfig, PretrainConfig, Recipe
from vidsim.recipes.sizes import published
from vidsim.training.configs import OptimizerConfig

if TYPE_CHECKING:
    from vidsim.models.backbone import Backbone
    from vidsim.models.task_model import TaskModel
    from vidsim.objectives.objective import Objective
    from vidsim.preprocess.corruption import Corruption


@dataclass(frozen=True)
class AlbefPretrainConfig(PretrainConfig):
    """Flags of ALBEF's pretraining."""

    tag: TagConfig = field(default_factory=lambda: renamed(TagConfig(tag_weight=0.0), {}))
    masked_lm: MaskedLMConfig = field(
        default_factory=lambda: renamed(DistilledLMConfig(mlm_weight=1.0), {})
    )
    match: MatchConfig = field(
        default_factory=lambda: renamed(HardMatchConfig(match_weight=1.0), {})
    )
    itc: MomentumContrastConfig = field(default_factory=MomentumContrastConfig)

    def contradictions(self) -> Iterator[str]:
        yield from super().contradictions()
        yield from self.itc.fits(self.batch_size)

    @property
    def corruption(self) -> "Corruption":
        from vidsim.preprocess.corruption import Corruption

        return Corruption(words=self.masked_lm.share, unmasked=bool(self.masked_lm.share))

    def task_model(self, backbone: "Backbone", objectives: "Sequence[Objective]") -> "TaskModel":
        from vidsim.models.momentum_pretrainer import MomentumPretrainer

        return MomentumPretrainer(backbone, objectives)


_TRAINED_HERE = {  # few updates from random weights: as the other recipes at these sizes
    "itc_log_temperature": True,
    "minimum_lr": 0.0,
    "weight_decay": 0.01,
    "clip_norm": 1.0,
}
_TINY = {"itc_queue": 64, "itc_alpha_steps": 20, "itc_momentum": 0.9} | _TRAINED_HERE
_SMALL = {"itc_queue": 1024, "itc_momentum": 0.99} | _TRAINED_HERE
_SIZES = {
    "tiny": {
        "model": {"encoder_layers": 2, "fusion_layers": 1, "frame_layers": 1},
        "pretrain": _TINY | {"tag_weight": 1.0},
        "tasks": {
            "retrieval": _TINY
            | {
                "batch_size": 32,
                "lr": 2e-3,
                "bert_lr": 2e-3,
                "warmup_steps": 5,
                "bert_warmup_steps": 5,
                "total_steps": 40,
                "epochs": 20,
            }
        },
    },
    "small": {
        "model": {
            "fusion_from": "after",
            "fusion_layers": 1,
            "frame_layers": 1,
            "frame_skip": True,
            "projection": "mlp",
        },
        "pretrain": _SMALL
        # each side is searched by the other: neither is hidden
        | {"itc_alpha_steps": 60, "tag_weight": 1.0, "modality_dropout": 0.0},
        "tasks": {
            "retrieval": _SMALL
            | {
                "batch_size": 256,
                "lr": 1e-3,
                "bert_lr": 1e-3,
                "warmup_steps": 10,
                "bert_warmup_steps": 10,
                "total_steps": 280,
                "epochs": 40,
            }
        },
    },
    "small, pretrained": {
        # the encoder knows what a sentence means, and the mean frame what is to be seen
        "model": {"frame_layers": 0, "projection_hidden": 4096, "projection_dropout": 0.6},
        "tasks": {
            "retrieval": {
                "itc_queue": 2048,
                "itc_alpha": 0.6,
                "bert_lr": 0.0,
                "tower_hidden": 0,  # it has projections of its own
                "tower_skip": False,
            }
        },
    },
}


@published(_SIZES)
def recipe() -> Recipe:
    """`python pretrain --recipes albef`, `python finetune --recipes albef --task retrieval`.

    Published (Li et al. 2021, arXiv:2107.07651, and its public code): BERT-base split into 6 layers
    of text and 6 of fusion, vectors of 256; queues of 65,536, momentum 0.995, alpha 0.4 that rises
    in the first epoch; 30 epochs of batches of 512 (4 million pairs: 234,000 updates), AdamW 1e-4
    with decay 0.02 down to 1e-5 after 2,000 updates of warm-up, no clipping. Retrieval: 10 epochs
    of batches of 32, 1e-5 down to 1e-6, sentences of 30 tokens (25 in pretraining there).

    What differs here: a small Transformer over frame features stands where the paper has ViT-B/16
    over one picture, and learning rates fall in a straight line where they fell by a cosine. What
    is not here: VQA, visual entailment, NLVR2 and grounding, which ask questions that a data folder
    of videos, titles and captions does not hold.

    The public code lets the teacher drop units as the model does, of which the paper says nothing;
    here it drops none. A batch whose other rows are all right for a row, at which the code's draw
    fails, gives that row no negative.
    """
    retrieval = {
        "retrieval_weight": 0.0,
        "itc_weight": 1.0,
        "match_weight": 1.0,
        "batch_size": 32,
        "epochs": 10,
        "lr": 1e-5,
        "bert_lr": 1e-5,
        "minimum_lr": 1e-6,
        "weight_decay": 0.02,
        "clip_norm": 0.0,
        "warmup_steps": 0,
        "bert_warmup_steps": 0,
        "total_steps": 45_000,
    }
    return Recipe(
        name="albef",
        model=AlbefConfig(bert_seq_length=30),
        pretrain=AlbefPretrainConfig(
            batch_size=512,
            total_steps=234_000,
            epochs=30,
            length_pool=1,
            optimizer=OptimizerConfig(
                lr=1e-4,
                bert_lr=1e-4,
                minimum_lr=1e-5,
                warmup_steps=2000,
                bert_warmup_steps=2000,
                weight_decay=0.02,
                clip_norm=0.0,
            ),
        ),
        finetune=FinetuneConfig(batch_size=128, total_steps=3000, epochs=20),
        tasks={"retrieval": retrieval},
    )
