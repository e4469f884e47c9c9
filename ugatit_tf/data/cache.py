"""Keeps images once they are decoded: in this process' memory, or in a file (`--cache`).

What is kept of an image is what comes before augmentation, in the smaller of two forms, neither
of which loses a bit: its pixels as they were decoded, uint8, or the float32 square that resizing
makes of them. Pixels are the smaller form of images with less than four times as many of them
as the square. For a square of 256 in colour, two cores, milliseconds an image with augmentation:

    file           decoded anew   from pixels     from the square
    256 x 256      0.59           0.21 (197 kB)   0.19 (786 kB)
    400 x 300      0.71           0.26 (360 kB)   0.19
    511 x 511      1.05           0.30 (783 kB)   0.18
    1024 x 1024    5.99           1.06 (3.1 MB)   0.33

So pixels cost 0.02 to 0.11 ms and take a quarter of the memory where files have the square's
size already; the square bounds what a large photograph takes. A square rounded to uint8 would
be smaller still, and another image.

A file of kept images is the records one after the other, then JSON (what they were made of,
and where each record lies, with its CRC), then `END`: the length and the CRC of that JSON.
"""

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
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import PIL
import tensorflow as tf

from ugatit_tf import atomic, machine
from ugatit_tf.data import storage
from ugatit_tf.data.folders import shown
from ugatit_tf.images import files
from ugatit_tf.jsonfile import JSONFileError, parse_json

LOG = logging.getLogger(__name__)
FOLDER = ".cache"  # beside the folder of the images
FORMAT = 1  # to be raised whenever other bytes would be kept of the same pixels
END = struct.Struct("<QI8s")
MARK = b"ugatit\r\n"
TOGETHER = 64  # images decoded before they are written: bounds the memory
SHARE = 4  # a domain may fill the memory that is free at the start divided by this


def source(paths, *, size, channels, where, resize):
    """A function: number of an image, to uint8 [height, width, channels] or its square.

    Args:
        paths: sequence of the files of one domain.
        size: int. Side of the square.
        where: one of `config.CACHES`. "memory" decodes an image when it first comes, "disk"
            all of them before this returns, unless their file is there already; images of
            another system than this computer's are not kept on disk, with a warning.
        resize: function: (uint8 [height, width, channels], size) to the square, a float32
            tensor [size, size, channels].
    """

    def decoded(index):
        return files.read(storage.at(paths[index]), channels=channels)

    def smaller(index):
        pixels = decoded(index)
        if pixels.nbytes < 4 * size * size * channels:
            return pixels
        with tf.device("CPU"):  # where batches are made: a GPU may round otherwise
            return resize(tf.constant(pixels), size).numpy()

    if where == "memory":
        return Memory(smaller, len(paths))
    if where == "disk":
        return _on_disk(paths, size, channels, smaller) or decoded
    return decoded


class Memory:
    """The images of one domain, each made when it first comes, and then kept.

    Where they would fill the computer's memory, the rest is made each time.
    """

    def __init__(self, make, count):
        self.make = make
        self.kept = [None] * count
        self.locks = [threading.Lock() for _ in range(count)]  # no image is decoded twice
        free = machine.available_bytes()
        self.room = math.inf if free is None else free / SHARE
        self.lock = threading.Lock()

    def __call__(self, index):
        with self.locks[index]:
            if self.kept[index] is not None:
                return self.kept[index]
            image = self.make(index)
            if self._has_room(image.nbytes):
                self.kept[index] = image
            return image

    def _has_room(self, num_bytes):
        with self.lock:
            if self.room >= num_bytes:
                self.room -= num_bytes
                return True
            if self.room > 0:
                LOG.warning(
                    "--cache memory: the images of a domain would take more than 1/%d of the "
                    "free memory. The rest is decoded each time; --cache disk has room for all.",
                    SHARE,
                )
            self.room = 0
            return False


