"""The public code's model of actbert.npz as ours, and its inputs."""

from dataclasses import replace

import numpy as np

from vidsim import schema
from vidsim.layers.tangled_layer import ACTIONS, REGIONS, TEXT
from vidsim.models.configs import build_backbone
from vidsim.models.input_spec import InputSpec
from vidsim.models.tangled_config import TangledConfig
from vidsim.models.transformer_stack import weight_and_bias

NUMBER = {REGIONS: 1, TEXT: 2, ACTIONS: 3}
LETTER = {REGIONS: "v", TEXT: "t", ACTIONS: "a"}


def config_of(w, heads):
    """In the public code's form."""

    def count(name):
        return len({key.split(".")[3] for key in w if key.startswith(f"w/bert.encoder.{name}.")})

    def inner(name):
        return w[f"w/bert.encoder.{name}.0.intermediate.dense.weight"].shape[1]

    _, region = w["w/bert.v_embeddings.image_embeddings.weight"].shape
    width, joint = w["w/bert.t_pooler.dense.weight"].shape
    return TangledConfig(
        encoder_layers=count("layer"),
        encoder_width=width,
        encoder_heads=heads(width),
        encoder_intermediate=inner("layer"),
        region_layers=count("v_layer"),
        region_width=region,
        region_heads=heads(region),
        region_intermediate=inner("v_layer"),
        action_layers=count("a_layer"),
        action_heads=heads(width),
        action_intermediate=inner("a_layer"),
        tangled_layers=count("c_layer"),
        tangled_width=joint,
        tangled_heads=heads(joint),
        published_quirks=True,
        encoder_dropout=0.0,
        dropout=0.0,
        hidden_size=8,
    )


def build(w):
    """The golden model's backbone with its weights; 4 heads where they divide, else 3."""
    config = config_of(w, lambda width: 4 if width % 3 else 3)
    vocabulary, positions = (
        len(w[f"w/bert.embeddings.{name}_embeddings.weight"]) for name in ("word", "position")
    )
    encoder = replace(config.encoder(vocabulary), max_positions=positions)
    widths = {
        schema.REGION_CLASSES: w["w/cls.imagePredictions.decoder.weight"].shape[1],
        schema.ACTION_LABELS: w["w/cls.actionPredictions.decoder.weight"].shape[1],
        schema.REGIONS: len(w["w/bert.v_embeddings.image_embeddings.weight"]),
        schema.REGION_BOXES: 5,
        schema.ACTIONS: len(w["w/bert.a_embeddings.action_embeddings.weight"]),
    }
    backbone = build_backbone(config, InputSpec(encoder, 0, widths, ("title",)))
    for name, variable in published(backbone).items():
        variable.assign(w[f"w/bert.{name}"])
    return backbone


def published(backbone):
    """Every variable by the public code's name, without "bert."."""
    named = dict(backbone.published_weights())
    stack = {"v_layer": REGIONS, "a_layer": ACTIONS}
    for theirs, ours in stack.items():
        for i, layer in enumerate(backbone.own[ours]):
            at = f"encoder.{theirs}.{i}"
            for part in ("query", "key", "value"):
                dense = getattr(layer.attention, f"{part}_dense")
                named |= weight_and_bias(f"{at}.attention.self.{part}", dense)
            named |= weight_and_bias(f"{at}.attention.output.dense", layer.attention.output_dense)
            named |= weight_and_bias(f"{at}.attention.output.LayerNorm", layer.attention_norm)
            named |= weight_and_bias(f"{at}.intermediate.dense", layer.expand)
            named |= weight_and_bias(f"{at}.output.dense", layer.contract)
            named |= weight_and_bias(f"{at}.output.LayerNorm", layer.output_norm)
    for i, layer in enumerate(backbone.tangled):
        at = f"encoder.c_layer.{i}"
        for part in ("key_at", "value_at", "key_av"):
            named |= weight_and_bias(f"{at}.ent_attention.{part}", getattr(layer, part))
        for stream, number in NUMBER.items():
            own, letter = getattr(layer, stream), LETTER[stream]
            for part in ("query", "key", "value"):
                named |= weight_and_bias(f"{at}.ent_attention.{part}{number}", getattr(own, part))
            named |= weight_and_bias(f"{at}.ent_output.dense{number}", own.output_dense)
            named |= weight_and_bias(f"{at}.ent_output.LayerNorm{number}", own.attention_norm)
            named |= weight_and_bias(f"{at}.{letter}_intermediate.dense", own.expand)
            named |= weight_and_bias(f"{at}.{letter}_output.dense", own.contract)
            named |= weight_and_bias(f"{at}.{letter}_output.LayerNorm", own.output_norm)
    regions, actions = backbone.embeddings[REGIONS], backbone.embeddings[ACTIONS]
    named |= weight_and_bias("v_embeddings.image_embeddings", regions.project)
    named |= weight_and_bias("v_embeddings.image_location_embeddings", regions.box)
    named |= weight_and_bias("v_embeddings.LayerNorm", regions.norm)
    named |= weight_and_bias("a_embeddings.action_embeddings", actions.project)
    named |= weight_and_bias("a_embeddings.LayerNorm", actions.norm)
    for stream, letter in LETTER.items():
        named |= weight_and_bias(f"{letter}_pooler.dense", backbone.poolers[stream])
    return named


def masks_of(g):
    names = {TEXT: "text_mask", REGIONS: "image_mask", ACTIONS: "action_mask"}
    return {stream: g[f"in/{name}"].astype(bool) for stream, name in names.items()}


def embedded(backbone, g):
    text = backbone.text_encoder.embed(g["in/text_ids"], g["in/token_type_ids"])
    regions = backbone.embeddings[REGIONS](g["in/image_feat"], g["in/image_loc"])
    return {
        TEXT: text,
        REGIONS: regions,
        ACTIONS: backbone.embeddings[ACTIONS](g["in/action_feat"]),
    }


def close(found, expected, mask=None):
    found = np.array(found)
    if mask is not None:
        assert mask.any()
        found, expected = found[mask], expected[mask]
    np.testing.assert_allclose(found, expected, atol=2e-5, rtol=1e-5)


WORDS = {TEXT: "text", REGIONS: "region", ACTIONS: "action"}
