"""What every family shares: one configuration file, one set of inputs and outputs."""

import contextlib
import math
from typing import Any

import keras
import numpy as np

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.models.configs import BackboneConfig
from vidsim.models.input_spec import InputSpec
from vidsim.preprocess.tensors import LEARNED, STREAMS


class Backbone(keras.Model):
    """A video to an embedding and tag logits. Knows no task.

    Subclasses take (config, spec) and return from ``call`` a dict with at least EMBEDDING
    (B, hidden_size) and, where there are tags, TAG_LOGITS (B, num_labels), keys of vidsim.schema.

    Inputs, a dict:
        token_ids (B, L) int32, token_mask (B, L) bool,
        frames (B, T, F) float16, frame_mask (B, T) bool
        and, where a text has several parts, token_types (B, L) int32
    L and T may differ from batch to batch and be 0; padding changes no output. A model that reads
    no text, by its spec, takes no token_ids; one that reads no frames takes no frames.

    Args:
        config: of the family.
        spec: what the data are like; F is its frame size.
    """

    def __init__(self, config: BackboneConfig, spec: InputSpec, **kwargs):
        if keras.config.floatx() != "float32":
            raise VidsimError(
                f"Keras computes in {keras.config.floatx()} (by keras.json or set_floatx); call "
                "keras.config.set_floatx('float32') before a model is made"
            )
        super().__init__(name=config.family, **kwargs)
        self.config = config
        self.spec = spec
        self._distribution = keras.distribution.distribution()

    @property
    def devices(self) -> int:
        """Devices among which one program divides a batch, whose rows must be a multiple (JAX)."""
        return self._distribution.device_mesh.devices.size if self._distribution else 1

    def on_its_devices(self) -> contextlib.AbstractContextManager[None]:
        """Within it, programs run on the devices that the weights were created for (JAX)."""
        return self._distribution.scope() if self._distribution else contextlib.nullcontext()

    def create_weights(self) -> None:
        """Creates every weight by one forward pass over a made batch of two videos.

        On JAX, which would compile each operation of it, by the batch's shapes alone.
        """
        made: dict[str, Any] = {}
        if self.spec.has_text:
            made[schema.TOKEN_IDS] = np.zeros((2, 3), "int32")
            made[schema.TOKEN_MASK] = np.ones((2, 3), bool)
        for name in self.spec.widths.keys() - LEARNED:
            width = self.spec.widths[name]
            made[name] = np.zeros((2, 2, width), "float16")
            made[STREAMS[name].mask] = np.ones((2, 2), bool)
        if keras.backend.backend() == "jax":
            made = {key: keras.KerasTensor(v.shape, str(v.dtype)) for key, v in made.items()}
        outputs = self(made)
        self.output_keys = tuple(outputs)
        self.output_widths = {key: int(x.shape[-1]) for key, x in outputs.items()}

    def make_classifier(self, name: str) -> keras.layers.Dense | None:
        """A layer that gives tag logits (B, num_labels); None where there are no tags.

        Its biases begin at the log-odds of 1 %, for tags are rare. From 0 on, the first updates
        would push all embeddings one way, to make every logit small, and layers that saturate, such
        as the poolers of LXMERT and ActBERT, would not come back from there.

        Reference: Lin et al. 2017, Focal Loss (arXiv:1708.02002), section 4.1.
        """
        if not self.spec.num_labels:
            return None
        rare = keras.initializers.Constant(math.log(0.01 / 0.99))
        return keras.layers.Dense(
            self.spec.num_labels, bias_initializer=rare, dtype="float32", name=name
        )

    def encoder_variables(self) -> list[keras.Variable]:
        """The variables that learn at the encoder's rate; those of ``text_encoder``, if any."""
        encoder = getattr(self, "text_encoder", None)
        return [] if encoder is None else list(encoder.trainable_variables)

    def word_embeddings(self) -> keras.Variable | None:
        """The table of word embeddings (V, W), which adversarial training displaces."""
        words = getattr(getattr(self, "text_encoder", None), "words", None)
        return None if words is None else words.embeddings

    def freeze_encoder(self) -> None:
        """The text encoder gives in training what it gives without: no gradients, no dropout.

        For a learning rate of 0. Dropout in an encoder that is not trained only adds noise.
        """
        encoder = getattr(self, "text_encoder", None)
        if encoder is None:
            return
        encoder.trainable = False
        for layer in encoder._flatten_layers():
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0.0

    def published_weights(self) -> dict[str, keras.Variable]:
        """The variables that a published text encoder fills, by their names in its file.

        The names are without the prefix ("bert.", "roformer."). Those of a pooler may be missing in
        the file; any other must be there.
        """
        names = getattr(getattr(self, "text_encoder", None), "published_weights", dict)
        return names()

    def encoder_was_loaded(self) -> None:
        """Called when the text encoder has got pretrained weights; a family may follow them."""
