"""PNG and TIFF files byte by byte, of kinds that Pillow reads and does not write."""

import struct
import zlib

import numpy as np
from PIL import ImageCms

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KINDS = {1: 0, 3: 2}  # channels -> color type of a PNG


def chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels, *chunks, bits=None):
    """The bytes of a PNG.

    Args:
        pixels: uint8 or uint16 [height, width, 1 or 3]; with `bits` below 8, gray levels.
        *chunks: (kind, data) of what comes before the pixels.
        bits: of a channel; those of the pixels.
    """
    height, width, channels = pixels.shape
    bits = bits or 8 * pixels.itemsize
    if bits < 8:
        singles = np.unpackbits(pixels.reshape(height, width, 1), axis=-1)[..., 8 - bits :]
        rows = np.packbits(singles.reshape(height, -1), axis=-1)
    else:
        rows = pixels.astype(f">u{pixels.itemsize}")
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">II5B", width, height, bits, KINDS[channels], 0, 0, 0)
    chunks = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(*item) for item in chunks)


def gamma(value):
    return b"gAMA", struct.pack(">I", round(value * 100_000))


def primaries(*values):
    """x and y of white, red, green and blue."""
    return b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in values))


def profile(data):
    return b"iCCP", b"any name\0\0" + zlib.compress(data)


def tiff(values, *, photometric=1, kind=1):
    """The bytes of a TIFF without compression.

    Args:
        values: [height, width] or [height, width, channels], as they are stored.
        photometric: 0 where zero is white, 1 where it is black, 2 for RGB, 8 for L*a*b*.
        kind: 1 for numbers without a sign, 2 for those with one, 3 for floats.
    """
    height, width, channels = (*values.shape, 1)[:3]
    bits = struct.pack("<H", 8 * values.itemsize) * channels
    data = values.astype(values.dtype.newbyteorder("<")).tobytes()
    tags = [  # tag, type (3: two bytes, 4: four), count, value
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, channels, None), (259, 3, 1, 1),
        (262, 3, 1, photometric), (273, 4, 1, 8), (277, 3, 1, channels), (278, 4, 1, height),
        (279, 4, 1, len(data)), (339, 3, 1, kind),
    ]  # fmt: skip
    start = 8 + len(data) + len(bits)
    table = struct.pack("<H", len(tags))
    for tag, size, count, value in tags:
        if value is None and count == 1:
            value = 8 * values.itemsize
        position = struct.pack("<I", 8 + len(data) if value is None else value)
        table += struct.pack("<HHI", tag, size, count) + position
    return b"II*\0" + struct.pack("<I", start) + data + bits + table + bytes(4)


def named_srgb_but_linear():
    """sRGB's own profile, name and all, with straight tone curves."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack(">I", data[128:132])
    for i in range(count):
        name, offset, length = struct.unpack(">4sII", data[132 + 12 * i : 144 + 12 * i])
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            data[offset : offset + length] = b"curv".ljust(length, b"\0")
    return bytes(data)
