"""In which order an encoder of the joint family reads text and frames, and where it is read."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

JointPooling = Literal["mean", "token_mean", "max", "cls", "sep", "attention"]
Activation = Literal["relu", "linear"]
MatchAt = Literal["cls", "sep"]
PIECES = {
    "text": "the whole text, its [CLS] and [SEP] included",
    "cls": "its [CLS]",
    "words": "what follows its [CLS]",
    "sep": "a [SEP] that is put in",
    "frames": "the frames",
}
_OF_TEXT = ("text", "cls", "words", "sep")


@dataclass(frozen=True)
class Place:
    """One piece of a sequence and where it begins, whatever the lengths in a batch.

    Attributes:
        name: of PIECES.
        among_words: its first token's place among words and separators (absolute positions).
        among_all: its first token's place in the whole sequence (rotary positions).
    """

    name: str
    among_words: int
    among_all: int


@dataclass(frozen=True)
class JointLayout:
    """One form of the joint family.

    The sequence "text frames" is Uniter's, "frames sep words" VideoBERT's, and
    "cls frames sep words" that of the challenge's winner.
    """

    sequence: tuple[str, ...] = ("text", "frames")
    """Names of PIECES in their order."""
    pooling: JointPooling = "mean"
    """Where embedding and heads read. mean: of the words' mean and the frames' mean; token_mean,
    max, attention: over all tokens; cls, sep: at that token."""
    frame_positions: bool = False
    """A learned vector for each place among the frames, unless positions are rotary."""
    frame_type: bool = True
    """A learned vector that all frames share."""
    frame_activation: Activation = "relu"
    frame_skip: bool = False
    """The mean of the embedded frames beside the pooled vector."""
    match_at: MatchAt = "cls"
    """The token at which a match head reads, the text's [CLS] or the [SEP] that is put in; without
    that token there is no such head."""

    def problems(self) -> Iterator[str]:
        """What is wrong with it, each in a sentence."""
        unknown = [name for name in self.sequence if name not in PIECES]
        if unknown or not self.sequence:
            named = ", ".join(f"{name} ({what})" for name, what in PIECES.items())
            yield f"the sequence has {' '.join(unknown) or 'no pieces'}; accepted are {named}"
        elif not {"text", "words"} & {*self.sequence}:
            yield f"the sequence {' '.join(self.sequence)!r} has no words"
        twice = {name for name in self.sequence if self.sequence.count(name) > 1}
        if {"text", "words"} <= {*self.sequence} or {"text", "cls"} <= {*self.sequence} or twice:
            yield f"the sequence {' '.join(self.sequence)!r} has something twice"
        yield from self.unreadable()

    def unreadable(self) -> Iterator[str]:
        """The pooling, if it reads what the sequence does not have."""
        read = {"cls": "cls or text", "sep": "sep"}.get(self.pooling)
        if self.pooling in ("cls", "sep") and self.token(self.pooling) is None:
            yield (
                f"pooling {self.pooling} needs {read} in the sequence, which is "
                f"{' '.join(self.sequence)!r}"
            )

    def reading(self, text: bool, frames: bool) -> "JointLayout":
        """The layout without what the data do not have."""
        left = [
            name
            for name in self.sequence
            if (text or name not in _OF_TEXT) and (frames or name != "frames")
        ]
        return replace(self, sequence=tuple(left), frame_skip=self.frame_skip and frames)

    def token(self, name: MatchAt) -> int | None:
        """Which piece begins with that token; None: none."""
        for place, piece in enumerate(self.sequence):
            if piece == name or (name == "cls" and piece == "text"):
                return place
        return None

    def places(self, longest_text: int, most_frames: int) -> list[Place]:
        """Every piece with its place.

        Args:
            longest_text: tokens of the longest text, [CLS] and [SEP] included.
            most_frames: of a video.
        """
        sizes = {"cls": 1, "sep": 1, "words": longest_text - 1, "text": longest_text}
        places, among_words, among_all = [], 0, 0
        for name in self.sequence:
            places.append(Place(name, among_words, among_all))
            among_words += sizes.get(name, 0)
            among_all += sizes.get(name, most_frames)
        return places

    def absolute_positions(self, longest_text: int) -> int:
        """How many absolute positions the words and separators need."""
        sizes = {"cls": 1, "sep": 1, "words": longest_text - 1, "text": longest_text}
        return sum(sizes.get(name, 0) for name in self.sequence)
