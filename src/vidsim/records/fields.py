"""The fields of a video record by name, and the kind of each.

A new field of a known kind is one line here, and one where it is used. A record says of each field
what it knows; only `id`, which is no field but the record's name, must be there.
"""

from vidsim import schema
from vidsim.records.columns import Kind
from vidsim.records.number_fields import Number, Numbers
from vidsim.records.stream_field import Stream
from vidsim.records.text_field import Text

FIELDS: dict[str, Kind] = {
    schema.TAG_ID: Numbers(),
    schema.FRAME_FEATURE: Stream(),
    schema.CATEGORY_ID: Number(),
    schema.TITLE: Text(),
    schema.ASR_TEXT: Text(),
    schema.OCR_TEXT: Text(),
    schema.ACTION_FEATURE: Stream(),
    schema.REGION_FEATURE: Stream(),
    schema.REGION_BOX: Stream(schema.BOX_NUMBERS),
    schema.ACTION_LABEL: Numbers(),
    schema.REGION_CLASS: Stream(),
}
"""In the order in which a record is written."""


def text_fields() -> tuple[str, ...]:
    """The fields that are texts."""
    return tuple(name for name, kind in FIELDS.items() if isinstance(kind, Text))


def streams_in_place(suffix: str = "") -> frozenset[str]:
    """Names of the features whose values stay in the file; `suffix` as in a pair's record."""
    return frozenset(name + suffix for name, kind in FIELDS.items() if kind.in_place)
