"""Packs a dataset: each of its parts into a few TFRecord files, which train alike (`shards.py`)."""

import array
import hashlib
import json
import math
import os
import re

import tensorflow as tf

from ugatit_tf.data import folders, shards, storage
from ugatit_tf.errors import Failure
from ugatit_tf.progress import track

SHARD = re.compile(r"\d{5,}-of-\d{5,}\.tfrecord")
UNFINISHED = re.compile(r"\..*\.unfinished")  # what is being written
MARK = ".packing.unfinished"  # in a part while it is packed: the shards there are ours to remove
PART_NAMES = (*folders.TRAIN, *folders.TEST)


def pack(source, target, *, count=0, megabytes=128):
    """Packs trainA, trainB, testA and testB in the folder `source`, those that are there.

    A part is there when its manifest is: the manifests are written last of all, and every file
    appears whole. Files that are no images are named in a warning and left out.

    Args:
        source, target: folders of datasets; either may have a scheme.
        count: int. Shards of each part; with 0 as many as are `megabytes` large.

    Returns:
        (dict name -> `folders.Part` of the packed dataset, whether it was there already).

    Raises:
        Failure: nothing to pack, packed already, or another dataset in its place.
        OSError: a file cannot be written.
    """
    there = _there(target)
    parts = {name: folders.examine(storage.joined(source, name)) for name in PART_NAMES}
    for part in parts.values():
        if part.pack:
            raise Failure(f"{part.folder} is packed already. Pack the folders of images.")
        folders.warn(part)
    parts = {name: part for name, part in parts.items() if part.images}
    if not parts:
        raise Failure(
            f"No images in {source}. Expected the folders {', '.join(PART_NAMES)}, or some."
        )
    if there and _same(there, parts):
        return there, True
    if there:
        raise Failure(
            f"{target} holds another packed dataset. Choose another name with --pack_to, or "
            f"remove it first."
        )
    _write(parts, target, count, megabytes)
    return _there(target), False


def _there(target) -> dict:
    """name -> `folders.Part` of what is packed in `target`, which holds nothing else.

    What an interrupted packing left is removed.
    """
    found = {}
    for name in PART_NAMES:
        folder = storage.joined(target, name)
        if shards.is_packed(folder):
            found[name] = folders.examine(folder)
            continue
        names = storage.listed(folder) if storage.is_folder(folder) else []
        ours = [UNFINISHED, SHARD] if MARK in names else [UNFINISHED]
        foreign = [one for one in names if not any(kind.fullmatch(one) for kind in ours)]
        if foreign:
            raise Failure(
                f"{folder} holds {folders.shown(foreign[0])}, which is not of a packed dataset. "
                f"Choose another name with --pack_to."
            )
        for one in sorted(names, key=MARK.__eq__):  # the mark last, should this be interrupted
            storage.remove(storage.joined(folder, one))
    return found


def _same(there, parts):
    return there.keys() == parts.keys() and all(
        there[name].fingerprint == part.fingerprint for name, part in parts.items()
    )


def _write(parts, target, count, megabytes):
    marks = [storage.joined(storage.joined(target, name), MARK) for name in parts]
    written, manifests = [], {}
    try:
        for path in marks:
            with storage.replacing(path) as beside, storage.opened(beside, "wb") as file:
                file.write(b"\n")
        for name, part in parts.items():
            total = sum(image.num_bytes for image in part.images)
            number = min(count or math.ceil(total / megabytes / 1e6), len(part.images))
            folder = storage.joined(target, name)
            manifests[name] = _write_shards(part, folder, number, written)
        for name, (made, where) in manifests.items():
            path = storage.joined(storage.joined(target, name), shards.MANIFEST)
            written.insert(0, path)  # the first to go, should the next not be written
            _write_manifest(path, parts[name].images, made, where)
    except BaseException:
        for path in (*written, *marks):
            storage.remove(path)
        raise
    for path in marks:
        storage.remove(path)


def _write_shards(part, folder, number, written):
    """Writes so many shards of about the same number of images; adds their paths to `written`.

    Returns:
        (list of `shards.Shard`, array of shard, offset and length of each record).
    """
    made, where = [], array.array("Q")
    for index in range(number):
        first, last = (len(part.images) * i // number for i in (index, index + 1))
        path = storage.joined(folder, f"{index:05d}-of-{number:05d}.tfrecord")
        written.append(path)
        for place in _write_shard(path, part, range(first, last)):
            where.extend([index, *place])
        about = os.path.basename(path), storage.num_bytes(path), shards.digest(path), last - first
        made.append(shards.Shard(*about))
    return made, where


def _write_shard(path, part, numbers):
    """Yields (offset, length) of each record, as they are written."""
    place, paths = shards.HEAD, part.paths
    contents = storage.ahead(
        storage.read_bytes,
        (paths[number] for number in numbers),
        threads=storage.threads_for(part.folder),
    )
    with storage.replacing(path) as beside, tf.io.TFRecordWriter(os.fsencode(beside)) as file:
        label = os.path.join(os.path.basename(part.folder), os.path.basename(path))
        options = {"unit": "image", "label": label, "patience": folders.PATIENCE}
        for number, content in track(zip(numbers, contents), len(numbers), **options):
            image = part.images[number]
            if hashlib.sha256(content).hexdigest() != image.digest:
                raise Failure(f"{paths[number]} was changed while it was packed. Pack anew.")
            record = shards.example(image.name, content)
            file.write(record)
            yield place, len(record)
            place += len(record) + shards.FRAME


def _write_manifest(path, images, made, where):
    """Writes what `shards` describes."""
    told = hashlib.sha256()
    head = {shards.KEY: shards.VERSION, "shards": [vars(shard) for shard in made]}
    head["columns"] = shards.COLUMNS
    with storage.replacing(path) as beside, storage.opened(beside, "wb") as file:
        for line in _lines(head, images, where):
            told.update(line)
            file.write(line)
        file.write(f'], "sha256": "{told.hexdigest()}"}}\n'.encode())


def _lines(head, images, where):
    yield f'{json.dumps(head)[:-1]}, "pictures": [\n'.encode()
    for index, image in enumerate(images):
        row = [image.name, *image.size, image.num_bytes, image.digest, image.deviation]
        row = json.dumps([*row, *where[3 * index : 3 * index + 3]])
        yield f"{row}{',' * (index + 1 < len(images))}\n".encode()
