"""Reads a packed split: the images of one domain in a few large TFRecord files.

A million small files are slow to list, to copy and to open, above all over a network. Packed
(`packing.py`), they are shards `00000-of-00003.tfrecord` of `tf.train.Example` with the features
`name` and `encoded`, the unchanged bytes of the file, so that training is the same. Any program
that knows TFRecord can read them. This module reads single records, in any order; `manifest.json`
says where they are, and holds all that `folders.examine` would compute by decoding.

The manifest is JSON with one image a line, so that it can be read line by line, and its last line
is the sha256 of those before:

    {"ugatit_tf_packed": 1, "shards": [{"name": ..., "num_bytes": ..., "sha256": ...,
     "records": ...}, ...], "columns": [...], "pictures": [
    ["1.png", 256, 256, 131072, "9f86d08...", 61.2, 0, 12, 131150],
    ...
    ], "sha256": "..."}
"""

from __future__ import annotations

import array
import dataclasses
import functools
import hashlib
import os

import numpy as np
from google.protobuf.message import DecodeError

from ugatit_tf import threads
from ugatit_tf.data import storage
from ugatit_tf.data.image_table import ImageInfo, ImageTable
from ugatit_tf.errors import Failure
from ugatit_tf.images.decoding import RemoteImage
from ugatit_tf.images.errors import UnreadableImage
from ugatit_tf.jsonfile import parse_json
from ugatit_tf.lazy import tf

