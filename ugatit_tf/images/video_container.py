"""Whether the file of a video is as long as it claims: ffmpeg reads some up to a cut silently."""

from __future__ import annotations

import os
import struct

UNKNOWN = (0, 0xFFFFFFFF)  # lengths in a file that was written to a pipe


def is_cut_off(path: str | os.PathLike) -> bool:
    """Whether an AVI or MP4 claims to be longer than it is.

    A fragmented MP4 that ends after a whole fragment cannot be recognized.

    Raises:
        OSError: the file cannot be read.
    """
    length = os.stat(path).st_size
    with open(path, "rb") as file:
        start = file.read(12)
        if start[:4] == b"RIFF" and start[8:] == b"AVI ":
            return _ends_early(file, length, _riff_size)
        return start[4:8] == b"ftyp" and _ends_early(file, length, _box_size)


def _ends_early(file, length, size_of):
    """Walks over the chunks of the highest level."""
    position = 0
    while position < length:
        file.seek(position)
        size = size_of(file.read(16))
        if size is None:  # the last chunk goes to the end, or what follows is not the container's
            return False
        position += size
    return position > length


def _riff_size(head):
    """The bytes of a chunk with this head, the head included; None where it does not say."""
    if len(head) < 8 or head[:4] != b"RIFF":
        return None
    (size,) = struct.unpack("<I", head[4:8])
    return None if size in UNKNOWN else 8 + size


def _box_size(head):
    """As `_riff_size`, of an MP4."""
    if len(head) < 8:
        return len(head) + 1  # the head itself is cut off
    (size,) = struct.unpack(">I", head[:4])
    if size == 1 and len(head) == 16:
        (size,) = struct.unpack(">Q", head[8:])
    return size if size >= 8 else None
