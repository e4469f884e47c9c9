"""How an image of any size meets the networks, and how the result gets its size back.

Networks take sides that are multiples of 4. Scaling down is antialiased and up is bicubic, but
for `stretch`, which is the official program's: bilinear to a square without antialiasing.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from ugatit_tf.networks.generator import MULTIPLE, SMALLEST

CPU = "CPU:0"  # threads scale there: on a GPU they would wait for the networks' batches


@dataclasses.dataclass(frozen=True)
class Fit:
    """The way of one image there and back. All sizes are (height, width) in pixels.

    `apply` cuts `box` out of the image, scales it to `inner`, and reflects it at its border
    into `shape`; `undo` cuts off what was reflected and scales to `result`.
    """

    box: tuple  # (top, left, height, width)
    inner: tuple
    margins: tuple  # (above, left)
    shape: tuple  # what the networks see
    result: tuple
    official: bool  # scale as the official program does

    @property
    def scale(self) -> float:
        """The shorter side for the networks, divided by that of the image."""
        return min(self.inner) / min(self.box[2:])

    def apply(self, image):
        """float32 [height, width, channels] to float32 [*shape, channels]."""
        top, left, height, width = self.box
        image = image[top : top + height, left : left + width]
        if self.official:
            with tf.device(CPU):
                image = tf.image.resize(image, self.inner).numpy()
        else:
            image = scaled(image, self.inner)
        before = self.margins
        after = [whole - part - first for whole, part, first in zip(self.shape, self.inner, before)]
        return np.pad(image, [*zip(before, after), (0, 0)], "reflect")

    def shown(self, pixels):
        """What `undo` gives of an untouched image: uint8 to uint8 [*result, channels]."""
        top, left, height, width = self.box
        pixels = pixels[top : top + height, left : left + width]
        if self.result == (height, width):
            return pixels
        return np.uint8(np.rint(np.clip(scaled(np.float32(pixels), self.result), 0, 255)))

    def undo(self, image):
        """float32 [*shape, channels] to float32 [*result, channels]."""
        above, left = self.margins
        height, width = self.inner
        return scaled(image[above : above + height, left : left + width], self.result)


def fit(height, width, mode, *, size=0, max_side=0, restore=True) -> Fit:
    """How an image of this height and width is translated.

    Args:
        mode: "keep": the image's own shape, with a shorter side of `size` (0: its own) and a
            longer one of at most `max_side` (0: any). "stretch": scaled to a square of `size`,
            whatever its shape. "crop": the square in its middle. "pad": the longer side scaled
            to `size`, and reflected to a square.
        restore: bool. Whether the result is as large as what was translated was before.
    """
    box, margins = (0, 0, height, width), (0, 0)
    if mode == "keep":
        factor = size / min(height, width) if size else 1.0
        if max_side:
            factor = min(factor, max_side / max(height, width))
        inner = _times(height, width, factor)
        shape = tuple(max(SMALLEST, -(-side // MULTIPLE) * MULTIPLE) for side in inner)
    else:
        shape = inner = (size, size)
        if mode == "crop":
            side = min(height, width)
            box = ((height - side) // 2, (width - side) // 2, side, side)
        elif mode == "pad":
            inner = _times(height, width, size / max(height, width))
            margins = tuple((size - side) // 2 for side in inner)
    result = box[2:] if restore else inner
    return Fit(box, inner, margins, shape, result, official=mode == "stretch")


def scaled(image, size):
    """float32 [height, width, channels] to [*size, channels]."""
    if image.shape[:2] == tuple(size):
        return image
    with tf.device(CPU):
        return tf.image.resize(image, size, "bicubic", antialias=True).numpy()


def _times(height, width, factor):
    return max(1, round(height * factor)), max(1, round(width * factor))
