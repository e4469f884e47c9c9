"""Whether a video's file is as long as it says: ffmpeg reads some to a cut without a word."""

import os
import struct

UNSAID = (0, 0xFFFFFFFF)  # lengths of a file that was written to a pipe


def is_cut(path) -> bool:
    """Returns whether an AVI or MP4 says that it is longer than it is.

    Of a file in pieces (a fragmented MP4) that ends after a whole piece nobody can know it.

    Raises:
        OSError: the file cannot be read.
    """
    length = os.stat(path).st_size
    with open(path, "rb") as file:
        start = file.read(12)
        if start[:4] == b"RIFF" and start[8:] == b"AVI ":
            return _ends_early(file, length, _riff)
        return start[4:8] == b"ftyp" and _ends_early(file, length, _box)


def _ends_early(file, length, size_of):
    """Walks over the parts of the highest level."""
    place = 0
    while place < length:
        file.seek(place)
        size = size_of(file.read(16))
        if size is None:  # the last part goes to the end, or what follows is not the container's
            return False
        place += size
    return place > length


def _riff(head):
    """The bytes of a part that begins so, with its head; None where it does not say."""
    if len(head) < 8 or head[:4] != b"RIFF":
        return None
    (size,) = struct.unpack("<I", head[4:8])
    return None if size in UNSAID else 8 + size


def _box(head):
    if len(head) < 8:
        return len(head) + 1  # its own head is cut
    (size,) = struct.unpack(">I", head[:4])
    if size == 1 and len(head) == 16:
        (size,) = struct.unpack(">Q", head[8:])
    return size if size >= 8 else None
