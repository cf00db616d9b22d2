"""MixNeXtVLAD: NeXtVLAD branches over the frames, each fused with the title, mixed by a gate."""

import keras
from keras import ops

from vidsim import schema
from vidsim.layers.batch_norm import BatchNorm
from vidsim.layers.dense import dense
from vidsim.layers.gated_fusion import GatedFusion
from vidsim.layers.nextvlad import NeXtVLAD
from vidsim.layers.numeric import Tensor
from vidsim.layers.pooling import masked_first, masked_max, masked_mean
from vidsim.models.backbone import Backbone
from vidsim.models.input_spec import InputSpec
from vidsim.models.mix_nextvlad_config import MixNeXtVLADConfig
from vidsim.models.text_encoder import TextEncoder
from vidsim.models.transformer_stack import weight_and_bias


class MixNeXtVLAD(Backbone):
    """A mixture of K NeXtVLAD branches.

    Outputs, besides EMBEDDING (B, 256): TAG_LOGITS (B, C) and BRANCH_LOGITS (K, B, C) where there
    are tags; before fusion, VISION_VECTORS (K, B, D) where it reads frames and TEXT_VECTOR (B, D)
    where it reads text, D = vlad_hidden_size; WORD_VECTOR (B, width), the encoder's states, pooled.

    Reference: fourth place of the CIKM 2021 multimodal video similarity challenge; Lin et al.
    2018 (arXiv:1811.05014).
    """

    def __init__(self, config: MixNeXtVLADConfig, spec: InputSpec) -> None:
        super().__init__(config, spec)
        encoder, size = spec.encoder, config.vlad_hidden_size
        self.text_pooling = config.text_pooling
        self.pooler = None
        if spec.has_text:
            self.text_encoder = TextEncoder(encoder, name="text_encoder")
            if config.text_pooling == "cls":
                self.pooler = dense(encoder.width, "pooler", activation="tanh")
            self.text_map = keras.layers.Dense(size, activation="relu", name="text_map")
        self.frame_norm = None
        if config.frame_norm and spec.frame_size is not None:
            self.frame_norm = keras.layers.LayerNormalization(name="frame_norm")
        self.feature_dropout = keras.layers.SpatialDropout1D(
            config.feature_dropout, name="feature_dropout"
        )
        self.gate_norm = BatchNorm(name="gate_norm")
        self.gate = keras.layers.Dense(config.branches, dtype="float32", name="gate")
        sides = ("vision",) if spec.frame_size is not None else ()
        sides += ("text",) if spec.has_text else ()
        self.vlads, self.fusions, self.classifiers = [], [], []
        for k in range(config.branches):
            if spec.frame_size is not None:
                self.vlads.append(
                    NeXtVLAD(
                        config.vlad_cluster_size,
                        expansion=config.vlad_expansion,
                        groups=config.vlad_groups,
                        output_size=size,
                        dropout=config.dropout,
                        batch_norm=config.vlad_batch_norm,
                        name=f"vlad_{k}",
                    )
                )
            fusion = GatedFusion(
                config.hidden_size,
                config.dropout,
                config.se_ratio,
                config.fusion_norm,
                sides,
                name=f"fusion_{k}",
            )
            self.fusions.append(fusion)
            classifier = self.make_classifier(f"classifier_{k}")
            if classifier is not None:
                self.classifiers.append(classifier)

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        """Embed B videos."""
        frames = mask = text = None
        if self.vlads:
            frames, mask = self._frames(inputs, training)
        if self.spec.has_text:
            words = self._word_vector(inputs, training)  # (B, width)
            text = self.text_map(words)  # (B, D)
        gate = self._gate(frames, mask, text, training)  # (B, K)
        visions, embeddings, logits = [], [], []
        for k, fusion in enumerate(self.fusions):
            if self.vlads:
                visions.append(self.vlads[k](frames, mask, training=training))  # (B, D)
            sides = [*visions[k:], *([] if text is None else [text])]
            fused = fusion(*sides, training=training)
            embeddings.append(ops.cast(fused, "float32"))
            if self.classifiers:
                logits.append(self.classifiers[k](embeddings[k]))
        weights = ops.transpose(gate)[:, :, None]  # (K, B, 1)
        outputs = {schema.EMBEDDING: ops.sum(weights * ops.stack(embeddings), axis=0)}
        if logits:
            outputs[schema.BRANCH_LOGITS] = ops.stack(logits)  # (K, B, C)
            outputs[schema.TAG_LOGITS] = ops.sum(weights * outputs[schema.BRANCH_LOGITS], axis=0)
        if visions:
            outputs[schema.VISION_VECTORS] = ops.stack(visions)
        if text is not None:
            outputs |= {schema.TEXT_VECTOR: text, schema.WORD_VECTOR: words}
        return outputs

    def published_weights(self) -> dict[str, keras.Variable]:
        named = super().published_weights()
        return (
            named if self.pooler is None else named | weight_and_bias("pooler.dense", self.pooler)
        )

    def _frames(self, inputs: dict[str, Tensor], training: bool | None) -> tuple[Tensor, Tensor]:
        """Frames (B, T, F) and their mask (B, T)."""
        frames = ops.cast(inputs[schema.FRAMES], self.compute_dtype)
        if self.frame_norm is not None:
            frames = self.frame_norm(frames)
        mask = ops.cast(inputs[schema.FRAME_MASK], "bool")
        return self.feature_dropout(frames, training=training), mask

    def _word_vector(self, inputs: dict[str, Tensor], training: bool | None) -> Tensor:
        mask, types = ops.cast(inputs[schema.TOKEN_MASK], "bool"), inputs.get(schema.TOKEN_TYPES)
        hidden = self.text_encoder(inputs[schema.TOKEN_IDS], mask, types, training=training)
        if self.pooler is not None:
            return self.pooler(masked_first(hidden, mask))
        pooling = masked_max if self.text_pooling == "max" else masked_mean
        return pooling(hidden, mask)

    def _gate(
        self,
        frames: Tensor | None,
        mask: Tensor | None,
        text: Tensor | None,
        training: bool | None,
    ) -> Tensor:
        """The branches' weights (B, K), by the frames' mean (B, F) and the text (B, D)."""
        sides = [] if frames is None else [masked_mean(frames, mask)]
        sides += [] if text is None else [text]
        x = ops.concatenate([ops.cast(side, sides[0].dtype) for side in sides], axis=-1)
        scores = self.gate(self.gate_norm(x, training=training))
        return ops.softmax(scores, axis=-1) if len(self.fusions) > 1 else ops.ones_like(scores)
