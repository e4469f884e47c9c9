"""Writes tensors as `torch.save` does since torch 1.6, without torch.

See `torch_file`, which reads them, for the format.
"""

from __future__ import annotations

import math
import os
import pickle
import struct
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO

import numpy as np

from ugatit_tf import atomic
from ugatit_tf.interchange.torch_pickle import STORAGES

FOLDER = "archive"
ALIGNMENT = 64  # bytes: torch can use the storages where they are
LOCAL_HEADER = 30  # bytes of a zip archive before an entry, without its name and its extra field
LARGE, LARGE_EXTRA = 2**30, 20  # bytes: such entries have 64-bit sizes, which take this many more
NAMES = {layout: name for name, layout in STORAGES.items()}
EMPTY_DICT = pickle.GLOBAL + b"collections\nOrderedDict\n" + pickle.EMPTY_TUPLE + pickle.REDUCE


def write(file: str | os.PathLike | IO[bytes], tensors: Mapping) -> None:
    """Writes a file that `torch.load` of torch 1.6 and later reads, also with `weights_only`.

    The same tensors give the same bytes.

    Args:
        file: a path, which is replaced by the whole file or not at all, or an empty file that
            is open for bytes and can be sought in.
        tensors: nested dicts of arrays under strings. The dtypes: float16, float32, float64,
            int8, int16, int32, int64, uint8, bool. Every dict becomes an OrderedDict.

    Raises:
        ValueError: a name is no string, or an array has another dtype.
    """
    if isinstance(file, (str, os.PathLike)):
        with atomic.replacing(file) as opened:
            write(opened, tensors)
        return
    arrays = []
    content = pickle.PROTO + b"\x02" + b"".join(_pickled(tensors, arrays)) + pickle.STOP
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "data.pkl", content)
        _add(archive, "byteorder", b"little")
        for key, array in enumerate(arrays):
            _add(archive, f"data/{key}", array.reshape(-1).view(np.uint8))
        _add(archive, "version", b"3\n")


def _pickled(tensors, arrays) -> Iterator[bytes]:
    """The pickle instructions that make `tensors`, whose arrays are appended to `arrays`."""
    yield EMPTY_DICT + pickle.MARK
    for name, value in tensors.items():
        if not isinstance(name, str):
            raise ValueError(f"Expected names of tensors. Received: {name!r}")
        yield _text(name)
        if isinstance(value, Mapping):
            yield from _pickled(value, arrays)
        else:
            array = np.asarray(value)
            array = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
            if array.dtype.str not in NAMES:
                raise ValueError(f"{name}: torch has no tensors of {array.dtype}.")
            yield _tensor(array, str(len(arrays)))
            arrays.append(array)
    yield pickle.SETITEMS


def _tensor(array, key):
    strides = [math.prod(array.shape[axis + 1 :]) for axis in range(array.ndim)]
    storage = (
        _text("storage"), _name(NAMES[array.dtype.str]), _text(key), _text("cpu"),
        _number(array.size),
    )  # fmt: skip
    arguments = (
        _tuple(storage) + pickle.BINPERSID, _number(0), _tuple(map(_number, array.shape)),
        _tuple(map(_number, strides)), pickle.NEWFALSE, EMPTY_DICT,
    )  # fmt: skip
    return _name("torch._utils._rebuild_tensor_v2") + _tuple(arguments) + pickle.REDUCE


def _tuple(values):
    return pickle.MARK + b"".join(values) + pickle.TUPLE


def _name(name):
    return pickle.GLOBAL + "{}\n{}\n".format(*name.rsplit(".", 1)).encode()


def _text(text):
    content = text.encode("utf-8", "surrogatepass")
    return pickle.BINUNICODE + struct.pack("<I", len(content)) + content


def _number(number):
    return pickle.dumps(number, 2)[2:-1]  # without the first and the last instruction


def _add(archive, name, content):
    """Adds an entry of bytes, or an array of uint8, that begins at a multiple of ALIGNMENT."""
    entry = zipfile.ZipInfo(f"{FOLDER}/{name}")  # of 1980, always
    entry.create_system = 3  # as on Linux, everywhere
    entry.file_size = len(content)
    large = entry.file_size >= LARGE
    start = archive.fp.tell() + LOCAL_HEADER + len(entry.filename) + (LARGE_EXTRA if large else 0)
    padding = -(start + 4) % ALIGNMENT
    entry.extra = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
    with archive.open(entry, "w", force_zip64=large) as opened:
        opened.write(content)
