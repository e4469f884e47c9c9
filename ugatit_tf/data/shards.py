"""Reads a packed folder: the images of one domain in a few large TFRecord files.

A million small files are slow to list, to copy and to open, above all over a network. Packed
(`packing.py`), they are shards `00000-of-00003.tfrecord` of `tf.train.Example` with the features
`name` and `encoded`, the file's bytes as they were, so that nothing about training changes. Any
program that knows TFRecord can read them. Ours reads single records, in any order; `manifest.json`
says where they are, and all that `folders.examine` would find out by decoding.

The manifest is JSON with one image a line, so that it is read line by line, and its last line
is the sha256 of those before:

    {"ugatit_tf_packed": 1, "shards": [{"name": ..., "num_bytes": ..., "sha256": ...,
     "records": ...}, ...], "columns": [...], "pictures": [
    ["1.png", 256, 256, 131072, "9f86d08...", 61.2, 0, 12, 131150],
    ...
    ], "sha256": "..."}
"""

import array
import dataclasses
import hashlib
import os

import numpy as np
from google.protobuf.message import DecodeError

from ugatit_tf.data import storage
from ugatit_tf.data.table import Image, Table
from ugatit_tf.errors import Failure
from ugatit_tf.images import files
from ugatit_tf.jsonfile import parse_json
from ugatit_tf.lazy import tf

