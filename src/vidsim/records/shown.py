"""Text and bytes from a file as a message shows them: every blank and tab of them to be seen."""

_SHOWN = 80  # characters or bytes


def shown(text: str | bytes) -> str:
    """The text as Python would write it, its first 80 characters, and its length if it has more."""
    if len(text) <= _SHOWN:
        return repr(text)
    unit = "bytes" if isinstance(text, bytes) else "characters"
    return f"{text[:_SHOWN]!r}... of {len(text):,} {unit}"
