"""The texts of a video as one sequence: [CLS] title [SEP] transcript [SEP] ...

A field that a video lacks, or in which no word is left, adds nothing, no [SEP] either. With one
field it is what the tokenizer makes of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vidsim.preprocess.cuts import CutTexts
from vidsim.preprocess.ragged import Ragged
from vidsim.preprocess.title_tokenizer import TitleTokenizer


@dataclass(frozen=True)
class FieldTexts:
    """One text field of N videos.

    Attributes:
        name: of the field.
        texts: N.
        length: most tokens that are read: the field's [SEP] counts, and [CLS] in the first field.
    """

    name: str
    texts: Sequence[str]
    length: int


@dataclass(frozen=True)
class TextSequences:
    """The sequences of N videos.

    Attributes:
        tokens: N rows of token ids.
        types: N rows of as many numbers: the place of each token's field; None of one field. [CLS]
            has 0.
        cuts: what the limit of each field cuts off.
        assembly: what was cut before that, where texts are assembled, in a sentence; else "".
    """

    tokens: Ragged
    types: Ragged | None
    cuts: tuple[CutTexts, ...]
    assembly: str = ""


def text_sequences(tokenizer: TitleTokenizer, fields: Sequence[FieldTexts]) -> TextSequences:
    """Tokenizes the fields and puts them one after the other.

    Args:
        tokenizer: of the model.
        fields: one or more, all of the same videos.

    Raises:
        VidsimError: a field's length has no room for [SEP] (and [CLS] in the first).
    """
    fields, assembly = _assembled(tokenizer, fields)
    first = fields[0]
    parts = [tokenizer.encode(first.texts, first.length)]
    cuts = [replace(parts[0].cut, field=first.name)]
    if len(fields) == 1:
        return TextSequences(parts[0], None, tuple(cuts), assembly)
    for field in fields[1:]:  # the tokenizer's own [CLS] counts there, and is dropped below
        part = tokenizer.encode(field.texts, field.length + 1)
        parts.append(part)
        own = replace(part.cut, longest=max(part.cut.longest - 1, 0), limit=field.length)
        cuts.append(replace(own, field=field.name))
    return TextSequences(*_joined(parts, tokenizer.special.cls), tuple(cuts), assembly)


def _assembled(
    tokenizer: TitleTokenizer, fields: Sequence[FieldTexts]
) -> tuple[Sequence[FieldTexts], str]:
    """The fields as the tokenizer's assembler makes them, and what it cut."""
    if tokenizer.assembler is None:
        return fields, ""
    made = tokenizer.assembler.assemble({field.name: field.texts for field in fields})
    texts = [replace(field, texts=made.texts.get(field.name, field.texts)) for field in fields]
    return texts, str(made)


def _joined(parts: Sequence[Ragged], cls: int) -> tuple[Ragged, Ragged]:
    """[CLS] and the words and [SEP] of each part that has words; token ids and types."""
    rows = len(parts[0])
    lengths = np.stack([np.diff(part.splits) - 1 for part in parts], axis=1)  # without [CLS]
    lengths[lengths == 1] = 0  # nothing but [SEP]
    empty = lengths.sum(axis=1) == 0
    lengths[empty, 0] = 1  # [CLS] [SEP] of a video without any text
    splits = np.concatenate(([0], np.cumsum(1 + lengths.sum(axis=1))))
    values = np.empty(splits[-1], parts[0].values.dtype)
    types = np.zeros(splits[-1], np.int32)
    values[splits[:-1]] = cls
    begin = splits[:-1] + 1
    for number, part in enumerate(parts):
        length = lengths[:, number]
        row = np.repeat(np.arange(rows), length)
        inside = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
        place = begin[row] + inside
        values[place] = part.values[part.splits[row] + 1 + inside]
        types[place] = number
        begin = begin + length
    return Ragged(values, splits), Ragged(types, splits)