MANIFEST = "manifest.json"
VERSION = 1
KEY = "ugatit_tf_packed"
MARK = f'{{"{KEY}": '.encode()  # what no other manifest begins with
COLUMNS = (
    "name", "height", "width", "num_bytes", "digest", "deviation",  # as in `Image`
    "shard", "offset", "length",  # where the Example is, without the frame of its record
)  # fmt: skip
HEAD, FRAME = 12, 16  # bytes before the content of a record, and around it
ANEW = "Pack the dataset anew, or copy it again."


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file."""

    name: str
    num_bytes: int
    sha256: str
    records: int

    def __post_init__(self):
        if not is_name(self.name) or min(self.num_bytes, self.records) < 0:
            raise ValueError("no file of the folder")


class Record(files.RemotePath):
    """The path of a packed image: that which its file would have in the folder."""

    def __new__(cls, pack, index):
        self = super().__new__(cls, storage.joined(pack.folder, pack.images.name(index)))
        self.pack, self.index = pack, index
        return self

    def read_bytes(self) -> bytes:
        return self.pack.read(self.index)


class Pack:
    """A packed folder, by its manifest; every shard is there and has its length.

    Raises:
        Failure: the manifest is damaged or of a later version, or a shard is not whole.
    """

    def __init__(self, folder):
        self.folder = folder
        self.images = Table()
        self.where = array.array("Q")  # shard, offset and length of each
        try:
            self._read_manifest()
            self._check_places()
        except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
            raise Failure(f"{storage.joined(folder, MANIFEST)} is damaged. {ANEW}") from error
        for shard in self.shards:
            found = storage.num_bytes(self.path_of(shard))
            if found != shard.num_bytes:
                told = "is missing" if found is None else f"has {found} bytes"
                raise Failure(f"{self.path_of(shard)} {told}, not {shard.num_bytes}. {ANEW}")

    def path(self, index) -> Record:
        return Record(self, index)

    def path_of(self, shard) -> str:
        return storage.joined(self.folder, shard.name)

    def read(self, index) -> bytes:
        """The bytes of an image's file.

        Raises:
            Failure: they are not those that were packed.
        """
        image = self.images[index]
        shard, offset, length = self.where[3 * index : 3 * index + 3]
        path = self.path_of(self.shards[shard])
        try:
            name, content = content_of(storage.read_bytes(path, offset, length))
            whole = name == image.name and _digest(content) == image.digest
        except files.UnreadableImage as error:  # its shard is gone
            raise Failure(f"{path}: {image.name} cannot be read ({error}). {ANEW}") from error
        except (DecodeError, ValueError):
            whole = False
        if not whole:
            raise Failure(f"{path} is damaged at the image {image.name}. {ANEW}")
        return content

    def damage(self) -> list:
        """A sentence on each shard that is not what was packed; reads all of them."""
        digests = storage.ahead(lambda shard: digest(self.path_of(shard)), self.shards)
        return [
            f"{self.path_of(shard)} is damaged. {ANEW}"
            for shard, found in zip(self.shards, digests)
            if found != shard.sha256
        ]

    def _read_manifest(self):
        told = hashlib.sha256()
        with storage.opened(storage.joined(self.folder, MANIFEST)) as file:
            lines = iter(file)
            line = next(lines, b"")
            head = parse_json(line + b"]}", MANIFEST)
            version = head[KEY]
            if version != VERSION:
                told = f"{version!r:.20}"
                raise Failure(f"{self.folder} was packed in format {told}; this is {VERSION}.")
            self.shards = [Shard(**shard) for shard in head["shards"]]
            if tuple(head["columns"]) != COLUMNS:
                raise ValueError("other columns")
            for following in lines:
                told.update(line)
                if following.startswith(b"]"):
                    break
                self._append(parse_json(following.rstrip(b",\n"), MANIFEST, list))
                line = following
            else:
                raise ValueError("cut off")
            if next(lines, None) is not None:
                raise ValueError("too long")
        last = parse_json(b'{"pictures": [' + following, MANIFEST)
        if last["sha256"] != told.hexdigest():
            raise ValueError("changed")

    def _check_places(self):
        """Raises a ValueError where a record cannot be where the manifest says."""
        ends = np.array([shard.num_bytes for shard in self.shards], np.uint64)
        shard, offset, length = np.array(self.where, np.uint64).reshape(-1, 3).T
        if (shard >= len(ends)).any():
            raise ValueError("no such shard")
        end, shard = ends[np.int64(shard)], np.int64(shard)
        inside = (offset >= HEAD) & (offset <= end) & (length <= end - offset)
        records = np.bincount(shard, minlength=len(ends)).tolist()
        if not inside.all() or records != [shard.records for shard in self.shards]:
            raise ValueError("records elsewhere")

    def _append(self, row):
        name, height, width, num_bytes, digest, deviation, shard, offset, length = row
        if not is_name(name):
            raise ValueError("a name that leaves the folder")
        self.images.append(Image(name, (height, width), num_bytes, digest, deviation))
        self.where.extend((shard, offset, length))


def is_name(text) -> bool:
    """Whether something is the name of a file directly in its folder."""
    if not isinstance(text, str) or text in ("", os.curdir, os.pardir):
        return False
    return not {"/", os.sep, "\0"} & set(text)


def is_packed(folder) -> bool:
    """Whether the images of a folder are in shards."""
    path = storage.joined(folder, MANIFEST)
    if storage.num_bytes(path) is None:
        return False
    return storage.read_bytes(path, length=len(MARK)) == MARK


def example(name, content) -> bytes:
    """A record: a serialized `tf.train.Example`."""
    features = {"name": os.fsencode(name), "encoded": content}
    features = {
        key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for key, value in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(
        deterministic=True
    )


def content_of(record):
    """(name, content) of what `example` made; a DecodeError or ValueError of anything else."""
    features = tf.train.Example.FromString(record).features.feature
    values = [list(features[key].bytes_list.value) for key in ("name", "encoded")]
    if list(map(len, values)) != [1, 1]:
        raise ValueError("no image")
    (name,), (content,) = values
    return os.fsdecode(name), content


def _digest(content) -> str:
    return hashlib.sha256(content).hexdigest()


def digest(path) -> str:
    """sha256 of a file, with little memory."""
    told = hashlib.sha256()
    with storage.opened(path) as file:
        for content in iter(lambda: file.read(storage.CHUNK), b""):
            told.update(content)
    return told.hexdigest()
