"""Values of a table's row as a video's fields; what cannot be one is a ValueError that says why."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from vidsim import schema
from vidsim.records.shown import shown
from vidsim.records.video_id import ACCEPTED_ID, is_video_id
from vidsim.tables.column_names import CAPTION, FILE, SPLIT, ColumnNames

TRAIN, VAL, TEST = 0, 1, 2
_SPLITS = {"": TRAIN, "train": TRAIN, "training": TRAIN, "val": VAL, "valid": VAL, "dev": VAL}
_SPLITS |= {"validation": VAL, "test": TEST}
_TEXTS = (schema.TITLE, schema.ASR_TEXT, schema.OCR_TEXT)


@dataclass(frozen=True)
class TableVideo:
    """What a row says of a video.

    Attributes:
        id: of the video, in UTF-8.
        texts: by field; a field that the row does not have is not there.
        tags: as they stand.
        category: as it stands; "" where there is none.
        split: TRAIN, VAL or TEST.
        file: of the video itself, as it stands; "" where there is none.
        captions: sentences about the video.
    """

    id: bytes
    texts: Mapping[str, str]
    tags: tuple[str, ...]
    category: str
    split: int
    file: str
    captions: tuple[str, ...]

    @property
    def content(self) -> int:
        """A hash of all but the captions, the same for equal rows within one process."""
        texts = tuple(sorted(self.texts.items()))
        return hash((texts, self.tags, self.category, self.split, self.file))


def video_of(row: Mapping[str, Any], names: ColumnNames, separator: str) -> TableVideo:
    """Reads a row of a table of videos.

    Args:
        row: values by column.
        names: which column is which field.
        separator: between the tags of one text.

    Raises:
        ValueError: a value is not as accepted.
    """
    texts = {}
    for field in _TEXTS:
        value = names.value(row, field)
        if value is not None:
            texts[field] = text_of(value, field)
    file = text_of(names.value(row, FILE), FILE).strip()
    return TableVideo(
        id_of(names.value(row, schema.ID), file),
        texts,
        _tags(names.value(row, schema.TAG_ID), separator),
        word_of(names.value(row, schema.CATEGORY_ID), "a category"),
        split_of(names.value(row, SPLIT)),
        file,
        captions_of(names.value(row, CAPTION)),
    )


def id_of(value: Any, file: str = "") -> bytes:
    """The id of a video in UTF-8; without one the name of its file, less folders and ending."""
    if value is None and file:
        value = PurePosixPath(file.replace("\\", "/")).stem
    if value is None:
        raise ValueError("there is no id")
    video = word_of(value, "an id")
    packed = video.encode("utf-8", "surrogatepass")
    if not is_video_id(packed):
        raise ValueError(f"the id is {shown(video)}; {ACCEPTED_ID}")
    if any(mark in video for mark in "\t\r\n"):
        raise ValueError(f"the id is {shown(video)}; tabs and line feeds end an id in label.tsv")
    return packed


def split_of(value: Any) -> int:
    """TRAIN, VAL or TEST; TRAIN where nothing is said."""
    word = word_of(value, "a split").lower()
    if word not in _SPLITS:
        raise ValueError(f"split is {shown(word)}; accepted are train, val and test")
    return _SPLITS[word]


def captions_of(value: Any) -> tuple[str, ...]:
    """One sentence or a list of some, each in one line."""
    sentences = value if isinstance(value, list | tuple) else [value]
    texts = [" ".join(text_of(sentence, CAPTION).split()) for sentence in sentences]
    if any("\0" in text for text in texts):
        raise ValueError(f"{CAPTION} has a NUL; accepted is a text without")
    return tuple(text for text in texts if text)


def text_of(value: Any, field: str) -> str:
    """A text; a list of texts, or of {time, text} in the order of time, with blanks between."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return _joined(value, field)
    if not isinstance(value, str):
        raise ValueError(f"{field} is {shown(repr(value))}; accepted is a text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{field} is no UTF-8 ({error.reason}: {shown(value)})") from None
    return value


def word_of(value: Any, what: str) -> str:
    """A text without blanks around it, or a whole number as one; "" for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{what} is {shown(repr(value))}; accepted is a text or a whole number")
    return str(value).strip()


def _joined(values: Any, field: str) -> str:
    parts = []
    for value in values:
        if isinstance(value, Mapping):
            time, value = value.get("time", 0), value.get("text", "")
        else:
            time = 0
        if isinstance(time, bool) or not isinstance(time, int | float) or time != time:
            raise ValueError(f"the time of {field} is {shown(repr(time))}; accepted is a number")
        if not isinstance(value, str):
            raise ValueError(
                f"{field} has {shown(repr(value))}; accepted is a text, a list of texts, or a list "
                'of {"time": ..., "text": ...}'
            )
        parts.append((time, text_of(value, field)))
    parts.sort(key=lambda part: part[0])  # stable: what has one time stays in its order
    return " ".join(text for _, text in parts if text)


def _tags(value: Any, separator: str) -> tuple[str, ...]:
    """Each tag once, in their order."""
    given = value if isinstance(value, list | tuple) else [value]
    words = []
    for item in given:
        word = word_of(item, "a tag")
        words += word.split(separator) if isinstance(item, str) and item is value else [word]
    tags = (" ".join(word.split()) for word in words)
    for tag in (found := dict.fromkeys(tag for tag in tags if tag)):
        text_of(tag, "a tag")
    return tuple(found)
