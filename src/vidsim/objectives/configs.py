"""The losses' flags, as data: read without Keras, which an objective needs only when built."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from vidsim.config_fields import Config, Range, Rate, Share, Temperature, Weight

if TYPE_CHECKING:
    from vidsim.objectives.objective import Objective
    from vidsim.preprocess.corruption import Mismatch

_Focus = Annotated[float, Range(0, 100)]


@dataclass(frozen=True)
class ObjectiveConfig(Config):
    """Flags of one objective. A weight of 0 leaves it out."""

    @property
    def weight(self) -> float:
        """Factor of this term in the total loss."""
        raise NotImplementedError

    def build(self, backbone) -> "Objective":
        """The objective for that backbone."""
        raise NotImplementedError


@dataclass(frozen=True)
class TagConfig(ObjectiveConfig):
    """Flags of the tag loss."""

    tag_loss: Literal["bce", "asl"] = "bce"
    """bce: binary cross-entropy; asl: asymmetric loss. Both sum over tags, average over videos."""
    tag_weight: Weight = 1.0
    """Weight of the tag loss."""
    tag_branches: bool = True
    """Add the loss of every branch's own logits, where the family has branches."""
    asl_gamma_pos: _Focus = 0.0
    """Focusing of the asymmetric loss on positive tags."""
    asl_gamma_neg: _Focus = 1.0
    """Focusing of the asymmetric loss on negative tags."""
    asl_clip: Rate = 0.0
    """Probability shift of the asymmetric loss for negative tags."""

    @property
    def weight(self) -> float:
        return self.tag_weight

    def build(self, backbone) -> "Objective":
        from vidsim.objectives.tag import TagObjective

        return TagObjective(self)


@dataclass(frozen=True)
class BranchKLConfig(ObjectiveConfig):
    """Flags of the branch regulariser."""

    branch_kl_weight: Weight = 0.0
    """Weight of the KL divergence between mixed and branch tag distributions."""
    branch_kl_temperature: Temperature = 2.0
    """Divides the logits (no unit)."""

    @property
    def weight(self) -> float:
        return self.branch_kl_weight

    def build(self, backbone) -> "Objective":
        from vidsim.objectives.branch_kl import BranchKLObjective

        return BranchKLObjective(self)


@dataclass(frozen=True)
class ContrastiveConfig(ObjectiveConfig):
    """Flags of the contrastive loss."""

    contrastive_weight: Weight = 0.0
    """Weight of the contrastive loss between the title and each branch's frames, before fusion."""
    contrastive_temperature: Temperature = 0.07
    """Divides the cosines (no unit)."""

    @property
    def weight(self) -> float:
        return self.contrastive_weight

    def build(self, backbone) -> "Objective":
        from vidsim.objectives.contrastive import ContrastiveObjective

        return ContrastiveObjective(self)


@dataclass(frozen=True)
class MaskedLMConfig(ObjectiveConfig):
    """Flags of the masked-word loss."""

    mlm_weight: Weight = 0.0
    """Weight of the masked-word loss."""
    mlm_probability: Share = 0.15
    """Share of a title's words chosen; of those 80 % are masked, 10 % replaced, 10 % kept."""
    mlm_reduction: Literal["mean", "sum"] = "mean"
    """mean: over the batch's masked words; sum: over those of a video, and the mean over videos, so
    that long texts count for more and the batch size for nothing."""

    @property
    def weight(self) -> float:
        return self.mlm_weight

    @property
    def share(self) -> float:
        """Share of the words to choose: none where the loss is off."""
        return self.mlm_probability if self.mlm_weight else 0.0

    def build(self, backbone) -> "Objective":
        from vidsim.objectives.masked_lm import MaskedLMObjective

        return MaskedLMObjective(self, backbone)


@dataclass(frozen=True)
class MatchConfig(ObjectiveConfig):
    """Flags of the match loss."""

    match_weight: Weight = 0.0
    """Weight of the loss that asks whether the streams of a row are those of its text's video."""
    match_mismatch: Literal["random", "reversed"] = "random"
    """Which texts get another video's streams. random: each with probability 1/2, any other video
    of the batch; reversed: those of the batch's second half, in reverse order."""
    match_words: bool = False
    """Whether masked words are also predicted beside another video's streams. The public code of
    LXMERT and ActBERT does so."""

    @property
    def weight(self) -> float:
        return self.match_weight

    @property
    def mismatch(self) -> "Mismatch":
        """How texts and streams are exchanged: not at all where the loss is off."""
        return self.match_mismatch if self.match_weight else "none"

    def build(self, backbone) -> "Objective":
        from vidsim.objectives.match import MatchObjective

        return MatchObjective(self, backbone)


