"""Reads any image file as people see it, writes one, and knows [-1, 1] and uint8.

The format is told by content, never by the suffix, and only the decoders in `FORMATS`
can run. A file is read whole or refused: half an image is worse than none in a dataset.
"""

import contextlib
import io
import pathlib

import numpy as np
from PIL import Image

from ugatit_tf.atomic import replacing
from ugatit_tf.images import tones
from ugatit_tf.images.opening import (  # noqa: F401  others know them by this module
    MAX_PIXELS,
    NO_FILE,
    ReadError,
    RemotePath,
    UnreadableImage,
    check_size,
    opened,
    shortage,
    stored_size,
)

ANIMATED = ("PNG", "WEBP", "GIF")
DECODING = 2  # to be raised whenever other pixels would be read from the same file

JPEG = "JPEG", {"quality": 95, "subsampling": 0}
WRITERS = {
    ".png": ("PNG", {}), ".bmp": ("BMP", {}), ".gif": ("GIF", {}), ".jpg": JPEG, ".jpeg": JPEG,
    ".tif": ("TIFF", {}), ".tiff": ("TIFF", {}), ".webp": ("WEBP", {"quality": 95}),
}  # fmt: skip
WITH_ALPHA = ("PNG", "TIFF", "WEBP")

ORIENTATION = 274  # a tag of EXIF and TIFF
TURNS = dict(zip(range(2, 9), (
    Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)))  # fmt: skip
SIDEWAYS = (5, 6, 7, 8)


def read(path, *, channels=3, shrink_to=None):
    """Returns an image as people see it, uint8 [height, width, channels].

    Turned upright (EXIF), in sRGB (embedded profile), on white where it was transparent,
    the first frame where it moves; 16-bit and float greys are scaled, not clipped.

    Args:
        path: the file, or an `RemotePath`.
        channels: 3 for colour or 1 for grey.
        shrink_to: int. A JPEG may come smaller, yet at least this many pixels on both
            sides (if it had them); several times faster, for checks.

    Raises:
        UnreadableImage: missing, damaged, cut off, too large or not an image.
        ReadError: the computer could not read it.
    """
    pixels, _ = decoded(path, channels, shrink_to=shrink_to)
    return pixels


def read_with_alpha(path, *, channels=3, max_pixels=MAX_PIXELS):
    """Returns (what `read` does, alpha: uint8 [height, width], or None where all is opaque).

    Args:
        max_pixels: an image with more is refused before it is decoded.
    """
    pixels, alpha = decoded(path, channels, max_pixels=max_pixels)
    return pixels, None if alpha is None or alpha.min() == 255 else alpha


def decoded(path, channels, *, shrink_to=None, max_pixels=MAX_PIXELS):
    """Returns (pixels on white, alpha or None), as `read_with_alpha` but all alpha there is."""
    if channels not in (1, 3):
        raise ValueError(f"Expected `channels` to be 1 or 3. Received: {channels!r}")
    with opened(path, max_pixels) as image:
        if shrink_to:
            image.draft(None, (shrink_to, shrink_to))
        return seen(image, channels)


def seen(image, channels):
    """Returns (pixels, alpha or None) of a `PIL.Image.Image` as people see it."""
    stored = tones.stored(image)
    image.load()
    # After `load`: Pillow turns a TIFF itself there and forgets its orientation.
    turn = TURNS.get(orientation(image))
    converted = tones.in_srgb(image, stored)
    converted = converted.transpose(turn) if turn is not None else converted
    alpha = np.array(converted.getchannel("A")) if "A" in converted.getbands() else None
    pixels = np.array(tones.on_white(converted).convert("RGB" if channels == 3 else "L"))
    return pixels.reshape(*pixels.shape[:2], channels), alpha


def size(path):
    """Returns (height, width) as `read` would give them, without decoding.

    Only a PNG that is not square is decoded: its orientation may be in its last bytes.
    Raises `UnreadableImage` as `read` does, but may not notice damage further on.
    """
    with opened(path) as image:
        width, height = stored_size(image)
        sideways = width != height and orientation(image) in SIDEWAYS
    return (width, height) if sideways else (height, width)


def is_animated(path) -> bool:
    """Returns whether an image moves, of which `read` gives the first frame."""
    with contextlib.suppress(UnreadableImage), opened(path) as image:
        return image.format in ANIMATED and getattr(image, "is_animated", False)
    return False  # its first frame may be whole, or `read` says what it is


def write(path, image, *, synced=False, **options):
    """Writes an image in the format of its suffix; creates the folder if necessary.

    The file appears whole or not at all; an older one of this name is replaced.

    Args:
        path: the file, with a suffix in `WRITERS`.
        image: uint8 [height, width, 3], [height, width, 1] or [height, width].
        synced: bool. Wait for the disk. Without, a power failure can leave an empty file, and
            thousands of images take no longer for it.
        **options: as for `encode`.

    Raises:
        ValueError: unknown suffix, or not such an image.
    """
    data = encode(image, pathlib.Path(path).suffix, **options)
    with replacing(path, synced=synced) as file:
        file.write(data)


def encode(image, suffix=".png", *, alpha=None, **options):
    """Returns the bytes of an image file.

    Args:
        image: uint8 [height, width, 3], [height, width, 1] or [height, width].
        suffix: a key of `WRITERS`, in any case.
        alpha: uint8 [height, width]; where the format has none, it becomes white.
        **options: for Pillow's `save`, e.g. `quality=85`; they come before our own.

    Raises:
        ValueError: unknown suffix, or not such an image.
    """
    if suffix.lower() not in WRITERS:
        raise ValueError(
            f"Unknown image suffix. Expected one of {sorted(WRITERS)}. Received: {suffix!r}"
        )
    name, defaults = WRITERS[suffix.lower()]
    buffer, converted = io.BytesIO(), as_pillow(image)
    if alpha is not None:
        converted.putalpha(Image.fromarray(alpha))
        converted = converted if name in WITH_ALPHA else tones.on_white(converted)
    converted.save(buffer, name, **{**defaults, **options})
    return buffer.getvalue()


def to_float(image):
    """Returns uint8 pixels as float32 in [-1, 1]: image / 127.5 - 1."""
    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise ValueError(f"Expected uint8 pixels. Received: {image.dtype}")
    return image.astype(np.float32) / np.float32(127.5) - np.float32(1)


def to_uint8(image):
    """Returns floats as uint8: (image + 1) * 127.5, clipped, to the nearest; NaN is 0."""
    image = np.array(image, np.float32)  # one copy, then in place: images can be large
    np.nan_to_num(image, copy=False, nan=-1)
    np.clip(image, -1, 1, out=image)
    image += 1
    image *= np.float32(127.5)
    return np.rint(image, out=image).astype(np.uint8)


def orientation(image):
    """Returns the EXIF orientation, 1 (upright) to 8; 1 where there is none to be read."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except MemoryError:
        raise
    except Exception:  # broken metadata, whole pixels
        return 1


def as_pillow(image):
    """Returns a uint8 image as a `PIL.Image.Image`; a ValueError if it is none."""
    image = np.asarray(image)
    flat = image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image
    if image.dtype != np.uint8 or flat.ndim not in (2, 3) or flat.shape[2:] not in ((), (3,)):
        raise ValueError(
            "Expected a uint8 image [height, width, 3], [height, width, 1] or [height, width]. "
            f"Received: {image.dtype} {list(image.shape)}"
        )
    return Image.fromarray(np.ascontiguousarray(flat))
