"""The pickle in a file of `torch.save`, read without `pickle` and without running anything.

A pickle is a program for a small stack machine, which can call any function by its name. This one
knows only the instructions that make dicts, lists, numbers, strings and tensors, and only the few
names of STORAGES and FUNCTIONS, which stand for what is done here and are never imported.
"""

from __future__ import annotations

import dataclasses
import pickletools
from typing import Any, BinaryIO

BFLOAT16 = "bfloat16"  # which NumPy does not know
# The storages of torch, and how their bytes are read
STORAGES = {
    "torch.FloatStorage": "<f4",
    "torch.DoubleStorage": "<f8",
    "torch.HalfStorage": "<f2",
    "torch.BFloat16Storage": BFLOAT16,
    "torch.CharStorage": "|i1",
    "torch.ShortStorage": "<i2",
    "torch.IntStorage": "<i4",
    "torch.LongStorage": "<i8",
    "torch.ByteStorage": "|u1",
    "torch.BoolStorage": "|b1",
}
ORDERED_DICT = "collections.OrderedDict"
TENSOR = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2")
PARAMETER = "torch._utils._rebuild_parameter"
FUNCTIONS = (ORDERED_DICT, *TENSOR, PARAMETER)

VALUES = (
    "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT",
    "BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING",
)  # fmt: skip
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
IGNORED = ("PROTO", "FRAME")
NAMES = ("GLOBAL", "INST")  # INST calls what it names, so it is refused as well