class Disk:
    """The images of one domain in a file that is whole.

    Args:
        key: dict. What the file must have been made of.
        count: int. Images that must be in it.
        make: function: number of an image to what is kept of it, should reading fail.

    Raises:
        Unfit: the file is damaged, or was made of something else.
        OSError: it cannot be read.
    """

    def __init__(self, path, key, count, make):
        self.path, self.make = path, make
        self.lock = threading.Lock()  # of the position in the file
        # Held open, so that one that takes its name changes nothing. A descriptor rather than a
        # memory map: where the storage fails that would end the process without a word.
        self.file = open(path, "rb", buffering=0)  # noqa: SIM115
        try:
            self.records = self._index(key, count)
            for record in self.records:
                if zlib.crc32(self._bytes(record["place"], record["length"])) != record["crc"]:
                    raise Unfit("damaged")
        except BaseException:
            self.file.close()
            raise

    def __call__(self, index):
        record = self.records[index]
        try:
            content = self._bytes(record["place"], record["length"])
        except (OSError, Unfit):
            return self.make(index)
        return np.frombuffer(content, record["type"]).reshape(record["shape"])

    def __del__(self):
        if hasattr(self, "file"):
            self.file.close()

    def _index(self, key, count):
        end = os.fstat(self.file.fileno()).st_size - END.size
        if end < 0:
            raise Unfit("damaged")
        length, crc, mark = END.unpack(self._bytes(end, END.size))
        if mark != MARK or length > end:
            raise Unfit("damaged")
        content = self._bytes(end - length, length)
        if zlib.crc32(content) != crc:
            raise Unfit("damaged")
        try:
            told = parse_json(content, self.path)
            if told["key"] != key:
                raise Unfit("of other images or versions")
            whole = len(told["records"]) == count
            whole &= all(_is_record(record, end) for record in told["records"])
        except (JSONFileError, LookupError, TypeError):
            whole = False
        if not whole:
            raise Unfit("damaged")
        return told["records"]

    def _bytes(self, place, length):
        with self.lock:
            self.file.seek(place)
            content = self.file.read(length)
        if len(content) != length:
            raise Unfit("damaged")
        return content


class Unfit(ValueError):  # noqa: N818
    """A file of kept images that cannot be used; the message says what it is."""


def _is_record(record, end):
    """Whether a record is an image within the first `end` bytes; a LookupError or TypeError, too,
    where it is none."""
    numbers = [record["place"], record["length"], record["crc"], *record["shape"]]
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        return False
    num_bytes = {"uint8": 1, "float32": 4}[record["type"]] * math.prod(record["shape"])
    return len(record["shape"]) == 3 and num_bytes == record["length"] <= end


def _on_disk(paths, size, channels, make):
    """A `Disk`; None, with a warning, where there can be none."""
    if storage.is_remote(paths[0]):
        LOG.warning(
            "--cache disk keeps nothing of %s, which is not on this computer. Going on without: "
            "images are read each time they come. --cache memory keeps them.",
            paths[0].rpartition("/")[0],
        )
        return None
    folder = pathlib.Path(paths[0]).absolute().parent
    path = folder.parent / FOLDER / f"{folder.name}_{size}x{channels}"
    try:
        key = _key(paths, size, channels)
        atomic.remove_abandoned(path.parent)
        try:
            return Disk(path, key, len(paths), make)
        except FileNotFoundError:
            pass
        except Unfit as reason:
            LOG.warning("%s is %s; it is made anew.", path, reason)
        print(f"Decoding {len(paths)} images into {shown(str(path))}", flush=True)
        _write(path, key, len(paths), make)
        return Disk(path, key, len(paths), make)
    except files.ReadError:  # an image: nothing that a cache could set right
        raise
    except (OSError, Unfit, files.UnreadableImage) as error:
        LOG.warning(
            "--cache disk: %s cannot be used (%s). Going on without: images are decoded each "
            "time they come. Make room or give the right to write there, or use --cache memory.",
            path,
            error,
        )
        return None


def _write(path, key, count, make):
    """Writes the file beside its place; it appears there whole or not at all."""
    records, place = [], 0
    with files.replacing(path) as file, ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, count, TOGETHER):
            for image in pool.map(make, range(start, min(start + TOGETHER, count))):
                content = np.ascontiguousarray(image).data.cast("B")
                file.write(content)
                about = {"type": str(image.dtype), "shape": image.shape}
                crc = zlib.crc32(content)
                records.append({"place": place, "length": len(content), "crc": crc, **about})
                place += len(content)
        index = json.dumps({"key": key, "records": records}).encode()
        file.write(index + END.pack(len(index), zlib.crc32(index), MARK))


def _key(paths, size, channels):
    """What the bytes that are kept depend on. Times and folders do not matter."""
    digests = storage.ahead(lambda p: hashlib.sha256(storage.read_bytes(p)).hexdigest(), paths)
    contents = [(os.fsencode(os.path.basename(p)), d) for p, d in zip(paths, digests)]
    return {
        "format": [FORMAT, files.DECODING],
        "pictures": hashlib.sha256(repr(contents).encode()).hexdigest(),
        "size": size,
        "channels": channels,
        "versions": [PIL.__version__, tf.__version__, platform.machine()],
    }