MANIFEST = "manifest.json"
VERSION = 1
KEY = "ugatit_tf_packed"
MARK = f'{{"{KEY}": '.encode()  # the start of our manifests alone
COLUMNS = (
    "name", "height", "width", "num_bytes", "digest", "deviation",  # as in `ImageInfo`
    "shard", "offset", "length",  # where the Example is, without the frame of its record
)  # fmt: skip
HEAD, FRAME = 12, 16  # bytes before the content of a record, and around it
PACK_AGAIN = "Pack the dataset again, or copy it again."


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file."""

    name: str
    num_bytes: int
    sha256: str
    records: int

    def __post_init__(self) -> None:
        if not is_name(self.name) or min(self.num_bytes, self.records) < 0:
            raise ValueError("not a file of the folder")


class Pack:
    """The shards of a packed split, from its manifest. All exist and have the right length.

    Raises:
        Failure: the manifest is damaged or of a later version, or a shard is not complete.
    """

    folder: str
    images: ImageTable
    shards: list[Shard]

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.images = ImageTable()
        self._records = array.array("Q")  # shard, offset and length of each
        try:
            self._read_manifest()
            self._check_records()
        except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
            manifest = storage.join(folder, MANIFEST)
            raise Failure(f"{manifest} is damaged. {PACK_AGAIN}") from error
        for shard in self.shards:
            length = storage.num_bytes(self.path_of(shard))
            if length != shard.num_bytes:
                problem = "is missing" if length is None else f"has {length} bytes"
                raise Failure(
                    f"{self.path_of(shard)} {problem}, not {shard.num_bytes}. {PACK_AGAIN}"
                )

    def path(self, index: int) -> RemoteImage:
        """Returns the path that an image's file would have in the folder, and its bytes."""
        path = storage.join(self.folder, self.images.name(index))
        return RemoteImage(path, functools.partial(self.read, index))

    def path_of(self, shard: Shard) -> str:
        """Returns the path of a shard's file."""
        return storage.join(self.folder, shard.name)

    def read(self, index: int) -> bytes:
        """Reads the bytes of an image's file.

        Raises:
            Failure: they are not those that were packed.
        """
        image = self.images[index]
        shard, offset, length = self._records[3 * index : 3 * index + 3]
        path = self.path_of(self.shards[shard])
        try:
            name, content = parse_example(storage.read_bytes(path, offset, length))
            is_whole = name == image.name and _digest(content) == image.digest
        except UnreadableImage as error:  # the shard is missing
            raise Failure(f"{path}: {image.name} cannot be read ({error}). {PACK_AGAIN}") from error
        except (DecodeError, ValueError):
            is_whole = False
        if not is_whole:
            raise Failure(f"{path} is damaged at the image {image.name}. {PACK_AGAIN}")
        return content

    def damage(self) -> list[str]:
        """Reads all shards. Returns a sentence on each that is not what was packed."""
        digests = threads.map_ahead(storage.digest_of_file, map(self.path_of, self.shards))
        return [
            f"{self.path_of(shard)} is damaged. {PACK_AGAIN}"
            for shard, digest in zip(self.shards, digests)
            if digest != shard.sha256
        ]

    def _read_manifest(self):
        digest = hashlib.sha256()
        with storage.open_file(storage.join(self.folder, MANIFEST)) as file:
            lines = iter(file)
            line = next(lines, b"")
            head = parse_json(line + b"]}", MANIFEST)
            version = head[KEY]
            if version != VERSION:
                raise Failure(
                    f"{self.folder} was packed in format {f'{version!r:.20}'}; this is {VERSION}."
                )
            self.shards = [Shard(**shard) for shard in head["shards"]]
            if tuple(head["columns"]) != COLUMNS:
                raise ValueError("other columns")
            for next_line in lines:
                digest.update(line)
                if next_line.startswith(b"]"):
                    break
                self._append(parse_json(next_line.rstrip(b",\n"), MANIFEST, list))
                line = next_line
            else:
                raise ValueError("cut off")
            if next(lines, None) is not None:
                raise ValueError("too long")
        last = parse_json(b'{"pictures": [' + next_line, MANIFEST)
        if last["sha256"] != digest.hexdigest():
            raise ValueError("changed")

    def _append(self, row):
        name, height, width, num_bytes, digest, deviation, shard, offset, length = row
        if not is_name(name):
            raise ValueError("a name that leaves the folder")
        self.images.append(ImageInfo(name, (height, width), num_bytes, digest, deviation))
        self._records.extend((shard, offset, length))

    def _check_records(self):
        """Raises a ValueError if a record cannot be where the manifest says."""
        ends = np.array([shard.num_bytes for shard in self.shards], np.uint64)
        shard, offset, length = np.array(self._records, np.uint64).reshape(-1, 3).T
        if (shard >= len(ends)).any():
            raise ValueError("no such shard")
        end, shard = ends[np.int64(shard)], np.int64(shard)
        is_inside = (offset >= HEAD) & (offset <= end) & (length <= end - offset)
        counts = np.bincount(shard, minlength=len(ends)).tolist()
        if not is_inside.all() or counts != [shard.records for shard in self.shards]:
            raise ValueError("records elsewhere")


def is_name(text: object) -> bool:
    """Whether something is the name of a file directly in its folder."""
    if not isinstance(text, str) or text in ("", os.curdir, os.pardir):
        return False
    return not {"/", os.sep, "\0"} & set(text)


def is_packed(folder: str) -> bool:
    """Whether the images of a folder are in shards."""
    path = storage.join(folder, MANIFEST)
    if storage.num_bytes(path) is None:
        return False
    return storage.read_bytes(path, length=len(MARK)) == MARK


def example(name: str, content: bytes) -> bytes:
    """Returns a record: a serialized `tf.train.Example`."""
    values = {"name": os.fsencode(name), "encoded": content}
    features = {
        key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for key, value in values.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(
        deterministic=True
    )


def parse_example(record: bytes) -> tuple[str, bytes]:
    """Returns the (name, content) of a record; raises a DecodeError or ValueError if it is none."""
    features = tf.train.Example.FromString(record).features.feature
    values = [list(features[key].bytes_list.value) for key in ("name", "encoded")]
    if list(map(len, values)) != [1, 1]:
        raise ValueError("no image")
    (name,), (content,) = values
    return os.fsdecode(name), content


def _digest(content):
    return hashlib.sha256(content).hexdigest()