class ForeignName(ValueError):  # noqa: N818
    """The pickle asks for a function or class that has no place in it: `name`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclasses.dataclass(frozen=True)
class Name:
    """One of STORAGES or FUNCTIONS."""

    name: str


@dataclasses.dataclass(frozen=True)
class Storage:
    """`size` elements, read as STORAGES[kind], that the file has under `key`."""

    kind: str
    key: str
    size: int


@dataclasses.dataclass(eq=False)
class Tensor:
    """A view of a storage. Offset and strides count elements; whether they fit is not checked."""

    storage: Storage
    offset: int
    shape: tuple
    strides: tuple


class Dict(dict):
    """An OrderedDict: only these can be given attributes, which are not kept."""

    __slots__ = ()


def load(stream: BinaryIO) -> tuple[Any, list[Tensor]]:
    """Reads one pickle, and leaves `stream` behind it.

    Args:
        stream: of bytes in memory, so that no instruction can ask for more than there is.

    Returns:
        (what the pickle describes, the tensors in it). Of dict, Dict, list, tuple, int, float,
        str, bool, None, Tensor, Storage and Name; and it can contain itself.

    Raises:
        ForeignName: it asks for a function or class other than of STORAGES and FUNCTIONS.
        ValueError, LookupError, TypeError: it is damaged, or not of tensors.
    """
    machine = _Machine()
    while True:
        code = stream.read(1).decode("latin-1")
        instruction = pickletools.code2op.get(code)
        if instruction is None:
            raise ValueError(f"no pickle instruction: {code!r}" if code else "it is cut off")
        if instruction.name == "STOP":
            (value,) = machine.stack
            return value, machine.tensors
        if instruction.name not in KNOWN:
            raise ValueError(f"the pickle instruction {instruction.name}")
        argument = instruction.arg.reader(stream) if instruction.arg else None
        machine.run(instruction.name, argument)


class _Machine:
    def __init__(self):
        self.stack = []
        self.marked = []  # the stacks below the marks
        self.memo = {}
        self.tensors = []

    def run(self, instruction, argument):
        if instruction in VALUES:
            self.stack.append(argument)
        elif instruction in CONSTANTS:
            self.stack.append(CONSTANTS[instruction])
        elif instruction in EMPTY:
            self.stack.append(EMPTY[instruction]())
        elif instruction in TUPLES:
            values = [self.stack.pop() for _ in range(TUPLES[instruction])]
            self.stack.append(tuple(reversed(values)))
        elif instruction in NAMES:
            self.stack.append(_known(argument.replace(" ", "."), instruction))
        elif instruction in ACTIONS:
            ACTIONS[instruction](self, argument)

    def mark(self, _):
        self.marked.append(self.stack)
        self.stack = []

    def popped(self):
        """What is above the last mark."""
        values, self.stack = self.stack, self.marked.pop()
        return values

    def tuple(self, _):
        values = self.popped()
        self.stack.append(tuple(values))

    def append(self, _):
        value = self.stack.pop()
        _checked(self.stack[-1], list).append(value)

    def appends(self, _):
        values = self.popped()
        _checked(self.stack[-1], list).extend(values)

    def set_item(self, _):
        value, key = self.stack.pop(), self.stack.pop()
        _checked(self.stack[-1], dict, Dict)[_key(key)] = value

    def set_items(self, _):
        values = self.popped()
        target = _checked(self.stack[-1], dict, Dict)
        if len(values) % 2:
            raise ValueError("a key without a value")
        target.update(zip(map(_key, values[::2]), values[1::2]))

    def put(self, index):
        self.memo[index] = self.stack[-1]

    def memoize(self, _):
        self.put(len(self.memo))

    def get(self, index):
        if index not in self.memo:
            raise LookupError(f"nothing under number {index} of the pickle")
        self.stack.append(self.memo[index])

    def name(self, _):
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(_known(f"{_checked(module, str)}.{_checked(name, str)}"))

    def call(self, _):
        arguments, function = self.stack.pop(), self.stack.pop()
        value = _called(_checked(function, Name).name, _checked(arguments, tuple))
        self.stack.append(value)
        if type(value) is Tensor and value is not arguments[0]:  # as a parameter's is
            self.tensors.append(value)

    def set_attributes(self, _):
        self.stack.pop()  # `_metadata` of a state_dict: versions of its layers
        _checked(self.stack[-1], Dict)

    def find_storage(self, _):
        noun, kind, key, _, size, *view = _checked(self.stack.pop(), tuple)
        if (
            noun != "storage"
            or _checked(kind, Name).name not in STORAGES
            or view not in ([], [None])
        ):
            raise ValueError("no storage of a tensor")
        self.stack.append(Storage(kind.name, _checked(key, str), _natural(size)))


ACTIONS = {
    "MARK": _Machine.mark,
    "TUPLE": _Machine.tuple,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.memoize,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "STACK_GLOBAL": _Machine.name,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.set_attributes,
    "BINPERSID": _Machine.find_storage,
}
KNOWN = {*VALUES, *CONSTANTS, *EMPTY, *TUPLES, *IGNORED, *NAMES, *ACTIONS}


def _known(name, instruction="GLOBAL"):
    if instruction != "GLOBAL" or name not in STORAGES and name not in FUNCTIONS:
        raise ForeignName(name)
    return Name(name)


def _called(name, arguments):
    if name == ORDERED_DICT and not arguments:
        return Dict()
    if name == PARAMETER and len(arguments) == 3:
        return _checked(arguments[0], Tensor)
    if name in TENSOR and 4 <= len(arguments) <= 7:
        storage, offset, shape, strides = arguments[:4]
        shape = tuple(_natural(size) for size in _checked(shape, tuple))
        strides = tuple(_natural(stride) for stride in _checked(strides, tuple))
        return Tensor(_checked(storage, Storage), _natural(offset), shape, strides)
    raise ValueError(f"{name} of {len(arguments)} arguments")


def _key(value):
    """A key of a dict. Longer numbers can be chosen to have one hash, which takes forever."""
    if type(value) is int and not -(2**63) <= value < 2**63:
        raise ValueError("a number of more than 64 bits as a key")
    return _checked(value, str, int)


def _natural(number):
    if _checked(number, int) < 0:
        raise ValueError("a negative size, stride or offset")
    return number


def _checked(value, *kinds):
    if type(value) not in kinds:  # not isinstance: True is no size
        names = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"{type(value).__name__} where {names} belongs")
    return value
