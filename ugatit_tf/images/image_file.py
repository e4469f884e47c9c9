"""Reads an image file of any format as people see it, and writes one.

The content decides the format, never the suffix, and only the decoders in `decoding.FORMATS` can
run. A file is read whole or refused: half an image is worse than none in a dataset.
"""

from __future__ import annotations

import contextlib
import io
import pathlib
from typing import Any

import numpy as np
from PIL import Image

from ugatit_tf import atomic
from ugatit_tf.images import srgb
from ugatit_tf.images.decoding import MAX_PIXELS, ImagePath, open_image, stored_size
from ugatit_tf.images.errors import UnreadableImage
from ugatit_tf.images.image_array import to_pillow

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


def read(path: ImagePath, *, channels: int = 3, shrink_to: int | None = None) -> np.ndarray:
    """Reads an image as people see it.

    It is turned upright (EXIF), converted to sRGB (embedded profile) and put on white where it
    is transparent. 16-bit and float grays are scaled, not clipped. Of an animation, this is the
    first frame.

    Args:
        path: the file, or a `RemoteImage`.
        channels: 3 for color or 1 for gray.
        shrink_to: int. A JPEG may come smaller, yet with at least this many pixels on both
            sides (if it had them). That is several times faster, for checks.

    Returns:
        uint8 [height, width, channels].

    Raises:
        UnreadableImage: missing, damaged, cut off, too large or not an image.
        ReadError: this computer could not read it.
    """
    pixels, _ = _decode(path, channels, shrink_to=shrink_to)
    return pixels


def read_with_alpha(
    path: ImagePath, *, channels: int = 3, max_pixels: int = MAX_PIXELS
) -> tuple[np.ndarray, np.ndarray | None]:
    """Reads an image and its transparency.

    Args:
        path, channels: as for `read`.
        max_pixels: an image with more is refused before it is decoded.

    Returns:
        (as `read`, alpha: uint8 [height, width], or None where all is opaque).
    """
    pixels, alpha = _decode(path, channels, max_pixels=max_pixels)
    return pixels, None if alpha is None or alpha.min() == 255 else alpha


def from_pillow(image: Image.Image, channels: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Converts a `PIL.Image.Image` as `read_with_alpha` does; returns opaque alpha too."""
    stored = srgb.stored(image)
    image.load()
    # After `load`: Pillow turns a TIFF itself there and forgets its orientation.
    turn = TURNS.get(_orientation(image))
    converted = srgb.convert(image, stored)
    converted = converted.transpose(turn) if turn is not None else converted
    alpha = np.array(converted.getchannel("A")) if "A" in converted.getbands() else None
    pixels = np.array(srgb.on_white(converted).convert("RGB" if channels == 3 else "L"))
    return pixels.reshape(*pixels.shape[:2], channels), alpha


def size(path: ImagePath) -> tuple[int, int]:
    """Returns (height, width) as `read` would give them, without decoding.

    Only a PNG that is not square is decoded: its orientation may be in its last bytes.
    Raises `UnreadableImage` as `read` does, but may not notice damage further on.
    """
    with open_image(path) as image:
        width, height = stored_size(image)
        is_sideways = width != height and _orientation(image) in SIDEWAYS
    return (width, height) if is_sideways else (height, width)


def is_animated(path: ImagePath) -> bool:
    """Whether an image is an animation, of which `read` gives the first frame."""
    with contextlib.suppress(UnreadableImage), open_image(path) as image:
        return image.format in ANIMATED and getattr(image, "is_animated", False)
    return False  # its first frame may be whole, or `read` names the fault


def write(path: ImagePath, image: np.ndarray, *, synced: bool = False, **options: Any) -> None:
    """Writes an image in the format of its suffix; creates the folder if necessary.

    The file appears whole or not at all; an older one of this name is replaced.

    Args:
        path: the file, with a suffix in `WRITERS`.
        image: uint8 [height, width, 3], [height, width, 1] or [height, width].
        synced: bool. Wait for the disk. Otherwise a power failure can leave an empty file, but
            thousands of images are written faster.
        **options: as for `encode`.

    Raises:
        ValueError: unknown suffix, or not such an image.
    """
    content = encode(image, pathlib.Path(path).suffix, **options)
    with atomic.replacing(path, synced=synced) as file:
        file.write(content)


def encode(
    image: np.ndarray, suffix: str = ".png", *, alpha: np.ndarray | None = None, **options: Any
) -> bytes:
    """Returns the bytes of an image file.

    Args:
        image: uint8 [height, width, 3], [height, width, 1] or [height, width].
        suffix: a key of `WRITERS`, in any case.
        alpha: uint8 [height, width]; where the format has none, transparency becomes white.
        **options: for Pillow's `save`, e.g. `quality=85`; they override our defaults.

    Raises:
        ValueError: unknown suffix, or not such an image.
    """
    if suffix.lower() not in WRITERS:
        raise ValueError(
            f"Unknown image suffix. Expected one of {sorted(WRITERS)}. Received: {suffix!r}"
        )
    name, defaults = WRITERS[suffix.lower()]
    buffer, converted = io.BytesIO(), to_pillow(image)
    if alpha is not None:
        converted.putalpha(Image.fromarray(alpha))
        converted = converted if name in WITH_ALPHA else srgb.on_white(converted)
    converted.save(buffer, name, **{**defaults, **options})
    return buffer.getvalue()


def _decode(path, channels, *, shrink_to=None, max_pixels=MAX_PIXELS):
    if channels not in (1, 3):
        raise ValueError(f"Expected `channels` to be 1 or 3. Received: {channels!r}")
    with open_image(path, max_pixels) as image:
        if shrink_to:
            image.draft(None, (shrink_to, shrink_to))
        return from_pillow(image, channels)


def _orientation(image):
    """The EXIF orientation, 1 (upright) to 8; 1 where none can be read."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except MemoryError:
        raise
    except Exception:  # broken metadata, whole pixels
        return 1
