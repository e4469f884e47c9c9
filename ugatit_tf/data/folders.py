"""What is in the folders of a dataset: every file is looked at once.

Each is decoded small, in a pool of threads: thousands take seconds.
"""

import dataclasses
import hashlib
import itertools
import logging
import math
import os
import pathlib
from concurrent.futures import ThreadPoolExecutor

from ugatit_tf.pictures import files
from ugatit_tf.runtime import Failure

LOG = logging.getLogger(__name__)
TRAIN, TEST = ("trainA", "trainB"), ("testA", "testB")
GLANCE = 64  # side in pixels to which a JPEG is decoded; of others, four times as many count
FLAT = 2.0  # a standard deviation below this many of 255 levels is almost one colour
MOST_NAMED, MOST_BROKEN = 5, 50  # files in one sentence; in that on broken ones


@dataclasses.dataclass(frozen=True)
class Picture:
    """What one look at a readable file tells."""

    name: str
    size: tuple  # (height, width) as people see it
    num_bytes: int
    digest: str  # sha256 of the file's content
    deviation: float  # standard deviation of the pixels, in levels, of the liveliest channel


@dataclasses.dataclass(frozen=True)
class Part:
    """One folder of a dataset: its readable pictures by name, and the files refused."""

    folder: str
    pictures: list  # of Picture
    refused: list  # of (name, reason)

    @property
    def paths(self) -> list:
        return [os.path.join(self.folder, picture.name) for picture in self.pictures]

    @property
    def smallest(self):
        """(height, width) of the picture with the shortest side; None if there is none."""
        return min((p.size for p in self.pictures), key=sorted, default=None)

    @property
    def largest(self):
        """(height, width) of the picture with the most pixels; None if there is none."""
        return max((p.size for p in self.pictures), key=math.prod, default=None)

    @property
    def duplicates(self) -> list:
        """Lists of names of files with the same content."""
        names = {}
        for picture in self.pictures:
            names.setdefault(picture.digest, []).append(picture.name)
        return [same for same in names.values() if len(same) > 1]

    @property
    def near_empty(self) -> list:
        """Names of the pictures that are almost of one colour."""
        return [picture.name for picture in self.pictures if picture.deviation < FLAT]

    @property
    def refusal(self) -> str:
        """A sentence on the files that cannot be read."""
        count = len(self.refused)
        named = some([f"{shown(file)} ({why})" for file, why in self.refused], MOST_BROKEN)
        told = f"{count} of {count + len(self.pictures)} files in {shown(self.folder)} cannot be "
        return f"{told}read and are left out: {named}. Replace or remove them."

    @property
    def fingerprint(self) -> str:
        """sha256 of names and contents; times and folders do not matter."""
        ordered = sorted((os.fsencode(p.name), p.num_bytes, p.digest) for p in self.pictures)
        return hashlib.sha256(repr(ordered).encode()).hexdigest()


def examine(folder) -> Part:
    """Looks at every file directly in `folder`; where there is none, a Part without pictures."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(_look, itertools.repeat(folder), names))
    pictures = [picture for picture in found if isinstance(picture, Picture)]
    return Part(str(folder), pictures, [p for p in found if not isinstance(p, Picture)])


def pictures_in(folder) -> list:
    """The paths of all readable pictures directly in `folder`, sorted by name.

    The files that cannot be read are named in one warning.

    Raises:
        Failure: no such folder, or no readable picture in it.
    """
    part = examine(folder)
    if part.refused:
        LOG.warning(part.refusal)
    if part.pictures:
        return part.paths
    what = "No readable picture in" if os.path.isdir(folder) else "No folder"
    raise Failure(
        f"{what} {shown(folder)}. Expected JPEG, PNG, WebP, BMP, GIF or TIFF files directly in "
        f"dataset/NAME/trainA and trainB (for training), testA and testB (for testing). "
        f"--dataset demo draws its own."
    )


def some(names, most=MOST_NAMED):
    return ", ".join(names[:most]) + f", and {len(names) - most} more" * (len(names) > most)


def shown(name) -> str:
    """A file's name as any terminal can show it: line breaks and what is no text, escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _look(folder, name):
    """A `Picture`, or (name, reason) where the file is none."""
    path = pathlib.Path(folder, name)
    try:
        pixels = files.read(path, shrink_to=GLANCE)
        content = path.read_bytes()
        jpeg = content[:2] == b"\xff\xd8"  # the only format that is read smaller than it is
        size = files.size(path) if jpeg else pixels.shape[:2]
    except files.UnreadablePicture as error:
        return name, error.reason
    except OSError as error:  # gone by now, or its disk is failing
        return name, str(error.strerror or error).lower()
    step = max(1, min(pixels.shape[:2]) // (4 * GLANCE))
    deviation = float(pixels[::step, ::step].std((0, 1)).max())
    return Picture(name, size, len(content), hashlib.sha256(content).hexdigest(), deviation)