@dataclass(frozen=True)
class MaskedFramesConfig(ObjectiveConfig):
    """Flags of the masked-frame loss."""

    masked_frames_weight: Weight = 0.0
    """Weight of the masked-frame loss."""
    masked_frames_form: Literal["nce", "soft", "regression", "auto"] = "nce"
    """nce: find the frame among all of the batch; soft: KL divergence from shares of classes, those
    of the regions (region_class) or the frames themselves; regression: mean squared error of the
    frame's numbers; auto: soft where the data have region_class, else nce."""
    masked_frames_share: Share = 0.135
    """Share of a video's frames to predict."""
    masked_frames_hidden: Share = 1.0
    """Share of those that the model sees as zeros; it sees the others as they are."""
    masked_frames_normalize: bool = False
    """nce compares by cosine, and not by dot product as published."""
    masked_frames_temperature: Temperature = 1.0
    """nce divides products or cosines by it (no unit)."""

    @property
    def weight(self) -> float:
        return self.masked_frames_weight

    @property
    def share(self) -> float:
        """Share of the frames to predict: none where the loss is off."""
        return self.masked_frames_share if self.masked_frames_weight else 0.0

    def build(self, backbone) -> "Objective":
        from vidsim.objectives.masked_frames import MaskedFramesObjective

        return MaskedFramesObjective(self, backbone)


@dataclass(frozen=True)
class MaskedActionsConfig(ObjectiveConfig):
    """Flags of the masked-action loss."""

    masked_actions_weight: Weight = 0.0
    """Weight of the loss that names hidden actions, by their labels or by the video's tags."""
    masked_actions_share: Share = 0.15
    """Share of a video's actions to predict."""
    masked_actions_hidden: Share = 0.9
    """Share of those that the model sees as zeros; it sees the others as they are."""

    @property
    def weight(self) -> float:
        return self.masked_actions_weight

    @property
    def share(self) -> float:
        """Share of the actions to predict: none where the loss is off."""
        return self.masked_actions_share if self.masked_actions_weight else 0.0

    def build(self, backbone) -> "Objective":
        from vidsim.objectives.masked_actions import MaskedActionsObjective

        return MaskedActionsObjective(self, backbone)


@dataclass(frozen=True)
class ClassConfig(ObjectiveConfig):
    """Flags of the loss of classification."""

    class_weight: Weight = 1.0
    """Weight of the cross-entropy of a video's class."""
    label_smoothing: Rate = 0.0
    """Share of each target that is spread evenly over all classes."""
    logit_adjustment: Annotated[float, Range(0, 10)] = 0.0
    """Training adds this times the logarithm of each class's share of the training videos to its
    logit; prediction does not. 0: rare classes are rarely predicted; 1: all classes count alike,
    which macro F1 asks for and accuracy does not."""

    @property
    def weight(self) -> float:
        return self.class_weight

    def build(self, backbone) -> "Objective":
        from vidsim.objectives.classification import ClassObjective

        return ClassObjective(self)


@dataclass(frozen=True)
class SimilarityConfig(ObjectiveConfig):
    """Flags of the similarity loss: similarity_weight x (MSE + kl_weight x KL)."""

    similarity_weight: Weight = 128.0
    """Weight of mean squared error and KL together, beside a tag loss of weight 1. The published
    system sums the squared error over its batch of 128 pairs: the same proportion."""
    kl_weight: Weight = 0.5
    """Weight of the KL term against the squared error."""
    kl_form: Literal["raw", "softmax"] = "raw"
    """raw: as published, on the bare numbers; not a divergence, but it weighs a cosine's error by
    its share of the rating, and it measures better (README). softmax: KL between the batch's
    softmaxes of ratings and cosines."""
    kl_temperature: Temperature = 0.1
    """Divides ratings and cosines before the softmax (no unit)."""

    @property
    def weight(self) -> float:
        return self.similarity_weight

    def build(self, backbone) -> "Objective":
        from vidsim.objectives.similarity import SimilarityObjective

        return SimilarityObjective(self)


@dataclass(frozen=True)
class RetrievalLossConfig(ObjectiveConfig):
    """Flags of the loss of retrieval."""

    retrieval_weight: Weight = 1.0
    """Weight of the contrast between sentences and videos."""
    retrieval_temperature: Annotated[float, Range(0.001, 0.5)] = 0.1
    """Divides the cosines (no unit): where it starts, for it is learned, within 0.001 and 0.5."""

    @property
    def weight(self) -> float:
        return self.retrieval_weight

    def build(self, backbone) -> "Objective":
        from vidsim.objectives.retrieval import RetrievalObjective

        return RetrievalObjective(self)
