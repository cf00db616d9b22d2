"""Which column of a table is which field."""

from collections.abc import Iterable, Mapping
from typing import Any

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.records.shown import shown

SPLIT, FILE, CAPTION, RATING = "split", "file", "caption", "rating"
COLUMNS: dict[str, tuple[str, ...]] = {
    schema.ID: ("id",),
    schema.TITLE: ("title",),
    schema.ASR_TEXT: ("asr_text", "asr"),
    schema.OCR_TEXT: ("ocr_text", "ocr"),
    schema.TAG_ID: ("tag_id", "tags"),
    schema.CATEGORY_ID: ("category_id", "category"),
    SPLIT: ("split",),
    FILE: ("file", "image"),
    CAPTION: ("caption", "captions"),
    schema.ID_1: ("id_1",),
    schema.ID_2: ("id_2",),
    RATING: ("rating",),
}
"""Names that a field's column may have without being named; the first that is there counts."""
VIDEO = (schema.ID, schema.TITLE, schema.ASR_TEXT, schema.OCR_TEXT, schema.TAG_ID)
VIDEO += (schema.CATEGORY_ID, SPLIT, FILE, CAPTION)
CAPTIONS = (schema.ID, FILE, CAPTION)
RATINGS = (schema.ID_1, schema.ID_2, RATING, SPLIT)


def parse_columns(text: str | None) -> dict[str, str]:
    """Reads --columns.

    Args:
        text: field=column, several separated by commas; None: nothing is named.

    Raises:
        VidsimError: it is written otherwise, names no field, or names one twice.
    """
    named: dict[str, str] = {}
    for part in text.split(",") if text else ():
        field, equals, column = (word.strip() for word in part.partition("="))
        if not equals or not column or field not in COLUMNS or field in named:
            again = " a second time" if field in named else ""
            raise VidsimError(
                f"--columns {text}: {shown(part)}{again}; accepted is field=column, several with "
                f"commas between them; fields are {', '.join(COLUMNS)}"
            )
        named[field] = column
    return named


class ColumnNames:
    """The columns of some fields in one table.

    Args:
        fields: those that the table may have.
        named: columns by field, of --columns.
    """

    def __init__(self, fields: Iterable[str], named: Mapping[str, str]):
        self._named = {field: named[field] for field in fields if field in named}
        self._columns = {f: (named[f],) if f in named else COLUMNS[f] for f in fields}

    def value(self, row: Mapping[str, Any], field: str) -> Any:
        """The value of a field in a row; None where it has none."""
        for column in self._columns[field]:
            if column in row:
                return row[column]
        return None

    def has(self, columns: Iterable[str], field: str) -> bool:
        """Whether one of the columns is the field's."""
        return any(column in columns for column in self._columns[field])

    def found(self, columns: Mapping[str, None]) -> dict[str, str]:
        """The column of every field that has one."""
        first = ((f, next((c for c in own if c in columns), None)) for f, own in self.all())
        return {field: column for field, column in first if column is not None}

    def all(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        """Every field with the names that its column may have."""
        return self._columns.items()

    def require(self, table: Any, *needed: tuple[str, ...]) -> None:
        """Refuses a table without a column that it must have.

        Args:
            table: a `Table` of which columns are known.
            needed: groups of fields; of each group one must be there.

        Raises:
            VidsimError: a column that was named is not there, or none of a group is.
        """
        columns = table.columns
        there = f"there are {', '.join(columns) or 'none'}"
        for field, column in self._named.items():
            if column not in columns:
                raise VidsimError(
                    f"{table.path}: no column {shown(column)}, which --columns names for {field}; "
                    f"{there}"
                )
        for group in needed:
            if not any(self.has(columns, field) for field in group):
                raise VidsimError(
                    f"{table.path}: no column {' or '.join(group)}; {there}. Another name is given "
                    f"by --columns {group[0]}=NAME"
                )
