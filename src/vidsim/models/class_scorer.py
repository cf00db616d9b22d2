"""Classification: heads over the embedding, trained with the backbone, and their softmax."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from vidsim.layers.numeric import Tensor
from vidsim.models.backbone import Backbone
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.models.side_means import beside, hidden_layers, means_widths, side_means
from vidsim.models.task_model import TaskModel
from vidsim.schema import CLASS_LOGITS, EMBEDDING, OWN_SHARE, PARTNER


class Mixture(NamedTuple):
    """How B rows are mixed with each other.

    Attributes:
        own_share: (B,) float32 from 0 to 1, what a row has of itself.
        partner: (B,) int32, the row that the rest is of.
    """

    own_share: Tensor
    partner: Tensor

    def of(self, x: Tensor) -> Tensor:
        """Rows (B, D), mixed."""
        own = self.own_share[:, None]
        return own * x + (1 - own) * ops.take(x, self.partner, axis=0)


class ClassHeads(keras.layers.Layer):
    """(B, D) embeddings to (B, H, C) logits, float32, of H independent heads.

    Each head has its own weights and its own dropout masks; where each has its own loss, the mean
    of their probabilities is that of an ensemble.

    Args:
        categories: C ids, one a class.
        size: D.
        hidden: numbers between the two layers of a head; 0: there is one layer, linear.
        dropout: between the two; half as much before the first.
        means: widths (V, F) of `side_means`, which the first of two layers reads beside the
            embedding; the embedding then has a weight that is learned, from 0 on. None: it reads
            the embedding alone.
        count: H.

    Attributes:
        categories: (C,) int64.
        reads_means: whether `means` were given.
        heads: H `ClassHead`.

    Reference: Lee et al. 2015, Why M heads are better than one (arXiv:1511.06314), section 3.2: the
    trunk shared, independent losses.
    """

    def __init__(
        self,
        categories: Sequence[int],
        size: int,
        hidden: int = 0,
        dropout: float = 0.5,
        means: tuple[int, int] | None = None,
        count: int = 1,
    ):
        super().__init__(dtype="float32", name="class_heads")
        self.categories = np.array(categories, np.int64)
        self.reads_means = means is not None
        classes = len(categories)
        self.heads = [ClassHead(classes, size, hidden, dropout, means) for _ in range(count)]
        self.built = True

    def call(
        self,
        embeddings: Tensor,
        means: tuple[Tensor, Tensor] | None = None,
        mixture: Mixture | None = None,
        training: bool | None = None,
    ) -> Tensor:
        """Logits of B rows.

        Args:
            embeddings: (B, D).
            means: (B, V) and (B, F), where the heads read them.
            mixture: of the rows that the heads read; None: as they are.
            training: whether to drop.
        """
        x = ops.cast(embeddings, "float32")
        return ops.stack([head(x, means, mixture, training=training) for head in self.heads], 1)


class ClassHead(keras.layers.Dense):
    """One head of `ClassHeads`, with whose arguments it is made: (B, D) to (B, C)."""

    def __init__(
        self,
        classes: int,
        size: int,
        hidden: int = 0,
        dropout: float = 0.5,
        means: tuple[int, int] | None = None,
    ):
        super().__init__(classes, dtype="float32", name="class_head")
        self.share = self.before = None
        if means is not None:
            self.share = self.add_weight(shape=(), initializer="zeros", name="share")
        if hidden:
            self.before = keras.Sequential(hidden_layers(hidden, dropout), name="before")
            self.before.build((None, size + sum(means or ())))
        self.build((None, hidden or size))
        self.input_spec = None  # Dense made it for what comes after `before`

    def call(
        self,
        x: Tensor,
        means: tuple[Tensor, Tensor] | None = None,
        mixture: Mixture | None = None,
        training: bool | None = None,
    ) -> Tensor:
        if means is not None and self.share is not None:
            x = beside(x, self.share, *means)
        if mixture is not None:
            x = mixture.of(x)
        if self.before is not None:
            x = self.before(x, training=training)
        return super().call(x)


def build_class_heads(backbone: Backbone, settings: Mapping[str, Any]) -> ClassHeads:
    """The heads behind a backbone.

    Args:
        backbone: of any family.
        settings: as a checkpoint of classification has them: classes; class_hidden, class_dropout
            and class_skip where there is a hidden layer; class_heads where there are several.

    Raises:
        VidsimError: class_skip for a family that does not give the states of its words.
    """
    means = means_widths(backbone, "--class-skip") if settings.get("class_skip") else None
    return ClassHeads(
        settings["classes"],
        backbone.config.hidden_size,
        settings.get("class_hidden", 0),
        settings.get("class_dropout", 0.0),
        means,
        settings.get("class_heads", 1),
    )


def class_logits(
    head: ClassHeads,
    outputs: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    mixture: Mixture | None = None,
    training: bool | None = None,
) -> Tensor:
    """(B, H, C) logits of B videos by H heads, float32.

    Args:
        head: of `build_class_heads`.
        outputs: of a backbone.
        inputs: what it was given.
        mixture: as `ClassHeads` takes it.
        training: whether to drop.
    """
    means = side_means(outputs, inputs) if head.reads_means else None
    return head(outputs[EMBEDDING], means, mixture, training=training)


class ClassScorer(TaskModel):
    """Trains a backbone and its class heads.

    Inputs as the backbone's, with CATEGORY (B,) and CLASS_SHARES (B, C) besides. Adds CLASS_LOGITS
    (B, H, C) to the backbone's outputs, and OWN_SHARE and PARTNER (B,) where rows are mixed.

    Args:
        mixup: what a video's heads read is mixed in training with that of another of its batch (of
            those on the same device), the share of each from the Beta distribution of (mixup,
            mixup); 0: not.

    Reference: Verma et al. 2019, Manifold mixup (arXiv:1806.05236), section 2, here in one place,
    before the heads, and with a share for each row.
    """

    head: ClassHeads

    def __init__(self, *args: Any, mixup: float = 0.0, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.mixup = mixup
        if mixup:
            self.draws = keras.random.SeedGenerator()
            self.owned_state = (*self.owned_state, self.draws.state)  # back after a skipped update

    def call(self, inputs, training=None):
        outputs, mixture = self.backbone(inputs, training=training), None
        if self.mixup and training:
            mixture = self._mixture(ops.shape(outputs[EMBEDDING])[:1])
            outputs = outputs | {OWN_SHARE: mixture.own_share, PARTNER: mixture.partner}
        logits = class_logits(self.head, outputs, inputs, mixture, training)
        return outputs | {CLASS_LOGITS: logits}

    def _mixture(self, shape: tuple[Any, ...]) -> Mixture:
        """A new one of shape (B,)."""
        share = keras.random.beta(shape, self.mixup, self.mixup, seed=self.draws)
        partner = ops.argsort(keras.random.uniform(shape, seed=self.draws))
        return Mixture(share, ops.cast(partner, "int32"))


class ClassPredictor(EmbeddingModel):
    """Inputs of a backbone -> (B, C) float32 probabilities; shares the weights, compiled once."""

    def __init__(self, backbone: Backbone, head: ClassHeads):
        super().__init__(backbone)
        self.head = head

    def call(self, inputs):
        outputs = self.backbone(inputs, training=False)
        logits = class_logits(self.head, outputs, inputs, training=False)
        return ops.mean(ops.softmax(ops.cast(logits, "float32"), axis=-1), axis=1)
