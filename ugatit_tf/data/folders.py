"""The splits of a dataset: every file in its folders is examined once.

Images are decoded at a small size, in a pool of threads: thousands take seconds. A packed split
(see `shards.py`) is not decoded: its manifest holds the same.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import logging
import math
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from ugatit_tf import threads
from ugatit_tf.data import shards, storage
from ugatit_tf.data.image_table import ImageInfo, ImagePaths, ImageTable
from ugatit_tf.data.presence import TEST, TRAIN, no_images, printable  # noqa: F401
from ugatit_tf.errors import Failure, listed
from ugatit_tf.images import image_file
from ugatit_tf.images.decoding import ImagePath, RemoteImage
from ugatit_tf.images.errors import UnreadableImage
from ugatit_tf.progress import track

LOG = logging.getLogger(__name__)

DECODED_SIDE = 64  # pixels to which a JPEG is decoded; of others, four times as many are compared
PATIENCE = 2.0  # seconds before a progress line appears
ONE_COLOR = 2.0  # a standard deviation below this many of 255 levels is almost one color
MOST_REFUSED = 50  # files in the message on those that cannot be read
EXPECTED = (
    "Expected JPEG, PNG, WebP, BMP, GIF or TIFF files directly in dataset/NAME/trainA and trainB "
    "(for training), testA and testB (for testing). --dataset demo draws its own."
)


@dataclasses.dataclass(frozen=True)
class Split:
    """One of trainA, trainB, testA and testB: its readable images by name, and the other files."""

    folder: str
    images: Sequence[ImageInfo]
    refused: list[tuple[str, str]]  # (name, reason) of files that cannot be read
    pack: shards.Pack | None = None  # if the images are not files of their own
    animated: tuple[str, ...] = ()  # names of animations, of which the first frame is used

    @property
    def paths(self) -> ImagePaths:
        """The images as `image_file.read` takes them, wherever they are stored."""
        path_of_file = functools.partial(_path, self.folder, self.images)
        return ImagePaths(len(self.images), self.pack.path if self.pack else path_of_file)

    @functools.cached_property
    def smallest(self) -> tuple[int, int] | None:
        """(height, width) of the image with the shortest side; None if there is no image."""
        return min((image.size for image in self.images), key=sorted, default=None)

    @functools.cached_property
    def largest(self) -> tuple[int, int] | None:
        """(height, width) of the image with the most pixels; None if there is no image."""
        return max((image.size for image in self.images), key=math.prod, default=None)

    @functools.cached_property
    def content_hashes(self) -> np.ndarray:
        """int64 [images], equal for equal contents. It takes less memory than the digests."""
        hashes = (hash(image.digest) for image in self.images)
        return np.fromiter(hashes, np.int64, len(self.images))

    @functools.cached_property
    def duplicates(self) -> list[list[str]]:
        """Lists of names of files with the same content."""
        hashes, counts = np.unique(self.content_hashes, return_counts=True)
        repeated, names = set(hashes[counts > 1].tolist()), {}
        for image in self.images if repeated else ():
            if hash(image.digest) in repeated:
                names.setdefault(image.digest, []).append(image.name)
        return [group for group in names.values() if len(group) > 1]

    @functools.cached_property
    def near_empty(self) -> list[str]:
        """Names of the images that are almost of one color."""
        return [image.name for image in self.images if image.deviation < ONE_COLOR]

    @functools.cached_property
    def fingerprint(self) -> str:
        """sha256 of the names and contents; times and folders do not matter."""
        names = [os.fsencode(image.name) for image in self.images]
        # Piece by piece, the digest of what `repr` gives for the sorted list of tuples.
        digest, separator = hashlib.sha256(), b"["
        for index in sorted(range(len(names)), key=names.__getitem__):
            image = self.images[index]
            digest.update(separator + repr((names[index], image.num_bytes, image.digest)).encode())
            separator = b", "
        digest.update(b"]" if names else b"[]")
        return digest.hexdigest()

    def warnings(self) -> list[str]:
        """Returns sentences on files that are left out, or used in part."""
        sentences = []
        if self.refused:
            reasons = [f"{printable(name)} ({reason})" for name, reason in self.refused]
            sentences.append(
                f"{len(self.refused)} of {len(self.refused) + len(self.images)} files in "
                f"{printable(self.folder)} cannot be read and are left out: "
                f"{listed(reasons, MOST_REFUSED)}. Replace or remove them."
            )
        if self.animated:
            sentences.append(
                f"{len(self.animated)} of {len(self.images)} images in {printable(self.folder)} "
                f"are animations: {listed([printable(name) for name in self.animated])}. Only "
                f"their first frames are used."
            )
        return sentences


def examine(folder: ImagePath) -> Split:
    """Examines every file directly in `folder`; a missing folder is a split without images.

    Raises:
        Failure: the folder is packed, and damaged.
    """
    folder = os.fspath(folder)
    if shards.is_packed(folder):
        pack = shards.Pack(folder)
        return Split(folder, pack.images, [], pack)
    names = storage.list_folder(folder) if storage.is_folder(folder) else []
    images, refused, animated = ImageTable(), [], []
    results = threads.map_ahead(
        functools.partial(_examine_file, folder), names, count=storage.reading_threads(folder)
    )
    label = os.path.basename(folder)
    results = track(results, len(names), unit="file", label=label, patience=PATIENCE)
    for name, result in zip(names, results):
        if isinstance(result, UnreadableImage):
            refused.append((name, result.reason))
            continue
        image, is_animated = result
        images.append(image)
        animated += [name] if is_animated else []
    return Split(folder, images, refused, animated=tuple(animated))


def images_in(folder: ImagePath) -> ImagePaths:
    """Returns the paths of all readable images directly in `folder`, sorted by name.

    One warning names the files that cannot be read.

    Raises:
        Failure: no such folder, or no readable image in it.
    """
    split = examine(folder)
    warn(split)
    if not split.images:
        raise Failure(no_images(split.folder, EXPECTED))
    return split.paths


def warn(split: Split) -> None:
    """Logs the warnings of a split."""
    for sentence in split.warnings():
        LOG.warning(sentence)


def _path(folder, images, index):
    return storage.image_at(storage.join(folder, images[index].name))


def _examine_file(folder, name):
    """(`ImageInfo`, whether it is an animation), or the `UnreadableImage` if it is no image.

    A fault of this computer is raised: one image less would be another dataset.
    """
    try:
        path, content = _fetch(folder, name)
        pixels = image_file.read(path, shrink_to=DECODED_SIDE)
        content = storage.read_bytes(path) if content is None else content
        is_jpeg = content[:2] == b"\xff\xd8"  # the only format that is decoded at another size
        size = image_file.size(path) if is_jpeg else pixels.shape[:2]
        is_animated = not is_jpeg and image_file.is_animated(path)
    except UnreadableImage as error:
        return error
    step = max(1, min(pixels.shape[:2]) // (4 * DECODED_SIDE))
    deviation = float(pixels[::step, ::step].std((0, 1)).max())
    digest = hashlib.sha256(content).hexdigest()
    return ImageInfo(name, size, len(content), digest, deviation), is_animated


def _fetch(folder, name):
    """(path of an image, its content or None): remote files are read only once."""
    if not storage.is_remote(folder):
        return pathlib.Path(folder, name), None
    path = storage.join(folder, name)
    if name.endswith("/"):  # as some file systems list folders
        raise UnreadableImage(path, "this is a folder, not an image")
    content = storage.read_bytes(path)
    return RemoteImage(path, lambda: content), content
