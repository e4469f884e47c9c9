"""Paths, Pillow images and arrays as arrays for the networks, and results as the same kind."""

from __future__ import annotations

import os
from typing import Any, Callable

import numpy as np
from PIL import Image

from ugatit_tf.images import image_array, image_file

TOLERANCE = 1e-3  # for the rounding of floats that should lie between -1 and 1
LUMA = np.float32([0.299, 0.587, 0.114])  # as Pillow converts to L


def as_floats(images: Any, channels: int) -> tuple[list, bool, Callable[[list], Any]]:
    """Reads the images of `Translator.translate`.

    Args:
        images: a path, a `PIL.Image.Image`, or an array; not a list of these.
        channels: int. The model's: 1 for grey, 3 for RGB.

    Returns:
        (list of float32 [height, width, channels] in [-1, 1], whether `images` is a batch,
        function that turns such a list of results into what `images` is).

    Raises:
        ValueError: `images` are no such images.
    """
    if isinstance(images, (str, os.PathLike)):
        return _of_image(*image_file.read_with_alpha(images, channels=channels))
    if isinstance(images, Image.Image):
        return _of_image(*image_file.from_pillow(images, channels))
    return _of_array(np.asarray(images), channels)


def grey(pixels: np.ndarray) -> np.ndarray:
    """uint8 [..., 3] to [..., 1]."""
    return np.rint(np.float32(pixels) @ LUMA).astype(np.uint8)[..., None]


def _of_image(pixels, alpha):
    def like_input(results):
        result = image_array.to_pillow(image_array.to_uint8(results[0]))
        is_transparent = alpha is not None and alpha.min() < 255
        if is_transparent and alpha.shape == result.size[::-1]:
            result.putalpha(Image.fromarray(alpha))
        return result

    return [image_array.to_float(pixels)], False, like_input


def _of_array(images, channels):
    _check(images)
    is_float, is_flat, is_batch = images.dtype != np.uint8, images.ndim == 2, images.ndim == 4
    batch = images[..., None] if is_flat else images
    batch = batch if is_batch else batch[None]
    if channels == 3:
        batch = np.broadcast_to(batch, (*batch.shape[:3], 3))
    elif batch.shape[-1] == 3:
        batch = (batch @ LUMA)[..., None] if is_float else grey(batch)

    def like_input(results):
        out = np.stack(results)
        out = out.astype(images.dtype) if is_float else image_array.to_uint8(out)
        out = out[..., 0] if is_flat and channels == 1 else out
        return out if is_batch else out[0]

    return (
        list(np.float32(batch) if is_float else image_array.to_float(batch)),
        is_batch,
        like_input,
    )


def _check(images):
    is_float = np.issubdtype(images.dtype, np.floating)
    colours = images.shape[-1] if images.ndim > 2 else 1
    has_type = is_float or images.dtype == np.uint8
    if images.ndim not in (2, 3, 4) or colours not in (1, 3) or not has_type:
        raise ValueError(
            f"Expected an image [height, width, 3], [height, width, 1] or [height, width], or a "
            f"batch [batch, height, width, 3 or 1], as uint8 or as floats in [-1, 1]. "
            f"Received: {images.dtype} {list(images.shape)}"
        )
    if not images.size:
        raise ValueError(f"Expected images that are not empty. Received: {list(images.shape)}")
    if is_float and not np.abs(images).max() <= 1 + TOLERANCE:  # "not" also refuses NaN
        raise ValueError(
            f"Expected floats between -1 and 1. Received: {images.min():g} to {images.max():g}. "
            f"For floats from 0 to 255 give images / 127.5 - 1, or images.astype('uint8')."
        )
