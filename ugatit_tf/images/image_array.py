"""Images as arrays: uint8 and [-1, 1], and to Pillow's images."""

from __future__ import annotations

import numpy as np
from PIL import Image


def to_float(image: np.ndarray) -> np.ndarray:
    """Returns uint8 pixels as float32 in [-1, 1]: image / 127.5 - 1."""
    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise ValueError(f"Expected uint8 pixels. Received: {image.dtype}")
    return image.astype(np.float32) / np.float32(127.5) - np.float32(1)


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Returns floats in [-1, 1] as uint8: (image + 1) * 127.5, clipped and rounded; NaN is 0."""
    image = np.array(image, np.float32)  # one copy, then in place: images can be large
    np.nan_to_num(image, copy=False, nan=-1)
    np.clip(image, -1, 1, out=image)
    image += 1
    image *= np.float32(127.5)
    return np.rint(image, out=image).astype(np.uint8)


def resized_by_pillow(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 [height, width, channels] to [size, size, channels]: bilinear, antialiased.

    As torchvision does it, whose results are rounded to 8 bits.
    """
    square = to_pillow(image).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(square).reshape([size, size, image.shape[-1]])


def to_pillow(image: np.ndarray) -> Image.Image:
    """Returns a uint8 image as a `PIL.Image.Image`.

    Args:
        image: uint8 [height, width, 3], [height, width, 1] or [height, width].

    Raises:
        ValueError: `image` has another type or shape.
    """
    image = np.asarray(image)
    flat = image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image
    if image.dtype != np.uint8 or flat.ndim not in (2, 3) or flat.shape[2:] not in ((), (3,)):
        raise ValueError(
            "Expected a uint8 image [height, width, 3], [height, width, 1] or [height, width]. "
            f"Received: {image.dtype} {list(image.shape)}"
        )
    return Image.fromarray(np.ascontiguousarray(flat))
