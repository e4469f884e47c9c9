"""Keeps decoded images: in the memory of this process, or in a file (`--cache`).

What is cached of an image comes before augmentation, in the smaller of two forms, neither of
which loses a bit: its decoded pixels, uint8, or the float32 square that resizing makes of them.
Pixels are the smaller form of images with less than four times as many of them as the square.
For a square of 256 in color, two cores, milliseconds an image with augmentation:

    file           decoded each time   from pixels     from the square
    256 x 256      0.59                0.21 (197 kB)   0.19 (786 kB)
    400 x 300      0.71                0.26 (360 kB)   0.19
    511 x 511      1.05                0.30 (783 kB)   0.18
    1024 x 1024    5.99                1.06 (3.1 MB)   0.33

So pixels cost 0.02 to 0.11 ms and take a quarter of the memory where files have the square's
size already; the square limits the memory of a large photograph. A square rounded to uint8 would
be smaller still, and another image.

A cache file is the records one after the other, then JSON (what they were made from, and where
each record is, with its CRC), then `END`: the length and the CRC of that JSON.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import pathlib
import platform
import struct
import threading
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Callable

import numpy as np
import PIL
import tensorflow as tf

from ugatit_tf import atomic, machine, threads
from ugatit_tf.data import storage
from ugatit_tf.data.presence import printable
from ugatit_tf.images import image_file
from ugatit_tf.images.decoding import ImagePath
from ugatit_tf.images.errors import ReadError, UnreadableImage
from ugatit_tf.jsonfile import JSONFileError, parse_json

LOG = logging.getLogger(__name__)
FOLDER = ".cache"  # beside the folder of the images
FORMAT = 1  # to be raised whenever other bytes would be cached of the same pixels
END = struct.Struct("<QI8s")
MARK = b"ugatit\r\n"
CHUNK = 64  # images decoded before they are written: limits the memory
SHARE = 4  # a domain may fill the memory that is free at the start divided by this

ImageSource = Callable[[int], np.ndarray]


def source(
    paths: Sequence[ImagePath],
    *,
    size: int,
    channels: int,
    where: str,
    antialias: bool,
    as_square: Callable[[np.ndarray, int, bool], tf.Tensor],
) -> ImageSource:
    """Returns a function of an image's index to uint8 [height, width, channels] or its square.

    Args:
        paths: the files of one domain.
        size: side of the square.
        channels: 1 or 3.
        where: one of `config.CACHES`. "memory" decodes an image when it is first needed. "disk"
            decodes all of them before this returns, unless their file exists already; images
            of a remote file system are not cached on disk, with a warning.
        antialias, as_square: what makes the square; see `pipeline.as_square`.
    """

    def decode(index):
        return image_file.read(storage.image_at(paths[index]), channels=channels)

    def smaller_form(index):
        pixels = decode(index)
        if pixels.nbytes < 4 * size * size * channels:
            return pixels
        with tf.device("CPU"):  # where batches are made: a GPU may round differently
            return as_square(pixels, size, antialias).numpy()

    if where == "memory":
        return MemoryCache(smaller_form, len(paths))
    if where == "disk":
        square = {"size": size, "channels": channels, **({"antialias": True} if antialias else {})}
        return _disk_cache(paths, square, smaller_form) or decode
    return decode


class MemoryCache:
    """The images of one domain, each decoded when it is first needed, and then cached.

    Those that would fill the computer's memory are decoded each time.

    Args:
        decode: function of an image's index to what is cached of it.
        count: the number of images.
    """

    def __init__(self, decode: ImageSource, count: int) -> None:
        self._decode = decode
        self._images = [None] * count
        self._image_locks = [threading.Lock() for _ in range(count)]  # none is decoded twice
        free = machine.available_bytes()
        self._room = math.inf if free is None else free / SHARE
        self._room_lock = threading.Lock()

    def __call__(self, index: int) -> np.ndarray:
        with self._image_locks[index]:
            if self._images[index] is not None:
                return self._images[index]
            image = self._decode(index)
            if self._has_room(image.nbytes):
                self._images[index] = image
            return image

    def _has_room(self, num_bytes):
        with self._room_lock:
            if self._room >= num_bytes:
                self._room -= num_bytes
                return True
            if self._room > 0:
                LOG.warning(
                    "--cache memory: the images of a domain would take more than 1/%d of the "
                    "free memory. The rest is decoded each time; --cache disk has room for all.",
                    SHARE,
                )
            self._room = 0
            return False


class DiskCache:
    """The images of one domain in a cache file that is whole.

    Args:
        key: what the file must have been made from.
        count: the number of images that must be in it.
        decode: function of an image's index to what is cached of it, in case reading fails.

    Raises:
        UnusableCache: the file is damaged, or was made from something else.
        OSError: it cannot be read.
    """

    def __init__(self, path: os.PathLike, key: dict, count: int, decode: ImageSource) -> None:
        self._path, self._decode = path, decode
        self._lock = threading.Lock()  # of the position in the file
        # Held open, so that a file that replaces it changes nothing. A descriptor rather than a
        # memory map, which would end the process without a message if the storage fails.
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115
        try:
            self._records = self._read_index(key, count)
            for record in self._records:
                if zlib.crc32(self._read(record["place"], record["length"])) != record["crc"]:
                    raise UnusableCache("damaged")
        except BaseException:
            self._file.close()
            raise

    def __call__(self, index: int) -> np.ndarray:
        record = self._records[index]
        try:
            content = self._read(record["place"], record["length"])
        except (OSError, UnusableCache):
            return self._decode(index)
        return np.frombuffer(content, record["type"]).reshape(record["shape"])

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def _read_index(self, key, count):
        end = os.fstat(self._file.fileno()).st_size - END.size
        if end < 0:
            raise UnusableCache("damaged")
        length, crc, mark = END.unpack(self._read(end, END.size))
        if mark != MARK or length > end:
            raise UnusableCache("damaged")
        content = self._read(end - length, length)
        if zlib.crc32(content) != crc:
            raise UnusableCache("damaged")
        try:
            index = parse_json(content, self._path)
            if index["key"] != key:
                raise UnusableCache("of other images or versions")
            is_whole = len(index["records"]) == count
            is_whole &= all(_is_record(record, end) for record in index["records"])
        except (JSONFileError, LookupError, TypeError):
            is_whole = False
        if not is_whole:
            raise UnusableCache("damaged")
        return index["records"]

    def _read(self, offset, length):
        with self._lock:
            self._file.seek(offset)
            content = self._file.read(length)
        if len(content) != length:
            raise UnusableCache("damaged")
        return content


class UnusableCache(ValueError):  # noqa: N818
    """A cache file that cannot be used; the message says what it is."""


def _is_record(record, end):
    """Whether a record is an image within the first `end` bytes.

    Raises a LookupError or TypeError for what is not even similar.
    """
    numbers = [record["place"], record["length"], record["crc"], *record["shape"]]
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        return False
    num_bytes = {"uint8": 1, "float32": 4}[record["type"]] * math.prod(record["shape"])
    return len(record["shape"]) == 3 and num_bytes == record["length"] <= end


def _disk_cache(paths, square, decode):
    """A `DiskCache`; None, with a warning, if it is not possible."""
    if storage.is_remote(paths[0]):
        LOG.warning(
            "--cache disk does not cache %s, which is not on this computer. Continuing without "
            "it: images are read each time they are needed. --cache memory caches them.",
            os.fspath(paths[0]).rpartition("/")[0],
        )
        return None
    folder = pathlib.Path(paths[0]).absolute().parent
    path = folder.parent / FOLDER / f"{folder.name}_{'x'.join(map(str, square.values()))}"
    try:
        key = _key(paths, square)
        atomic.remove_abandoned(path.parent)
        try:
            return DiskCache(path, key, len(paths), decode)
        except FileNotFoundError:
            pass
        except UnusableCache as reason:
            LOG.warning("%s is %s; it is made again.", path, reason)
        print(f"Decoding {len(paths)} images into {printable(str(path))}", flush=True)
        _write(path, key, len(paths), decode)
        return DiskCache(path, key, len(paths), decode)
    except ReadError:  # of an image: a fault that has nothing to do with the cache
        raise
    except (OSError, UnusableCache, UnreadableImage) as error:
        LOG.warning(
            "--cache disk: %s cannot be used (%s). Continuing without it: images are decoded "
            "each time they are needed. Free some space or allow writing there, or use --cache "
            "memory.",
            path,
            error,
        )
        return None


def _write(path, key, count, decode):
    """Writes a cache file, whole or not at all."""
    records, offset = [], 0
    with atomic.replacing(path) as file, ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, count, CHUNK):
            for image in pool.map(decode, range(start, min(start + CHUNK, count))):
                content = np.ascontiguousarray(image).data.cast("B")
                file.write(content)
                records.append({
                    "place": offset,
                    "length": len(content),
                    "crc": zlib.crc32(content),
                    "type": str(image.dtype),
                    "shape": image.shape,
                })  # fmt: skip
                offset += len(content)
        index = json.dumps({"key": key, "records": records}).encode()
        file.write(index + END.pack(len(index), zlib.crc32(index), MARK))


def _key(paths, square):
    """What the cached bytes depend on. Times and folders do not matter."""
    digests = threads.map_ahead(storage.digest_of_image, paths)
    contents = [
        (os.fsencode(os.path.basename(path)), digest) for path, digest in zip(paths, digests)
    ]
    return {
        "format": [FORMAT, image_file.DECODING],
        "pictures": hashlib.sha256(repr(contents).encode()).hexdigest(),
        **square,
        "versions": [PIL.__version__, tf.__version__, platform.machine()],
    }
