"""Reads files of `torch.save` with tensors in them, without torch; `torch_writer` writes them.

There are two formats. Since torch 1.6 a file is a zip archive: a pickle, `NAME/data.pkl`, of
everything but the numbers, which `NAME/data/KEY` has, one entry for each storage. Before, it was a
few pickles and then the storages. A tensor is a view of a storage: offset, shape and strides.
"""

from __future__ import annotations

import errno
import io
import math
import os
import pickle
import struct
import zipfile

import numpy as np

from ugatit_tf.errors import Failure, reason
from ugatit_tf.interchange import torch_pickle
from ugatit_tf.interchange.torch_pickle import BFLOAT16, STORAGES

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
LONGEST_PICKLE = 2**22  # bytes, of which each can take 100 in memory; six networks have 50,000
DEEPEST = 100
LONGEST_TEXT = 200  # characters of a file in a message
MOST_DIMENSIONS = 32  # of NumPy 1
MOST_COPIES = 16  # of the bytes in a file: tensors that share a storage are copied
ZIP_START, ZIP_END, ZIP_END_SIZE = b"PK\3\4", b"PK\5\6", 22
EXPECTED = "Expected a file of torch.save with state_dicts in it, or a .safetensors file."
# What reading another or a damaged file raises; RuntimeError: encrypted; OSError: a place before it
UNFIT = (
    OSError, EOFError, LookupError, ValueError, TypeError, ArithmeticError, RuntimeError,
    struct.error, zipfile.BadZipFile,
)  # fmt: skip
SAFE_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": BFLOAT16, "BOOL": "|b1",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1", "U8": "|u1",
}  # fmt: skip


def read(path: str | os.PathLike) -> dict:
    """Reads a file of `torch.save`, in either format, or a .safetensors file.

    Nothing in the file is executed. Which format it has, its content tells, not its name.

    Returns:
        dict: nested as in the file, where every dict is a plain one and every tensor an array of
        its own, C-contiguous; float32 for bfloat16. Numbers, strings, None, lists and tuples stay
        as they are. Names of a .safetensors file stay flat, e.g. "genA2B.conv.weight".

    Raises:
        FileNotFoundError: no such file.
        Failure: the file cannot be read, is damaged, or has something else in it than tensors.
    """
    path = os.fspath(path)
    try:
        with open(path, "rb") as file:
            return _read(file)
    except FileNotFoundError:
        raise FileNotFoundError(f"No file {path}. {EXPECTED}") from None
    except torch_pickle.ForeignName as error:
        raise Failure(
            f"{path} asks for {_line(error.name)}, which is not part of a checkpoint of tensors. "
            f"Nothing of it was executed. Save state_dicts only, with torch.save."
        ) from None
    except Failure as error:
        raise Failure(f"{path} {error}") from None
    except UNFIT as error:
        # A damaged archive sends its reader to places that are not there: EINVAL. Any other
        # number is the computer's, and says nothing about the file.
        if getattr(error, "errno", errno.EINVAL) not in (None, errno.EINVAL):
            raise Failure(f"{path} cannot be read: {error.strerror.lower()}.") from None
        what = "cut off" if isinstance(error, OSError) else _line(reason(error))
        raise Failure(
            f"{path} is not a checkpoint of tensors, or it is damaged ({what}). {EXPECTED}"
        ) from None


def _read(file):
    size = os.fstat(file.fileno()).st_size
    start = file.read(9)
    file.seek(0)
    if start.startswith(ZIP_START):
        value, arrays = _read_zip(file, size)
    elif start.startswith(pickle.PROTO):
        value, arrays = _read_legacy(file, size)
    elif start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] < size:
        return _read_safetensors(file.read())
    else:
        raise ValueError("neither a zip archive nor a pickle")
    if not isinstance(value, dict):
        raise TypeError(f"{type(value).__name__} where dict belongs")
    return _filled(value, arrays, {}, 0)


def _read_zip(file, size):
    file.seek(max(size - ZIP_END_SIZE, 0))
    if not file.read().startswith(ZIP_END):
        raise ValueError("it is cut off, or there is more behind its end")
    with zipfile.ZipFile(file) as archive:
        entries = _entries(archive, size)
        names = [name for name in entries if name.endswith("/data.pkl")]
        if len(names) != 1:
            raise ValueError(f"{len(names)} entries of the name data.pkl instead of 1")
        root = names[0][: -len("data.pkl")]
        byte_order = entries.get(root + "byteorder")  # older versions write none
        if byte_order and archive.read(byte_order) != b"little":
            raise ValueError("its numbers are not little-endian")
        if entries[names[0]].file_size > LONGEST_PICKLE:
            raise ValueError("too much in it beside tensors")
        value, tensors = torch_pickle.load(io.BytesIO(archive.read(names[0])))

        def content(storage, num_bytes):
            entry = entries.get(f"{root}data/{storage.key}")
            if entry is None or entry.file_size != num_bytes:
                raise ValueError(f"no storage {storage.key} of {num_bytes} bytes")
            return archive.read(entry)

        return value, _arrays(tensors, _storages(tensors).values(), content, size)


def _entries(archive, size):
    """name -> entry, all of them together no longer than the file."""
    entries = {entry.filename: entry for entry in archive.infolist()}
    if len(entries) < len(archive.infolist()):
        raise ValueError("two entries of one name")
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values())
    if packed or sum(entry.file_size for entry in entries.values()) > size:
        raise ValueError("more in it than the file is long")
    return entries


