"""From the bytes of an image file to the bytes of its translation; nothing touches the disk."""

from __future__ import annotations

import io
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from ugatit_tf.images.decoding import RemoteImage, check_size, open_image, stored_size
from ugatit_tf.images.errors import UnreadableImage

if TYPE_CHECKING:
    from ugatit_tf.translation.translator import Translator

NAME = "the upload"  # in messages
THINNEST = 64  # times as long as wide; TensorFlow cannot resize a line of millions of pixels
LONGEST = 8  # training sizes: a longer side is scaled down, so that no shape takes minutes


class TooLarge(Exception):  # noqa: N818
    """The image has too many pixels."""


class Translated(NamedTuple):
    """The translation of an image."""

    image: bytes  # a PNG file
    heatmap: bytes | None  # a gray PNG file of the same size, white where the generator looked most
    width: int
    height: int
    seconds: float


def as_image(content: bytes, max_pixels: int) -> RemoteImage:
    """Looks at the start of an image file, which is what most refusals take.

    Raises:
        UnreadableImage: it is no image, and why.
        TooLarge: it has more than `max_pixels`.
    """
    image = RemoteImage(NAME, lambda: content)
    try:
        with open_image(image, sys.maxsize) as opened:  # our own check tells the two errors apart
            width, height = stored_size(opened)
    except UnreadableImage as error:
        if isinstance(error.__cause__, Image.DecompressionBombError):
            most = f"{max_pixels:,}".replace(",", " ")
            raise TooLarge(f"far too many pixels; at most {most} are read") from None
        raise
    try:
        check_size(image, width, height, max_pixels)
    except UnreadableImage as error:
        raise TooLarge(error.reason) from None
    if max(width, height) > THINNEST * min(width, height):
        raise UnreadableImage(
            image, f"{width} x {height} pixels; at most {THINNEST} times as long as wide are read"
        )
    return image


def translate(
    translator: Translator, image: RemoteImage, direction: str, *, heatmap: bool
) -> Translated:
    """Decodes, translates and encodes one image.

    Raises:
        UnreadableImage: it is damaged.
        Failure: the result has NaN.
    """
    start = time.monotonic()
    max_side = LONGEST * translator.size if translator.known_fit() == "keep" else 0
    result = translator.translate(image, direction, heatmap, max_side=max_side)
    result, looked_at = result if heatmap else (result, None)
    return Translated(
        _png(result),
        None if looked_at is None else _png(Image.fromarray(_as_gray(looked_at))),
        *result.size,
        time.monotonic() - start,
    )


def warm_up(translator: Translator) -> None:
    """Traces and compiles the networks, so that the first request does not wait for it."""
    image = np.zeros([translator.size, translator.size, translator.channels], np.uint8)
    for direction in translator.directions:
        translator.translate(image, direction, translator.has_heatmap)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(
        buffer, "PNG", compress_level=1
    )  # a fifth longer than with 6, in a fifth of the time
    return buffer.getvalue()


def _as_gray(heatmap):
    return np.rint(heatmap * 255).astype(np.uint8)
