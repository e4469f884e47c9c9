"""Packs a dataset: each split into a few TFRecord files (`shards.py`). Training stays the same."""

from __future__ import annotations

import array
import hashlib
import json
import math
import os
import re

import tensorflow as tf

from ugatit_tf import threads
from ugatit_tf.data import folders, shards, storage
from ugatit_tf.data.folders import Split
from ugatit_tf.data.presence import printable
from ugatit_tf.errors import Failure
from ugatit_tf.progress import track

SHARD = re.compile(r"\d{5,}-of-\d{5,}\.tfrecord")
UNFINISHED = re.compile(r"\..*\.unfinished")  # a file that is being written
MARK = ".packing.unfinished"  # in a folder while it is packed: its shards may be removed
SPLITS = (*folders.TRAIN, *folders.TEST)


def pack(
    source: str, target: str, *, count: int = 0, megabytes: float = 128
) -> tuple[dict[str, Split], bool]:
    """Packs those of trainA, trainB, testA and testB that exist in the folder `source`.

    A packed split exists when its manifest does: manifests are written last, and every file
    appears whole. A warning names the files that are not images; they are left out.

    Args:
        source, target: folders of datasets, on any file system.
        count: the number of shards of each split; with 0 they have about `megabytes` each.

    Returns:
        (dict name -> packed `Split`, whether it existed already).

    Raises:
        Failure: nothing to pack, packed already, or another dataset in `target`.
        OSError: a file cannot be written.
    """
    existing = _packed_splits(target)
    splits = {name: folders.examine(storage.join(source, name)) for name in SPLITS}
    for split in splits.values():
        if split.pack:
            raise Failure(f"{split.folder} is packed already. Pack the folders of images.")
        folders.warn(split)
    splits = {name: split for name, split in splits.items() if split.images}
    if not splits:
        raise Failure(
            f"No images in {source}. Expected at least one of the folders {', '.join(SPLITS)}."
        )
    if not existing:
        _write(splits, target, count, megabytes)
        return _packed_splits(target), False
    if _fingerprints(existing) != _fingerprints(splits):
        raise Failure(
            f"{target} holds another packed dataset. Choose another name with --pack_to, or "
            f"remove it first."
        )
    return existing, True


def _fingerprints(splits):
    return {name: split.fingerprint for name, split in splits.items()}


def _packed_splits(target):
    """Name -> `Split` of the packed splits in `target`, which must hold nothing else.

    What an interrupted packing left is removed.
    """
    splits = {}
    for name in SPLITS:
        folder = storage.join(target, name)
        if shards.is_packed(folder):
            splits[name] = folders.examine(folder)
            continue
        files = storage.list_folder(folder) if storage.is_folder(folder) else []
        removable = [UNFINISHED, SHARD] if MARK in files else [UNFINISHED]
        for file in files:
            if not any(pattern.fullmatch(file) for pattern in removable):
                raise Failure(
                    f"{folder} holds {printable(file)}, which is not part of a packed dataset. "
                    f"Choose another name with --pack_to."
                )
        for file in sorted(files, key=MARK.__eq__):  # the mark last, should this be interrupted
            storage.remove(storage.join(folder, file))
    return splits


def _write(splits, target, count, megabytes):
    marks = [storage.join(storage.join(target, name), MARK) for name in splits]
    written, manifests = [], {}
    try:
        for path in marks:
            _write_lines(path, [b"\n"])
        for name, split in splits.items():
            total = sum(image.num_bytes for image in split.images)
            num_shards = min(count or math.ceil(total / megabytes / 1e6), len(split.images))
            folder = storage.join(target, name)
            manifests[name] = _write_shards(split, folder, num_shards, written)
        for name, (shard_list, records) in manifests.items():
            path = storage.join(storage.join(target, name), shards.MANIFEST)
            written.insert(0, path)  # the first to be removed, should the next not be written
            _write_manifest(path, splits[name].images, shard_list, records)
    except BaseException:
        for path in (*written, *marks):
            storage.remove(path)
        raise
    for path in marks:
        storage.remove(path)


def _write_shards(split, folder, num_shards, written):
    """Writes shards of about the same number of images; adds their paths to `written`.

    Returns:
        (list of `shards.Shard`, array of shard, offset and length of each record).
    """
    shard_list, records = [], array.array("Q")
    for index in range(num_shards):
        first, last = (len(split.images) * i // num_shards for i in (index, index + 1))
        name = f"{index:05d}-of-{num_shards:05d}.tfrecord"
        path = storage.join(folder, name)
        written.append(path)
        for offset, length in _write_shard(path, split, range(first, last)):
            records.extend([index, offset, length])
        num_bytes = storage.num_bytes(path)
        shard_list.append(shards.Shard(name, num_bytes, storage.digest_of_file(path), last - first))
    return shard_list, records


def _write_shard(path, split, indices):
    """Yields (offset, length) of each record, as they are written."""
    offset, paths = shards.HEAD, split.paths
    contents = threads.map_ahead(
        storage.read_bytes,
        (paths[index] for index in indices),
        count=storage.reading_threads(split.folder),
    )
    label = os.path.join(os.path.basename(split.folder), os.path.basename(path))
    items = track(
        zip(indices, contents), len(indices), unit="image", label=label, patience=folders.PATIENCE
    )
    with storage.replacing(path) as temporary, tf.io.TFRecordWriter(os.fsencode(temporary)) as file:
        for index, content in items:
            image = split.images[index]
            if hashlib.sha256(content).hexdigest() != image.digest:
                raise Failure(f"{paths[index]} was changed while it was packed. Pack again.")
            record = shards.example(image.name, content)
            file.write(record)
            yield offset, len(record)
            offset += len(record) + shards.FRAME


def _write_manifest(path, images, shard_list, records):
    """Writes the file that `shards` describes."""
    head = {
        shards.KEY: shards.VERSION,
        "shards": [vars(shard) for shard in shard_list],
        "columns": shards.COLUMNS,
    }
    _write_lines(path, _manifest_lines(head, images, records))


def _manifest_lines(head, images, records):
    digest = hashlib.sha256()
    for line in _signed_lines(head, images, records):
        digest.update(line)
        yield line
    yield f'], "sha256": "{digest.hexdigest()}"}}\n'.encode()


def _signed_lines(head, images, records):
    yield f'{json.dumps(head)[:-1]}, "pictures": [\n'.encode()
    for index, image in enumerate(images):
        row = [image.name, *image.size, image.num_bytes, image.digest, image.deviation]
        row = json.dumps([*row, *records[3 * index : 3 * index + 3]])
        yield f"{row}{',' * (index + 1 < len(images))}\n".encode()


def _write_lines(path, lines):
    with storage.replacing(path) as temporary, storage.open_file(temporary, "wb") as file:
        for line in lines:
            file.write(line)
