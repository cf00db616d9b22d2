"""Which text fields a model reads, how much of each and how: three flags read and checked."""

from vidsim import schema

LEAST = 3
"""Tokens of a field: [CLS], a word and [SEP]."""


def parse_texts(fields: str, lengths: str, default: int) -> tuple[tuple[str, int], ...]:
    """The text fields in their order, each with its most tokens.

    Args:
        fields: names, a comma list.
        lengths: numbers, a comma list as long; or nothing.
        default: the number of each field where there is no list of them.
    """
    names = [name.strip() for name in fields.split(",")]
    if not lengths:
        return tuple((name, default) for name in names)
    return tuple(zip(names, (int(word) for word in lengths.split(",")), strict=True))


def text_problems(fields: str, lengths: str, assembly: str = "none") -> dict[str, str]:
    """What is accepted of each of the three flags that is wrong, by its name."""
    problems: dict[str, str] = {}
    names = [name.strip() for name in fields.split(",")]
    if names != [schema.TITLE]:
        from vidsim.records.fields import text_fields  # loads NumPy, for which no help text waits

        known = text_fields()
        if not {*names} <= {*known} or len(set(names)) < len(names):
            problems["text_fields"] = f"a comma list of different ones of {', '.join(known)}"
    words = [word.strip() for word in lengths.split(",")] if lengths else [str(LEAST)] * len(names)
    whole = all(word.isdecimal() and LEAST <= int(word) <= 2**16 for word in words)
    if not whole or len(words) != len(names):
        problems["text_lengths"] = (
            f"a comma list of whole numbers from {LEAST}, one for each of --text-fields {fields}"
        )
    if assembly != "none" and schema.TITLE not in names:
        problems["text_assembly"] = (
            f"none, or --text-fields with {schema.TITLE}, before which the keywords go"
        )
    return problems
