"""--text-fields and --text-lengths: which texts of a video are read, and how much of each."""

from collections.abc import Callable, Iterator

from vidsim.records.fields import text_fields

_FEWEST, _MOST = 3, 2**16  # [CLS], a word, [SEP]


def limited_texts(fields: str, lengths: str, default: int) -> tuple[tuple[str, int], ...]:
    """The text fields in their order, each with its most tokens.

    Args:
        fields: a comma list of names.
        lengths: a comma list of numbers, or "" for the default of each.
        default: most tokens of a field without a number.
    """
    names = _words(fields)
    if not lengths:
        return tuple((name, default) for name in names)
    return tuple(zip(names, map(int, _words(lengths)), strict=True))


def text_problems(fields: str, lengths: str, said: Callable[[str], str]) -> Iterator[str]:
    """What is wrong with the two lists, each in a sentence.

    Args:
        fields: as of `limited_texts`.
        lengths: as of `limited_texts`.
        said: how a flag is named in a message, from its name.
    """
    names = _words(fields)
    if [name for name in names if name not in text_fields()] or len(set(names)) < len(names):
        yield (
            f"{said('text_fields')}: accepted is a comma list of different ones of "
            f"{', '.join(text_fields())}"
        )
    numbers = _words(lengths) if lengths else [str(_FEWEST)] * len(names)
    whole = all(word.isdecimal() and _FEWEST <= int(word) <= _MOST for word in numbers)
    if not whole or len(numbers) != len(names):
        yield (
            f"{said('text_lengths')}: accepted is a comma list of whole numbers from {_FEWEST}, "
            f"one for each of --text-fields {fields}"
        )


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]
