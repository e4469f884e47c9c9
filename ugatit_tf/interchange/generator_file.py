"""One generator in one file: its weights and what they belong to, nothing of training.

A NumPy archive (.npz) of float32 or float16 arrays under the names of the weights, and `about`:
JSON with the options of the architecture. Every array carries a CRC-32, which reading checks.
"""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import math
import os
import zipfile

import numpy as np

from ugatit_tf import atomic
from ugatit_tf.config import VERSION, Config
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.errors import Failure
from ugatit_tf.jsonfile import parse_json
from ugatit_tf.layers.weights import named_weights
from ugatit_tf.networks.generator import Generator
from ugatit_tf.networks.model import build_generator
from ugatit_tf.networks.weight_count import num_generator_weights

SUFFIX = ".npz"
ENDING = ".npy"  # of the arrays in the archive
ABOUT = "about"
OF_DISCRIMINATORS = ("n_dis", "sn", "discriminator_cam")
# What reading another or a damaged file raises; RuntimeError: encrypted; OSError: a place before it
UNFIT = (
    OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, RuntimeError,
    zipfile.BadZipFile,
)  # fmt: skip


def save(
    generator: Generator, config: Config, direction: str, path: str, *, half: bool = False
) -> None:
    """Writes `generator` to `path`, whole or not at all.

    Args:
        half: write float16 weights, half the size. What reads them computes in float32.
    """
    about = {
        "format": "ugatit_tf generator",
        "version": VERSION,
        "direction": direction,
        "img_size": config.img_size,
        "options": {k: v for k, v in config.architecture().items() if k not in OF_DISCRIMINATORS},
    }
    kind = np.float16 if half else np.float32
    arrays = {name: w.numpy().astype(kind) for name, w in named_weights(generator).items()}
    with atomic.replacing(path) as file:
        np.savez(file, **{ABOUT: np.array(json.dumps(about))}, **arrays)


def load(path: str, **options) -> tuple:
    """Reads what `save` wrote.

    Args:
        options: of Config, which are not of the architecture, e.g. `precision`.

    Returns:
        (generator, Config with what is known, direction).

    Raises:
        Failure: the file cannot be read, is damaged, or is not of a generator.
    """
    arrays, config, direction = _parsed(path, options)
    generator = build_generator(config, direction)
    weights = named_weights(generator)
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    kinds = {array.dtype for array in arrays.values()}
    is_alike = shapes == {name: array.shape for name, array in arrays.items()}
    if not is_alike or kinds not in ({np.dtype(np.float32)}, {np.dtype(np.float16)}):
        raise _misfit(path)
    for name, weight in weights.items():
        weight.assign(arrays[name].astype(np.float32))
    return generator, config, direction


def describe(path: str) -> tuple[Config, str]:
    """(Config with what is known, direction) of the generator in a file; no network is built.

    Raises:
        Failure: as `load`.
    """
    _, config, direction = _parsed(path, {})
    return config, direction


def _parsed(path, options):
    """(name -> array, Config, direction), which fit each other in number."""
    try:
        arrays = _read(path)
        about = parse_json(str(arrays.pop(ABOUT)), ABOUT)
        known = {**about["options"], "img_size": about["img_size"]}
        config, direction = _config({**known, **options}), about["direction"]
    except UNFIT as error:
        # A damaged archive sends its reader to places that are not there: EINVAL. Any other
        # number is the computer's, and says nothing about the file.
        if getattr(error, "errno", errno.EINVAL) not in (None, errno.EINVAL):
            raise Failure(f"{path} cannot be read: {error.strerror.lower()}.") from None
        raise Failure(
            f"{path} is not a generator file, or it is damaged ({error}). Expected one that "
            f"--phase export wrote, e.g. a2b{SUFFIX}."
        ) from None
    size = sum(array.size for array in arrays.values())
    if direction not in DIRECTIONS or 2 * size != num_generator_weights(config):
        raise _misfit(path)  # before networks of any size are built
    return arrays, config, direction


def _read(path) -> dict:
    """name -> array of everything in an archive, in no more memory than the file has bytes.

    `np.load` would unpack whatever an archive says, and make room for any shape.
    """
    with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        size = os.fstat(file.fileno()).st_size
        packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
        if packed or sum(entry.file_size for entry in entries) > size:
            raise ValueError("more in it than the file is long")
        return {
            entry.filename.lstrip("/")[: -len(ENDING)]: _array(archive.read(entry))
            for entry in entries
            if entry.filename.endswith(ENDING)
        }  # names began with a slash in older versions


def _array(content):
    """The array in the bytes of an .npy file, over these bytes."""
    file = io.BytesIO(content)
    layout = np.lib.format
    first = layout.read_magic(file) == (1, 0)
    read_header = layout.read_array_header_1_0 if first else layout.read_array_header_2_0
    shape, fortran_order, kind = read_header(file)
    if math.prod(shape) * kind.itemsize != len(content) - file.tell():
        raise ValueError(f"an array of shape {shape} in {len(content)} bytes")
    array = np.frombuffer(content, kind, offset=file.tell())
    return array.reshape(shape, order="F" if fortran_order else "C")


def _config(known):
    """A Config of these options, with discriminators so shallow that they limit no size."""
    names = {field.name for field in dataclasses.fields(Config)} - set(OF_DISCRIMINATORS)
    unknown = sorted(set(known) - names)
    if unknown:
        raise ValueError(f"options that do not exist: {', '.join(unknown)}")
    return Config(**known, n_dis=2)


def _misfit(path):
    return Failure(f"{path} does not fit its own description. Export it again.")