def _read_legacy(file, size):
    stream = io.BytesIO(file.read(LONGEST_PICKLE))
    for expected in (MAGIC, PROTOCOL):
        if torch_pickle.load(stream)[0] != expected:
            raise ValueError("a pickle, but not of torch.save")
    system, _ = torch_pickle.load(stream)
    if system["little_endian"] is not True:
        raise ValueError("its numbers are not little-endian")
    value, tensors = torch_pickle.load(stream)
    keys, _ = torch_pickle.load(stream)
    storages = _storages(tensors)
    # Only strings are compared: to compare tuples in tuples could take forever.
    if {type(key) for key in keys} - {str} or sorted(keys) != sorted(storages):
        raise ValueError("the storages are not those of the tensors")
    file.seek(stream.tell())

    def content(storage, num_bytes):
        (count,) = struct.unpack("<q", file.read(8))
        if count != storage.size or num_bytes > size - file.tell():
            raise ValueError("a storage is cut off, or has another size than its tensors say")
        return file.read(num_bytes)

    arrays = _arrays(tensors, [storages[key] for key in keys], content, size)
    if file.tell() != size:
        raise ValueError("there is more behind its end")
    return value, arrays


def _storages(tensors):
    """key -> Storage, of all tensors."""
    storages = {}
    for storage in (tensor.storage for tensor in tensors):
        if storages.setdefault(storage.key, storage) != storage:
            raise ValueError("two storages of one name")
    return storages


def _arrays(tensors, storages, content, size):
    """Tensor -> array. One storage after the other is in memory, beside the arrays.

    Args:
        content: content(storage, num_bytes) -> its bytes; called for one storage after the other.
        size: int. Bytes of the file, which limit what the arrays may take.
    """
    views = {storage.key: [] for storage in storages}
    for tensor in tensors:
        _check_fits(tensor)
        views[tensor.storage.key].append(tensor)
    num_bytes = sum(math.prod(tensor.shape) * _item_size(tensor.storage) for tensor in tensors)
    if num_bytes > MOST_COPIES * size:
        raise ValueError(f"tensors of {num_bytes} bytes in {size}")
    arrays = {}
    for storage in storages:
        values = _values(
            content(storage, storage.size * _item_size(storage)), STORAGES[storage.kind]
        )
        for tensor in views[storage.key]:
            arrays[tensor] = _array(values, tensor)
    return arrays


def _check_fits(tensor):
    """Refuses a view that reaches beyond its storage, or repeats what is in it."""
    shape, storage = tensor.shape, tensor.storage
    if len(shape) != len(tensor.strides) or len(shape) > MOST_DIMENSIONS:
        raise ValueError(f"a tensor of {len(shape)} dimensions, {len(tensor.strides)} strides")
    last = tensor.offset + sum((n - 1) * step for n, step in zip(shape, tensor.strides))
    if math.prod(shape) > storage.size:
        raise ValueError(f"a tensor of shape {shape} in a storage of {storage.size}")
    if math.prod(shape) and last >= storage.size:
        raise ValueError(f"a tensor reaches element {last} of a storage of {storage.size}")


def _item_size(storage):
    kind = STORAGES[storage.kind]
    return 2 if kind == BFLOAT16 else np.dtype(kind).itemsize


def _values(content, kind):
    """An array [elements] over these bytes, where they are such numbers as they are."""
    if kind == BFLOAT16:  # the upper half of a float32
        return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32)
    if kind == "|b1":
        return np.frombuffer(content, np.uint8) != 0
    return np.frombuffer(content, kind)


def _array(values, tensor):
    if not math.prod(tensor.shape):
        return np.zeros(tensor.shape, values.dtype)
    item = values.dtype.itemsize
    # A stride along a single element says nothing, and may be any number.
    strides = [step * item if n > 1 else 0 for n, step in zip(tensor.shape, tensor.strides)]
    view = np.lib.stride_tricks.as_strided(
        values[tensor.offset :], tensor.shape, strides, writeable=False
    )
    return np.array(view, values.dtype.newbyteorder("="), order="C")


def _filled(value, arrays, done, depth):
    """`value` with arrays for tensors and plain dicts.

    Args:
        done: id -> what is made of it: what occurs often in `value` is made once.
    """
    if isinstance(value, torch_pickle.Tensor):
        return arrays[value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if depth == DEEPEST:  # or it contains itself
        raise ValueError(f"dicts or lists within each other, more than {DEEPEST}")
    if id(value) not in done:
        if isinstance(value, dict):
            made = {key: _filled(one, arrays, done, depth + 1) for key, one in value.items()}
        elif isinstance(value, (list, tuple)):
            made = type(value)([_filled(one, arrays, done, depth + 1) for one in value])
        else:
            raise TypeError(f"{type(value).__name__} where a tensor belongs")
        done[id(value)] = made
    return done[id(value)]


def _read_safetensors(content):
    try:
        from safetensors import SafetensorError, deserialize
    except ImportError:
        raise Failure(
            "is a .safetensors file, which needs the safetensors package: pip install safetensors"
        ) from None
    try:
        tensors = deserialize(content)  # its load_file knows no bfloat16
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    for name, tensor in tensors:
        if tensor["dtype"] not in SAFE_TYPES:
            raise ValueError(f"{name} has numbers of the type {tensor['dtype']}")
    return {
        name: _values(tensor["data"], SAFE_TYPES[tensor["dtype"]]).reshape(tensor["shape"])
        for name, tensor in tensors
    }


def _line(text):
    """Any text as the end of a line."""
    text = text.encode("unicode_escape").decode()
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "..."
