"""What is known of every image of a folder, in columns: a million images are 110 MB."""

import array
import collections.abc
import dataclasses
import os

DIGEST = 32  # bytes of a sha256


@dataclasses.dataclass(frozen=True)
class Image:
    """What one look at a readable file tells."""

    name: str
    size: tuple  # (height, width) as people see it
    num_bytes: int
    digest: str  # sha256 of the file's content
    deviation: float  # standard deviation of the pixels, in levels, of the liveliest channel


class Table(collections.abc.Sequence):
    """A sequence of `Image`, each made when it is asked for.

    A list of them takes six times as much memory.
    """

    def __init__(self):
        self.names, self.ends = bytearray(), array.array("Q")  # of all, and where each ends
        self.sizes, self.lengths = array.array("I"), array.array("Q")
        self.digests, self.deviations = bytearray(), array.array("d")

    def append(self, image):
        self.names += os.fsencode(image.name)
        self.ends.append(len(self.names))
        self.sizes.extend(image.size)
        self.lengths.append(image.num_bytes)
        self.digests += bytes.fromhex(image.digest)
        self.deviations.append(image.deviation)

    def name(self, index) -> str:
        start = self.ends[index - 1] if index else 0
        return os.fsdecode(bytes(self.names[start : self.ends[index]]))

    def __len__(self):
        return len(self.ends)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        index = range(len(self))[index]
        return Image(
            self.name(index),
            tuple(self.sizes[2 * index : 2 * index + 2]),
            self.lengths[index],
            self.digests[DIGEST * index : DIGEST * (index + 1)].hex(),
            self.deviations[index],
        )


class Paths(collections.abc.Sequence):
    """The paths of so many images, each made when it is asked for. Equal to a list of them.

    Args:
        count: int.
        path_of: function: number of an image to its path.
    """

    def __init__(self, count, path_of):
        self.count, self.path_of = count, path_of

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(self.count)[index]]
        return self.path_of(range(self.count)[index])

    def __eq__(self, other):
        if not isinstance(other, (Paths, list)):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other))

    __hash__ = None  # as that of a list

    def __repr__(self):
        return repr(list(self))
