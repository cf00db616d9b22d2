"""The tensors that are made of videos: their fields, types and shapes, by the names in schema."""

from typing import NamedTuple

from vidsim import schema


class StreamTensor(NamedTuple):
    """The field whose vectors a tensor holds, and the tensor that says which of them are real."""

    field: str
    mask: str


STREAMS = {
    schema.FRAMES: StreamTensor(schema.FRAME_FEATURE, schema.FRAME_MASK),
    schema.ACTIONS: StreamTensor(schema.ACTION_FEATURE, schema.ACTION_MASK),
    schema.REGIONS: StreamTensor(schema.REGION_FEATURE, schema.REGION_MASK),
    schema.REGION_BOXES: StreamTensor(schema.REGION_BOX, schema.REGION_MASK),
    schema.REGION_CLASSES: StreamTensor(schema.REGION_CLASS, schema.REGION_MASK),
}
LEARNED = frozenset({schema.REGION_CLASSES, schema.ACTION_LABELS})
"""What has a width in a model's specification, and is read in pretraining alone."""
LABELS = {
    schema.TAGS: schema.TAG_ID,
    schema.ACTION_LABELS: schema.ACTION_LABEL,
    schema.CATEGORY: schema.CATEGORY_ID,
}
"""What is learned, and no input of an embedding: the field of each."""

TYPES = {  # type, and dimensions after that of the batch
    schema.TOKEN_IDS: ("int32", 1),
    schema.TOKEN_MASK: ("bool", 1),
    schema.TOKEN_TYPES: ("int32", 1),
    **{name: ("float16", 2) for name in STREAMS},
    **{stream.mask: ("bool", 1) for stream in STREAMS.values()},
    schema.TAGS: ("uint8", 1),
    schema.ACTION_LABELS: ("uint8", 1),
    schema.CATEGORY: ("int32", 0),
    schema.VIDEO_ROW: ("int32", 0),
    schema.MLM_POSITIONS: ("int32", 1),
    schema.MLM_LABELS: ("int32", 1),
    schema.MLM_WEIGHTS: ("float32", 1),
    schema.UNMASKED_IDS: ("int32", 1),
    schema.MATCHED: ("bool", 0),
    schema.FRAMES_CHOSEN: ("bool", 1),
    schema.FRAMES_HIDDEN: ("bool", 1),
    schema.ACTIONS_CHOSEN: ("bool", 1),
    schema.ACTIONS_HIDDEN: ("bool", 1),
}
