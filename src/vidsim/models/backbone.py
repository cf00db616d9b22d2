"""What every family shares: one configuration file, one set of inputs and outputs."""

import contextlib
from typing import Any

import keras
import numpy as np

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.models.configs import BackboneConfig
from vidsim.models.input_spec import InputSpec


class Backbone(keras.Model):
    """A video to an embedding and tag logits. Knows no task.

    Subclasses take (config, spec) and return from ``call`` a dict with at least EMBEDDING
    (B, hidden_size) and, where there are tags, TAG_LOGITS (B, num_labels), keys of vidsim.schema.

    Inputs, a dict:
        token_ids (B, L) int32, token_mask (B, L) bool,
        frames (B, T, F) float16, frame_mask (B, T) bool
    L and T may differ from batch to batch; padding changes no output.

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
        made: dict[str, Any] = {
            schema.TOKEN_IDS: np.zeros((2, 3), "int32"),
            schema.TOKEN_MASK: np.ones((2, 3), bool),
        }
        if self.spec.frame_size is not None:
            made[schema.FRAMES] = np.zeros((2, 2, self.spec.frame_size), "float16")
            made[schema.FRAME_MASK] = np.ones((2, 2), bool)
        if keras.backend.backend() == "jax":
            made = {key: keras.KerasTensor(v.shape, str(v.dtype)) for key, v in made.items()}
        outputs = self(made)
        self.output_keys = tuple(outputs)

    def encoder_was_loaded(self) -> None:
        """Called when the text encoder has got pretrained weights; a family may follow them."""
