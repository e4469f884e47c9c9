"""What is known about every image of a folder, in columns: a million images take 110 MB."""

from __future__ import annotations

import array
import collections.abc
import dataclasses
import os
from typing import Any, Callable

from ugatit_tf.images.decoding import ImagePath

DIGEST = 32  # bytes of a sha256


@dataclasses.dataclass(frozen=True)
class ImageInfo:
    """The properties of one readable image file."""

    name: str
    size: tuple[int, int]  # (height, width) as people see it
    num_bytes: int
    digest: str  # sha256 of the file's content
    deviation: float  # the largest of the channels' standard deviations, in levels of 255


class ImageTable(collections.abc.Sequence):
    """A sequence of `ImageInfo`, each made on demand. A list of them takes six times the memory."""

    def __init__(self) -> None:
        self._names, self._name_ends = bytearray(), array.array("Q")
        self._sizes, self._lengths = array.array("I"), array.array("Q")
        self._digests, self._deviations = bytearray(), array.array("d")

    def append(self, image: ImageInfo) -> None:
        """Adds a row."""
        self._names += os.fsencode(image.name)
        self._name_ends.append(len(self._names))
        self._sizes.extend(image.size)
        self._lengths.append(image.num_bytes)
        self._digests += bytes.fromhex(image.digest)
        self._deviations.append(image.deviation)

    def name(self, index: int) -> str:
        """The name of one image; faster than its `ImageInfo`."""
        start = self._name_ends[index - 1] if index else 0
        return os.fsdecode(bytes(self._names[start : self._name_ends[index]]))

    def __len__(self) -> int:
        return len(self._name_ends)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        index = range(len(self))[index]
        return ImageInfo(
            self.name(index),
            tuple(self._sizes[2 * index : 2 * index + 2]),
            self._lengths[index],
            self._digests[DIGEST * index : DIGEST * (index + 1)].hex(),
            self._deviations[index],
        )


class ImagePaths(collections.abc.Sequence):
    """The paths of many images, each made on demand. Equal to a list of the same paths.

    Args:
        count: the number of images.
        path_of: function of an image's index to its path.
    """

    def __init__(self, count: int, path_of: Callable[[int], ImagePath]) -> None:
        self._count, self._path_of = count, path_of

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(self._count)[index]]
        return self._path_of(range(self._count)[index])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (ImagePaths, list)):
            return NotImplemented
        return len(self) == len(other) and all(
            os.fspath(a) == os.fspath(b) for a, b in zip(self, other)
        )

    __hash__ = None  # as that of a list

    def __repr__(self) -> str:
        return repr(list(self))
