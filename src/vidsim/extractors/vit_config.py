"""The numbers that a config.json of a vision transformer states, each checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidsim.errors import VidsimError
from vidsim.extractors.vit import LayerConfig
from vidsim.layers.activations import ACTIVATIONS

_LARGEST = 1 << 24  # no model comes near


def tower_config(config: Mapping[str, Any], tower: str) -> dict[str, Any]:
    """CLIP's and SigLIP's config.json has one object for each tower; older ones had two."""
    found: dict[str, Any] = {}
    for key in (f"{tower}_config", f"{tower}_config_dict"):
        part = config.get(key)
        found |= part if isinstance(part, dict) else {}
    return found


class ConfigReader:
    """The numbers of a config.json, each checked.

    Args:
        path: of the file, for messages.
        stated: what it says, over the family's defaults.
    """

    def __init__(self, path: Path, stated: Mapping[str, Any]):
        self._path, self._stated = path, stated

    def whole(self, key: str) -> int:
        """A whole number above 0.

        Raises:
            VidsimError: it is none.
        """
        value = self._stated.get(key)
        if type(value) is not int or not 1 <= value <= _LARGEST:
            raise VidsimError(
                f"{self._path}: {key} is {value!r:.200}; accepted are whole numbers from 1 to "
                f"{_LARGEST}"
            )
        return value

    def size(self, key: str) -> int:
        """A number of pixels, which may be written twice, as height and width."""
        value = self._stated.get(key)
        if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
            return ConfigReader(self._path, {key: value[0]}).whole(key)
        return self.whole(key)

    def layers(self, causal: bool = False) -> LayerConfig:
        """The transformer.

        Raises:
            VidsimError: a size, the activation or the epsilon is not accepted.
        """
        width, heads = self.whole("hidden_size"), self.whole("num_attention_heads")
        if width % heads:
            raise VidsimError(f"{self._path}: {heads} heads do not divide the width of {width}")
        activation = self._stated.get("hidden_act")
        if not isinstance(activation, str) or activation not in ACTIVATIONS:
            raise VidsimError(
                f"{self._path}: hidden_act {activation!r:.200}; supported are "
                f"{', '.join(ACTIVATIONS)}"
            )
        epsilon = self._stated.get("layer_norm_eps")
        if not isinstance(epsilon, float | int) or not 0 <= epsilon < 1:
            raise VidsimError(
                f"{self._path}: layer_norm_eps is {epsilon!r:.200}; accepted is 0 to 1"
            )
        depth, inner = self.whole("num_hidden_layers"), self.whole("intermediate_size")
        return LayerConfig(width, depth, heads, inner, activation, float(epsilon), causal)
