"""One image or frame of the translate phase: what the networks get of it, and what is written."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from ugatit_tf.errors import Failure
from ugatit_tf.images import image_array, panels
from ugatit_tf.translation import face
from ugatit_tf.translation.fit import Fit
from ugatit_tf.translation.generators import Heatmaps, Result
from ugatit_tf.translation.options import TranslateOptions
from ugatit_tf.translation.paths import Job
from ugatit_tf.translation.streaming import Input
from ugatit_tf.translation.translator import Translator


@dataclasses.dataclass(frozen=True)
class SourceImage:
    """An image that is translated, whole or its face alone.

    Attributes:
        pixels: uint8 [height, width, channels].
        fit: the `Fit` of what is translated.
        region: (top, left, side) of the face; None translates the whole image.
        job: where results go; None for a frame.
        alpha: uint8 [height, width], or None where all is opaque.
        is_animated: bool. Whether this is the first frame of a moving image.
    """

    pixels: np.ndarray
    fit: Fit
    region: tuple | None = None
    job: Job | None = None
    alpha: np.ndarray | None = None
    is_animated: bool = False

    @property
    def num_pixels(self) -> int:
        """Of what the networks take."""
        return math.prod(self.fit.shape)


def prepare(
    translator: Translator,
    request: TranslateOptions,
    pixels: np.ndarray,
    region: tuple | None = None,
    **attributes,
) -> Input:
    """Returns the `Input` of an image, or of its `region`, with its `SourceImage` as details.

    Args:
        attributes: others of `SourceImage`.

    Raises:
        Failure: it would have more pixels than `--max_pixels` allows.
    """
    if region:
        image = face.cut(pixels, region)
        fit = translator.fit_of(image.shape, "stretch", request.size)
    else:
        image = pixels
        max_side = request.max_side if translator.known_fit(request.fit) == "keep" else 0
        fit = translator.fit_of(
            image.shape,
            request.fit,
            request.size,
            max_side=max_side,
            restore=request.restore_size,
        )
    source = SourceImage(pixels, fit, region, **attributes)
    if source.num_pixels > request.max_pixels:
        height, width = fit.shape
        raise Failure(
            f"it would be scaled to {width} x {height} pixels; --max_pixels is "
            f"{request.max_pixels}. Use a smaller --size, or a larger --max_pixels."
        )
    return Input(image_array.to_float(image), fit, source)


def tile_pixels(translator: Translator, request: TranslateOptions) -> int:
    """Images with more pixels are translated in tiles; 0 is never, as for squares."""
    return request.tile_pixels if translator.known_fit(request.fit) == "keep" else 0


def compose(source: SourceImage, result: Result) -> tuple[np.ndarray, np.ndarray, Heatmaps]:
    """(input, output: uint8 images of one size; `Heatmaps` of that size)."""
    output, heatmaps = image_array.to_uint8(result.image), result.heatmaps
    if source.region is None:
        return source.fit.untouched(source.pixels), output, heatmaps
    size = source.pixels.shape[:2]
    placed = (h if h is None else face.place_heatmap(h, source.region, *size) for h in heatmaps)
    return source.pixels, face.paste(source.pixels, output, source.region), Heatmaps(*placed)


def heatmap_images(
    kind: str, source: np.ndarray, output: np.ndarray, heatmaps: Heatmaps
) -> dict[str, np.ndarray]:
    """name -> what is written of heatmaps: uint8 images, or float32 [height, width].

    Args:
        kind: the option --heatmap: "overlay", "side", "raw" or "npy".
        source, output: uint8 images of one size.
    """
    values = dict(zip(("attention", "local", "global"), heatmaps))
    values = {name: heatmap for name, heatmap in values.items() if heatmap is not None}
    if kind in ("raw", "npy"):
        return values
    overlays = {
        name: panels.overlay(source if name == "attention" else output, heatmap)
        for name, heatmap in values.items()
    }
    if kind == "side":
        colours = (np.broadcast_to(image, (*image.shape[:2], 3)) for image in (source, output))
        return {"side": np.concatenate([*colours, *overlays.values()], 1)}
    return overlays
