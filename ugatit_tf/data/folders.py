"""What is in the folders of a dataset: every file is looked at once.

Each is decoded small, in a pool of threads: thousands take seconds. A part that was packed (see
`shards.py`) is not decoded: its manifest says the same.
"""

import dataclasses
import functools
import hashlib
import logging
import math
import os
import pathlib

import numpy as np

from ugatit_tf.data import shards, storage
from ugatit_tf.data.presence import TEST, TRAIN  # noqa: F401
from ugatit_tf.data.presence import printable as shown
from ugatit_tf.data.table import Image, Paths, Table
from ugatit_tf.errors import Failure
from ugatit_tf.images import files
from ugatit_tf.progress import track

LOG = logging.getLogger(__name__)
GLANCE = 64  # side in pixels to which a JPEG is decoded; of others, four times as many count
PATIENCE = 2.0  # seconds before it is shown how far this is
FLAT = 2.0  # a standard deviation below this many of 255 levels is almost one colour
MOST_NAMED, MOST_BROKEN = 5, 50  # files in one sentence; in that on broken ones


@dataclasses.dataclass(frozen=True)
class Part:
    """One folder of a dataset: its readable images by name, and the files refused."""

    folder: str
    images: list  # of Image, or a Table of them
    refused: list  # of (name, reason)
    pack: shards.Pack = None  # where the images are, if not in files of their own
    animated: tuple = ()  # names of images that move, of which the first frame is one

    @property
    def paths(self) -> Paths:
        """As `images.files` can read them, wherever they are."""
        of_file = functools.partial(_path, self.folder, self.images)
        return Paths(len(self.images), self.pack.path if self.pack else of_file)

    @property
    def smallest(self):
        """(height, width) of the image with the shortest side; None if there is none."""
        return min((p.size for p in self.images), key=sorted, default=None)

    @property
    def largest(self):
        """(height, width) of the image with the most pixels; None if there is none."""
        return max((p.size for p in self.images), key=math.prod, default=None)

    @property
    def duplicates(self) -> list:
        """Lists of names of files with the same content."""
        marks, counts = np.unique(self.marks, return_counts=True)
        twice, names = set(marks[counts > 1].tolist()), {}
        for image in self.images if twice else ():
            if hash(image.digest) in twice:
                names.setdefault(image.digest, []).append(image.name)
        return [same for same in names.values() if len(same) > 1]

    @property
    def marks(self):
        """int64 [images], equal for equal contents: less memory than what it is made of."""
        return np.fromiter((hash(p.digest) for p in self.images), np.int64, len(self.images))

    @property
    def near_empty(self) -> list:
        """Names of the images that are almost of one colour."""
        return [image.name for image in self.images if image.deviation < FLAT]

    @property
    def refusal(self) -> str:
        """A sentence on the files that cannot be read."""
        count = len(self.refused)
        named = some([f"{shown(file)} ({why})" for file, why in self.refused], MOST_BROKEN)
        told = f"{count} of {count + len(self.images)} files in {shown(self.folder)} cannot be "
        return f"{told}read and are left out: {named}. Replace or remove them."

    @property
    def stilled(self) -> str:
        """A sentence on the images that move."""
        named = some([shown(name) for name in self.animated])
        told = f"{len(self.animated)} of {len(self.images)} images in {shown(self.folder)} move"
        return f"{told}: {named}. Only their first frames are used."

    @property
    def fingerprint(self) -> str:
        """sha256 of names and contents; times and folders do not matter."""
        names = [os.fsencode(image.name) for image in self.images]
        told, before = hashlib.sha256(), b"["  # of what `repr` gives of a list, bit by bit
        for index in sorted(range(len(names)), key=names.__getitem__):
            image = self.images[index]
            told.update(before + repr((names[index], image.num_bytes, image.digest)).encode())
            before = b", "
        told.update(b"]" if names else b"[]")
        return told.hexdigest()


def examine(folder) -> Part:
    """Looks at every file directly in `folder`; where there is none, a Part without images.

    Raises:
        Failure: the folder was packed, and that is damaged.
    """
    folder = os.fspath(folder)
    if shards.is_packed(folder):
        pack = shards.Pack(folder)
        return Part(folder, pack.images, [], pack)
    names = storage.listed(folder) if storage.is_folder(folder) else []
    images, refused, animated = Table(), [], []
    look = functools.partial(_look, folder)
    looks = storage.ahead(look, names, threads=storage.threads_for(folder))
    options = {"unit": "file", "label": os.path.basename(folder), "patience": PATIENCE}
    for name, (image, about) in zip(names, track(looks, len(names), **options)):
        if image is None:
            refused.append((name, about))
            continue
        images.append(image)
        animated += [name] if about else []
    return Part(folder, images, refused, animated=tuple(animated))


def images_in(folder) -> Paths:
    """The paths of all readable images directly in `folder`, sorted by name.

    The files that cannot be read are named in one warning.

    Raises:
        Failure: no such folder, or no readable image in it.
    """
    part = examine(folder)
    warn(part)
    if part.images:
        return part.paths
    what = "No readable image in" if storage.is_folder(folder) else "No folder"
    folder = shown(os.fspath(folder))
    raise Failure(
        f"{what} {folder}. Expected JPEG, PNG, WebP, BMP, GIF or TIFF files directly in "
        f"dataset/NAME/trainA and trainB (for training), testA and testB (for testing). "
        f"--dataset demo draws its own."
    )


def warn(part):
    """Warns of files that are left out, and of images of which only a part is used."""
    if part.refused:
        LOG.warning(part.refusal)
    if part.animated:
        LOG.warning(part.stilled)


def some(names, most=MOST_NAMED):
    return ", ".join(names[:most]) + f", and {len(names) - most} more" * (len(names) > most)


def _path(folder, images, index):
    return storage.joined(folder, images[index].name)


def _look(folder, name):
    """(`Image`, whether it moves), or (None, reason) where the file is none.

    What is wrong with this computer is an error: an image less would be another dataset.
    """
    try:
        path, content = _opened(folder, name)
        pixels = files.read(path, shrink_to=GLANCE)
        content = storage.read_bytes(path) if content is None else content
        jpeg = content[:2] == b"\xff\xd8"  # the only format that is read smaller than it is
        size = files.size(path) if jpeg else pixels.shape[:2]
        moves = not jpeg and files.is_animated(path)
    except files.UnreadableImage as error:
        return None, error.reason
    step = max(1, min(pixels.shape[:2]) // (4 * GLANCE))
    deviation = float(pixels[::step, ::step].std((0, 1)).max())
    digest = hashlib.sha256(content).hexdigest()
    return Image(name, size, len(content), digest, deviation), moves


def _opened(folder, name):
    """(path to read from, content or None): what is far away is fetched once."""
    if not storage.is_remote(folder):
        return pathlib.Path(folder, name), None
    path = storage.joined(folder, name)
    if name.endswith("/"):  # some systems list their folders so
        raise files.UnreadableImage(path, "this is a folder, not an image")
    content = path.read_bytes()
    return storage.Fetched(path, content), content
