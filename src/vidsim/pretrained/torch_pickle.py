"""The pickle in a file of `torch.save`, read for what it describes and never run.

A pickle is a program: who unpickles it runs what its author chose. Here the few instructions that
a dict of tensors needs are followed one by one. They make text, numbers, containers and
descriptions of tensors; there is nothing that they could call, and no value of theirs is hashed,
compared or printed unless it is text or a number, since Python itself fails on nested ones.
"""

import pickletools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from vidsim.errors import VidsimError

BFLOAT16, BOOL = "torch.BFloat16Storage", "torch.BoolStorage"
_ELEMENTS = {  # torch's storage types -> how an element lies in the file
    "torch.DoubleStorage": "f8",
    "torch.FloatStorage": "f4",
    "torch.HalfStorage": "f2",
    BFLOAT16: "u2",
    "torch.LongStorage": "i8",
    "torch.IntStorage": "i4",
    "torch.ShortStorage": "i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    BOOL: "u1",
}
_ORDERED_DICT = "collections.OrderedDict"
_TENSOR = "torch._utils._rebuild_tensor_v2"
_PARAMETER = "torch._utils._rebuild_parameter"
_GLOBALS = {_ORDERED_DICT, _TENSOR, _PARAMETER, *_ELEMENTS}

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = {"BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"}
_LITERALS |= {"BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MOST_DIMENSIONS = 64  # numpy's
_TOO_LARGE = 1 << 63  # multiplying numbers of megabytes would take for ever
_MOST_PAIRS = 1 << 20  # given to OrderedDicts; a list of them can be given again and again
_STORAGE_PARTS, _TENSOR_PARTS = (5, 6), range(4, 8)


@dataclass(frozen=True)
class TorchStorage:
    """A run of elements in the file, by its key there."""

    kind: str
    key: str
    numel: int

    @property
    def dtype(self) -> np.dtype:
        """How an element lies in the file, but for the order of its bytes."""
        return np.dtype(_ELEMENTS[self.kind])

    @property
    def nbytes(self) -> int:
        return self.numel * self.dtype.itemsize


@dataclass(frozen=True)
class TorchTensor:
    """A view of a storage; offset and strides count elements."""

    storage: TorchStorage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def span(self) -> int:
        """How many elements lie between the first and the last one, both included.

        Raises:
            VidsimError: they do not lie in the storage.
        """
        numbers = (self.offset, *self.shape, *self.strides)
        if len(self.shape) != len(self.strides) or len(self.shape) > _MOST_DIMENSIONS:
            raise VidsimError(f"it has {len(self.shape)} sizes and {len(self.strides)} strides")
        if not all(isinstance(number, int) and 0 <= number < _TOO_LARGE for number in numbers):
            raise VidsimError("its offset, sizes or strides are not whole numbers from 0 to 2**63")
        if 0 in self.shape:
            return 0
        steps = zip(self.shape, self.strides, strict=True)
        span = 1 + sum((size - 1) * stride for size, stride in steps)
        if self.offset + span > self.storage.numel:
            raise VidsimError(
                f"it reaches element {self.offset + span} of a storage of {self.storage.numel}"
            )
        return span


class TorchPickle:
    """Follows one pickle after another in a stream.

    Attributes:
        storages: every storage that was referred to so far, by its key.
    """

    def __init__(self, stream: BinaryIO):
        self.storages: dict[str, TorchStorage] = {}
        self._stream = stream
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._pairs_left = _MOST_PAIRS

    def follow(self) -> Any:
        """What the stream's next pickle describes.

        Raises:
            VidsimError: it wants more than describe tensors; the reason, without the file's name.
            Exception: of many kinds, for damaged bytes.
        """
        self._stack, self._marks, self._memo = [], [], {}
        for opcode, argument, _ in pickletools.genops(self._stream):
            name = opcode.name
            if name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name])
            elif name in _LITERALS:
                self._stack.append(argument)
            elif name in _TUPLES:
                self._stack.append(tuple(self._pop(_TUPLES[name])))
            elif name not in ("PROTO", "FRAME", "STOP"):
                self._step(name, argument)
        (described,) = self._stack
        return described

    def _step(self, name: str, argument: Any) -> None:
        stack = self._stack
        match name:
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "MARK":
                self._marks.append(len(stack))
            case "TUPLE":
                stack.append(tuple(self._since_mark()))
            case "APPEND" | "APPENDS":
                items = self._pop(1) if name == "APPEND" else self._since_mark()
                stack[-1].extend(items)
            case "SETITEM" | "SETITEMS":
                items = self._pop(2) if name == "SETITEM" else self._since_mark()
                _fill(stack[-1], zip(items[::2], items[1::2], strict=True))
            case "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self._memo[argument])
            case "GLOBAL":
                stack.append(_accepted(argument.replace(" ", ".")))
            case "STACK_GLOBAL":
                stack.append(_accepted(".".join(self._pop(2))))
            case "BINPERSID":
                stack.append(self._storage(*self._pop(1)))
            case "REDUCE":
                stack.append(self._made(*self._pop(2)))
            case "BUILD" if isinstance(stack[-2], dict):
                self._pop(1)  # attributes of an OrderedDict: _metadata, of no use for loading
            case _:
                raise _refusal(f"has the instruction {name} {argument or ''!r:.80}")

    def _pop(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise ValueError("the pickle's stack is empty")
        items = self._stack[-count:]
        del self._stack[-count:]
        return items

    def _since_mark(self) -> list[Any]:
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _storage(self, identity: Any) -> TorchStorage:
        """The storage of ("storage", type, key, device, number of elements[, None])."""
        if not isinstance(identity, tuple) or len(identity) not in _STORAGE_PARTS:
            raise _refusal("refers to something that is not a storage of its own")
        tag, kind, key, _, numel, *view = identity
        if tag != "storage" or not isinstance(kind, _Global) or any(view):
            raise _refusal("refers to something that is not a storage of its own")
        if not (isinstance(key, str) and isinstance(numel, int) and 0 <= numel < _TOO_LARGE):
            raise VidsimError(
                "its pickle has a storage without a key, of negative size, or too large"
            )
        storage = TorchStorage(kind.name, key, numel)
        if self.storages.setdefault(key, storage) != storage:
            raise VidsimError(f"its pickle has two storages with the key {key!r:.60}")
        return storage

    def _made(self, function: Any, arguments: Any) -> Any:
        """What the call would make, described; nothing long is copied."""
        name = function.name if isinstance(function, _Global) else type(function).__name__
        first = arguments[0] if arguments else ()
        if name == _ORDERED_DICT:
            self._pairs_left -= len(first)
            if self._pairs_left < 0:
                raise VidsimError(f"its pickle gives more than {_MOST_PAIRS} pairs to OrderedDicts")
            described: dict[Any, Any] = {}
            _fill(described, first)
            return described
        if name == _TENSOR and isinstance(first, TorchStorage) and len(arguments) in _TENSOR_PARTS:
            _, offset, shape, strides, *_ = arguments
            if isinstance(shape, tuple) and isinstance(strides, tuple):
                return TorchTensor(first, offset, shape, strides)
        if name == _PARAMETER and isinstance(first, TorchTensor):
            return first
        raise _refusal(f"calls {name} with a {type(first).__name__}")


@dataclass(frozen=True)
class _Global:
    """Something of torch or Python by its name; it is not looked up."""

    name: str


def _accepted(name: str) -> _Global:
    name = name.replace("__builtin__.", "builtins.")  # Python 2's name, in protocol 2 to this day
    if name not in _GLOBALS:
        raise _refusal(f"names {name!r:.120}")
    return _Global(name)


def _refusal(deed: str) -> VidsimError:
    return VidsimError(
        f"its pickle {deed}, which a dict of tensors has no need of; nothing of it was run. "
        f"Accepted are {', '.join(sorted(_GLOBALS))}. In place of this file use a "
        "model.safetensors of the same weights"
    )


def _fill(target: Any, pairs: Iterable[Any]) -> None:
    for key, value in pairs:
        if not isinstance(key, str):  # others can be made so that they take for ever to hash
            raise VidsimError(f"its pickle has a dict with a key of type {type(key).__name__}")
        target[key] = value
