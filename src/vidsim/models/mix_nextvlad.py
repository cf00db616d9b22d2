"""MixNeXtVLAD: NeXtVLAD branches over the frames, each fused with the title, mixed by a gate."""

import keras
from keras import ops

from vidsim import schema
from vidsim.layers.batch_norm import BatchNorm
from vidsim.layers.dense import dense
from vidsim.layers.gated_fusion import GatedFusion
from vidsim.layers.nextvlad import NeXtVLAD
from vidsim.layers.pooling import masked_max, masked_mean
from vidsim.models.backbone import Backbone
from vidsim.models.configs import MixNeXtVLADConfig
from vidsim.models.input_spec import InputSpec
from vidsim.models.text_encoder import TextEncoder


class MixNeXtVLAD(Backbone):
    """A mixture of K NeXtVLAD branches.

    Outputs, besides EMBEDDING (B, 256) and TAG_LOGITS (B, C): BRANCH_LOGITS (K, B, C),
    VISION_VECTORS (K, B, D) and TEXT_VECTOR (B, D) before fusion, D = vlad_hidden_size.

    Reference: fourth place of the CIKM 2021 multimodal video similarity challenge; Lin et al.
    2018 (arXiv:1811.05014).
    """

    def __init__(self, config: MixNeXtVLADConfig, spec: InputSpec):
        super().__init__(config, spec)
        encoder = spec.encoder
        self.text_pooling = config.text_pooling
        self.text_encoder = TextEncoder(encoder, name="text_encoder")
        if config.text_pooling == "cls":
            self.pooler = dense(encoder.width, "pooler", activation="tanh")
        size = config.vlad_hidden_size
        self.text_map = keras.layers.Dense(size, activation="relu", name="text_map")
        self.frame_norm = None
        if config.frame_norm:
            self.frame_norm = keras.layers.LayerNormalization(name="frame_norm")
        self.feature_dropout = keras.layers.SpatialDropout1D(
            config.feature_dropout, name="feature_dropout"
        )
        self.gate_norm = BatchNorm(name="gate_norm")
        self.gate = keras.layers.Dense(config.branches, dtype="float32", name="gate")
        self.vlads, self.fusions, self.classifiers = [], [], []
        for k in range(config.branches):
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
                name=f"fusion_{k}",
            )
            self.fusions.append(fusion)
            classifier = keras.layers.Dense(
                spec.num_labels, dtype="float32", name=f"classifier_{k}"
            )
            self.classifiers.append(classifier)

    def call(self, inputs, training=None):
        frames = ops.cast(inputs[schema.FRAMES], self.compute_dtype)  # (B, T, 1536)
        frame_mask = ops.cast(inputs[schema.FRAME_MASK], "bool")
        if self.frame_norm is not None:
            frames = self.frame_norm(frames)
        frames = self.feature_dropout(frames, training=training)
        text = self._text_vector(inputs, training)  # (B, D)
        gate = self._gate(frames, frame_mask, text, training)  # (B, K)
        visions, embeddings, logits = [], [], []
        for vlad, fusion, classifier in zip(
            self.vlads, self.fusions, self.classifiers, strict=True
        ):
            visions.append(vlad(frames, frame_mask, training=training))  # (B, D)
            embeddings.append(ops.cast(fusion(visions[-1], text, training=training), "float32"))
            logits.append(classifier(embeddings[-1]))
        weights = ops.transpose(gate)[:, :, None]  # (K, B, 1)
        branch_logits = ops.stack(logits)  # (K, B, C)
        return {
            schema.EMBEDDING: ops.sum(weights * ops.stack(embeddings), axis=0),
            schema.TAG_LOGITS: ops.sum(weights * branch_logits, axis=0),
            schema.BRANCH_LOGITS: branch_logits,
            schema.VISION_VECTORS: ops.stack(visions),
            schema.TEXT_VECTOR: text,
        }

    def _text_vector(self, inputs, training):
        mask = ops.cast(inputs[schema.TOKEN_MASK], "bool")
        hidden = self.text_encoder(inputs[schema.TOKEN_IDS], mask, training=training)
        if self.text_pooling == "cls":
            return self.text_map(self.pooler(hidden[:, 0]))
        pooling = masked_max if self.text_pooling == "max" else masked_mean
        return self.text_map(pooling(hidden, mask))

    def _gate(self, frames, frame_mask, text, training):
        mean = masked_mean(frames, frame_mask)  # (B, 1536)
        x = ops.concatenate([mean, ops.cast(text, mean.dtype)], axis=-1)
        return ops.softmax(self.gate(self.gate_norm(x, training=training)), axis=-1)
