"""Resizes images of any size for the networks, and results back.

Networks take sides that are multiples of 4. Resizing is bicubic, and antialiased where it makes
images smaller. Only `stretch` resizes as the official programs do: bilinearly to a square.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from ugatit_tf.images import image_array
from ugatit_tf.sizes import MULTIPLE, SMALLEST

CPU = "CPU:0"  # threads scale there: on a GPU they would wait for the networks' batches


@dataclasses.dataclass(frozen=True)
class Fit:
    """How one image is made to fit the networks. All sizes are (height, width) in pixels.

    `apply` cuts `box` out of the image, resizes it to `inner`, and reflects it at its border into
    `shape`. `undo` cuts off what was reflected and resizes to `result`.

    Attributes:
        name: "keep", "stretch", "crop" or "pad", as in `make_fit`.
        box: (top, left, height, width) of the part of the image that is translated.
        inner: the size to which it is resized.
        margins: (above, left), pixels that are reflected.
        shape: the size that the networks take.
        result: the size of the result.
        antialias: whether "stretch" resizes as the PyTorch program does; see `pipeline.as_square`.
    """

    name: str
    box: tuple
    inner: tuple
    margins: tuple
    shape: tuple
    result: tuple
    antialias: bool = False

    @property
    def scale(self) -> float:
        """The shorter side for the networks, divided by that of the image."""
        return min(self.inner) / min(self.box[2:])

    def apply(self, image: np.ndarray) -> np.ndarray:
        """float32 [height, width, channels] to float32 [*shape, channels]."""
        image = self._cut(image)
        if self.name == "stretch" and self.antialias:
            pixels = image_array.resized_by_pillow(image_array.to_uint8(image), self.inner[0])
            image = image_array.to_float(pixels)
        elif self.name == "stretch":
            with tf.device(CPU):
                image = tf.image.resize(image, self.inner).numpy()
        else:
            image = resize(image, self.inner)
        pads = [
            (before, whole - length - before)
            for before, whole, length in zip(self.margins, self.shape, self.inner)
        ]
        return np.pad(image, [*pads, (0, 0)], "reflect")

    def undo(self, image: np.ndarray) -> np.ndarray:
        """float32 [*shape, channels] to float32 [*result, channels]."""
        top, left = self.margins
        height, width = self.inner
        return resize(image[top : top + height, left : left + width], self.result)

    def untouched(self, pixels: np.ndarray) -> np.ndarray:
        """A source as large as its result: uint8 [height, width, ...] to uint8 [*result, ...]."""
        pixels = self._cut(pixels)
        if self.result == pixels.shape[:2]:
            return pixels
        return np.uint8(np.rint(np.clip(resize(np.float32(pixels), self.result), 0, 255)))

    def _cut(self, image):
        top, left, height, width = self.box
        return image[top : top + height, left : left + width]


def make_fit(
    height: int,
    width: int,
    fit: str,
    *,
    size: int = 0,
    max_side: int = 0,
    restore: bool = True,
    antialias: bool = False,
) -> Fit:
    """Returns how an image of this height and width is made to fit the networks.

    Args:
        fit: "keep": the image keeps its shape, with a shorter side of `size` (0: its own) and a
            longer one of at most `max_side` (0: any). "stretch": resized to a square of `size`,
            whatever its shape. "crop": the square in its middle. "pad": the longer side resized
            to `size`, and the shorter one reflected to it.
        restore: bool. Whether the result has the size of what was translated.
        antialias: as in `Fit`.
    """
    box, margins = (0, 0, height, width), (0, 0)
    if fit == "keep":
        factor = size / min(height, width) if size else 1.0
        if max_side:
            factor = min(factor, max_side / max(height, width))
        inner = _times(height, width, factor)
        shape = tuple(max(SMALLEST, -(-side // MULTIPLE) * MULTIPLE) for side in inner)
    else:
        shape = inner = (size, size)
        if fit == "crop":
            side = min(height, width)
            box = ((height - side) // 2, (width - side) // 2, side, side)
        elif fit == "pad":
            inner = _times(height, width, size / max(height, width))
            margins = tuple((size - side) // 2 for side in inner)
    return Fit(fit, box, inner, margins, shape, box[2:] if restore else inner, antialias)


def resize(image: np.ndarray, size: tuple) -> np.ndarray:
    """float32 [height, width, channels] to [*size, channels]."""
    if image.shape[:2] == tuple(size):
        return image
    with tf.device(CPU):
        return tf.image.resize(image, size, "bicubic", antialias=True).numpy()


def _times(height, width, factor):
    return max(1, round(height * factor)), max(1, round(width * factor))
