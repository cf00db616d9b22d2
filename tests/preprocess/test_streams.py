"""Regions and actions of the data as a model of ActBERT's family is shown them."""

import numpy as np

from vidsim import schema
from vidsim.objectives.configs import MaskedActionsConfig, MaskedFramesConfig
from vidsim.objectives.objective import build_objectives
from vidsim.preprocess.corruption import Corruption
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.input_shape import InputTensors
from vidsim.preprocess.masking import SpecialTokens
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.records.video import Video
from vidsim.records.video_table import load_videos
from vidsim.records.writer import write_videos
from vidsim.tasks.data_files import stream_widths


def ramp(count, width, start):
    return (np.arange(count * width, dtype="float16") / 50 + start).reshape(count, width)


def made(number, regions, actions):
    """A video with frames, regions, boxes, shares of 3 classes, and actions of classes 7 and 9."""
    more = {
        schema.REGION_FEATURE: ramp(regions, 6, number),
        schema.REGION_BOX: np.full((regions, 5), 0.5, "float16"),
        schema.REGION_CLASS: np.full((regions, 3), 0.25, "float16"),
        schema.ACTION_FEATURE: ramp(actions, 4, number),
        schema.ACTION_LABEL: [9] if number else [7, 9],
    }
    return Video(str(number), "a cat", ramp(2, 8, number), more=more)


def test_what_the_data_have_is_read_hidden_and_learned(tmp_path, tokenizer, build_smallest):
    """The losses read regions, their classes, and the labels of actions; no frame is opened."""
    write_videos(tmp_path / "v.tfrecords", [made(0, 3, 2), made(1, 2, 1)])
    table = load_videos(tmp_path / "v.tfrecords")
    actions = TagVocabulary.of(table.numbers(schema.ACTION_LABEL).values)
    widths = stream_widths([table]) | {schema.ACTION_LABELS: len(actions)}
    one = {"region_layers": 1, "action_layers": 1, "tangled_layers": 1, "encoder_layers": 1}
    config = build_smallest("tangled", **one).config
    backbone = build_smallest("tangled", 0, inputs={"widths": config.reads(widths)}, **one)
    assert schema.FRAMES not in backbone.spec.widths
    plain = InputTensors.of(backbone.spec.widths)
    assert not {schema.REGION_CLASSES, schema.ACTION_LABELS} & {*plain.names}
    tensors = plain.learned_from(table, actions)
    examples = Examples(table, tokenizer, None, config, tensors)
    corruption = Corruption(frames=0.99, actions=0.99, mismatch="reversed")
    special, rng = SpecialTokens(0, 1, 2, 3, 4), np.random.default_rng(0)
    batch = corruption.apply(examples.batch(np.arange(2)), special, 90, rng)
    assert {*batch} == {*corruption.keys(examples.names)}
    assert batch[schema.REGION_CLASSES].shape == (2, 3, 3)
    assert batch[schema.REGION_BOXES].shape == (2, 3, 5)
    assert batch[schema.FRAMES_CHOSEN].shape == (2, 3)
    assert batch[schema.ACTIONS_CHOSEN].shape == (2, 2)
    np.testing.assert_array_equal(batch[schema.ACTION_LABELS], [[1, 1], [0, 1]])
    configs = [MaskedFramesConfig(1.0, "auto"), MaskedActionsConfig(1.0)]
    regions, classes = build_objectives(configs, backbone, backbone.output_keys)
    assert regions.form == "soft" and classes.labels == schema.ACTION_LABELS
    outputs = backbone(batch)
    for objective in (regions, classes):
        assert (
            np.isfinite(float(objective(outputs, batch))) and float(objective(outputs, batch)) > 0
        )


def test_videos_without_what_is_learned_are_read_all_the_same(tmp_path, tokenizer, build_smallest):
    """Those of validation, which nobody labelled."""
    more = made(0, 3, 2).more
    rest = {n: v for n, v in more.items() if n not in (schema.REGION_CLASS, schema.ACTION_LABEL)}
    write_videos(tmp_path / "v.tfrecords", [Video("5", "a cat", more=rest)])
    table = load_videos(tmp_path / "v.tfrecords")
    widths = {schema.REGION_CLASSES: 3, schema.ACTION_LABELS: 2, **stream_widths([table])}
    tensors = InputTensors.of(widths).learned_from(table, TagVocabulary.none())
    config = build_smallest("joint").config
    examples = Examples(table, tokenizer, None, config, tensors)
    assert not {schema.REGION_CLASSES, schema.ACTION_LABELS} & {*examples.names}
