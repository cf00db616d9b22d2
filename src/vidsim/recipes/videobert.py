"""VideoBERT: frames, [SEP] and words in one sequence; masked words, and whether both match."""

from vidsim.models.configs import JointConfig
from vidsim.objectives.configs import MaskedLMConfig, MatchConfig, TagConfig
from vidsim.recipes.recipe import FinetuneConfig, PretrainConfig, Recipe
from vidsim.recipes.sizes import published

# a video whose words or frames are all hidden says nothing about a match; and the document's words
# are masked with a pretrained encoder too; tags train the layer that makes the embedding
_OWN = {"pretrain": {"modality_dropout": 0.0, "mlm_weight": 1.0, "tag_weight": 1.0}}


@published({"tiny": _OWN, "small": _OWN})
def recipe() -> Recipe:
    """`sh run.sh --recipes videobert`.

    By the document: the sequence v1 .. vN, [SEP], w1 .. wM with positions and a post-LN encoder;
    masked words as a sum over a video's masked words; the match head on [SEP] (a sigmoid there, two
    outputs here: the same model); both trained together, nothing else in pretraining. Sizes tiny
    and small learn tags besides, where there are any: they train the layer of the embedding.

    Its document gives no number at all: the encoder is BERT-base, 15 % of the words are masked, and
    batches, steps and rates are those of the recipe uniter, as is finetuning, with the tag loss
    beside the similarity. Both losses have weight 1, texts get a random other video in half of the
    rows, and words are not predicted there. The embedding is read from all words and frames, which
    the document leaves to the task. Video question answering, captioning and summarisation, which
    it names, are not here: they need other data. Nor is Sun et al.'s visual vocabulary
    (arXiv:1904.01766), which is not in the document.

    Measured on CxC from random weights, --size small, fold 0: Spearman 0.8397 on test_b.
    """
    return Recipe(
        name="videobert",
        model=JointConfig(
            sequence="frames sep words", frame_positions=True, match_at="sep", pooling="mean"
        ),
        pretrain=PretrainConfig(
            batch_size=256,
            total_steps=60000,
            epochs=30,
            tag=TagConfig(tag_weight=0.0),
            masked_lm=MaskedLMConfig(mlm_weight=1.0, mlm_reduction="sum"),
            match=MatchConfig(match_weight=1.0),
        ),
        finetune=FinetuneConfig(batch_size=128, total_steps=3000, epochs=20),
    )
