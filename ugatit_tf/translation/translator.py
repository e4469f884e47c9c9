"""A trained model that translates images of any size: the one place where generators run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Callable

import numpy as np

from ugatit_tf.translation.fit import MULTIPLE, SMALLEST, Fit, make_fit
from ugatit_tf.translation.generators import Generators, Result
from ugatit_tf.translation.inputs import as_floats
from ugatit_tf.translation.options import FITS, NATIVE, SMALLEST_SIDE, SMALLEST_TILE
from ugatit_tf.translation.streaming import Input, stream

TILE_PIXELS = 2_000_000
LARGER = 1.25  # times the training size: larger images are scaled down to it


class Translator:
    """Translates images of any size.

    Args:
        generators: `Generators`.
        size: int. Side of the training images in pixels.
        channels: int. 1 for grey images, 3 for RGB.
        any_size: bool. Whether the networks take any size, or only that of the training images.
        has_heatmap: bool. Whether the generators give heatmaps.
        antialias: bool. How the fit "stretch" and the test phase resize; see `pipeline.as_square`.
    """

    def __init__(
        self,
        generators: Generators,
        *,
        size: int,
        channels: int,
        any_size: bool,
        has_heatmap: bool = True,
        antialias: bool = False,
    ) -> None:
        self.generators = generators
        self.size = size
        self.channels = channels
        self.any_size = any_size
        self.has_heatmap = has_heatmap
        self.antialias = antialias

    @property
    def source(self) -> str:
        """Where the model is from: the path of a checkpoint, an export or a generator file."""
        return self.generators.source

    @property
    def directions(self) -> tuple:
        """The directions that the model knows, of "a2b" and "b2a"."""
        return tuple(self.generators.networks)

    @property
    def has_discriminators(self) -> bool:
        """Whether there are discriminators, with heatmaps, too."""
        return bool(self.generators.discriminators)

    def translate(
        self,
        images: Any,
        direction: str | None = None,
        heatmap: bool = False,
        fit: str = "auto",
        size: int | str = 0,
        *,
        max_side: int = 0,
        tile_pixels: int = TILE_PIXELS,
    ) -> Any:
        """Translates one image or several.

        Args:
            images: the path of an image or a `PIL.Image.Image`, which are turned upright and
                converted to sRGB; an array [height, width], [height, width, 1 or 3] or
                [batch, height, width, 1 or 3], uint8 or float in [-1, 1] (for floats in [0, 1]
                give 2 * images - 1); or a list of these. Grey becomes RGB, and the reverse, as
                the model needs.
            direction: "a2b" or "b2a". None: the only one that the model has, or "a2b".
            heatmap: bool. Whether to return heatmaps too.
            fit: "keep" keeps the shape of images; "stretch", "crop" and "pad" make squares.
                "auto": "keep" if the model takes any size, else "stretch".
            size: int, a multiple of 4. The side in pixels that the networks work with, with "keep"
                the shorter one. 0: see `fit_of`. "native", with "keep": the image's own size.
            max_side: int. With "keep", images with a longer side are scaled down to it. 0: never.
            tile_pixels: int. With "keep", images with more pixels are translated in tiles.

        Returns:
            What `images` is (a `PIL.Image.Image` for a path), in the same size; with "crop" in the
            size of the square. With `heatmap` the pair (images, heatmaps): each heatmap is
            float32 [height, width] in [0, 1], 1 where the generator looked most.

        Raises:
            ValueError: `images` are no images, or the model cannot translate them so.
            Failure: the result has NaN.
        """
        options = (direction, heatmap, fit, size, max_side, tile_pixels)
        if isinstance(images, (list, tuple)):
            pairs = [self._translate(image, *options) for image in images]
            results, heatmaps = ([pair[i] for pair in pairs] for i in range(2))
        else:
            results, heatmaps = self._translate(images, *options)
        return (results, heatmaps) if heatmap else results

    def _translate(self, images, direction, heatmap, fit, size, max_side, tile_pixels):
        """(results, heatmaps or None) of one image or one batch."""
        self.check(direction, fit, size, heatmap, max_side=max_side, tile_pixels=tile_pixels)
        arrays, is_batch, like_input = as_floats(images, self.channels)
        chosen = self.fit_of(arrays[0].shape, fit, size, max_side=max_side)
        results = self.stream(
            arrays,
            load=lambda array: Input(array, chosen),
            finish=lambda _, result: result,
            direction=direction,
            heatmap=heatmap,
            tile_pixels=tile_pixels if chosen.name == "keep" else 0,
        )
        images, heatmaps, _ = zip(*results)
        if not heatmap:
            return like_input(images), None
        heatmaps = [_unit_range(heatmap.generator) for heatmap in heatmaps]
        return like_input(images), np.stack(heatmaps) if is_batch else heatmaps[0]

    def stream(
        self,
        items: Iterable,
        load: Callable[[Any], Input],
        finish: Callable[[Any, Result], Any],
        *,
        direction: str | None = None,
        heatmap: bool = False,
        discriminator_heatmaps: bool = False,
        reconstruct: bool = False,
        tile_pixels: int = 0,
        on_error: Callable[[Any, Exception], Any] | None = None,
    ) -> Iterator:
        """Translates any number of images, in batches, on all devices.

        While the networks work on a batch, threads load the next images and finish the last ones.
        Only a few images are in memory at any time.

        Args:
            items: what `load` takes, e.g. paths.
            load: function of an item to its `Input`. Called in threads.
            finish: function of (`Input.details`, `Result`) to what is yielded. Called in threads.
            direction: as in `translate`.
            heatmap: bool. Whether results have the generator's heatmap, if it gives one.
            discriminator_heatmaps: bool. Whether they have those of the discriminators, if any.
            reconstruct: bool. Whether results are translated back.
            tile_pixels: int. Images with more are translated in tiles of so many. 0: never.
            on_error: function of (item, error) to what is yielded for an item that could not be
                loaded or finished, whose result has NaN, or for which memory was missing. It may
                raise the error. None: the first error is raised.

        Yields:
            What `finish` or `on_error` returns, in the order of the items.

        Raises:
            Failure: the result has NaN, or XLA cannot compile the networks.
        """
        return stream(
            self.generators,
            items,
            load,
            finish,
            direction=self.known_direction(direction),
            on_error=on_error,
            heatmap=heatmap and self.has_heatmap,
            discriminator_heatmaps=discriminator_heatmaps and self.has_discriminators,
            reconstruct=reconstruct,
            tile_pixels=tile_pixels,
        )

    def check(
        self,
        direction: str | None = None,
        fit: str = "auto",
        size: int | str = 0,
        heatmap: bool = False,
        *,
        max_side: int = 0,
        tile_pixels: int = TILE_PIXELS,
    ) -> None:
        """Raises ValueError if the model cannot translate so; the arguments are `translate`'s."""
        if fit not in FITS or not _is_size(size, fit):
            raise ValueError(
                f"Expected a fit of {', '.join(FITS)}, and a size of 0 or a multiple of "
                f"{MULTIPLE} from {SMALLEST} on, or {NATIVE!r} with keep. "
                f"Received: {fit!r}, {size!r}"
            )
        if max_side and (max_side < SMALLEST_SIDE or self.known_fit(fit) != "keep"):
            raise ValueError(
                f"Expected a max_side of 0, or at least {SMALLEST_SIDE} pixels with the fit keep. "
                f"Received: {max_side!r}, {fit!r}"
            )
        if tile_pixels < SMALLEST_TILE**2:
            raise ValueError(
                f"Expected tile_pixels of at least {SMALLEST_TILE**2}. Received: {tile_pixels!r}"
            )
        if direction not in (None, *self.directions):
            raise ValueError(
                f"{self.source} translates {' and '.join(self.directions)} only. "
                f"Received: {direction!r}"
            )
        if not self.any_size and (fit == "keep" or size not in (0, self.size)):
            raise ValueError(
                f"The full model takes {self.size} x {self.size} pixels only, because its first "
                f"dense layer has a weight for each. Use the fit stretch, crop or pad without "
                f"another size, or train with --light True."
            )
        if heatmap and not self.has_heatmap:
            raise ValueError(
                f"{self.source} gives no heatmaps: it was trained with --generator_cam False."
            )

    def known_direction(self, direction: str | None = None) -> str:
        """`direction`; for None the only one that the model has, or "a2b"."""
        return direction or min(self.directions)

    def known_fit(self, fit: str = "auto") -> str:
        """`fit`; for "auto" what that means for this model."""
        if fit != "auto":
            return fit
        return "keep" if self.any_size else "stretch"

    def fit_of(
        self,
        shape: tuple,
        fit: str = "auto",
        size: int | str = 0,
        *,
        max_side: int = 0,
        restore: bool = True,
    ) -> Fit:
        """The `Fit` of an image of this shape, [height, width, ...].

        Args:
            fit, max_side: as in `translate`.
            size: as in `translate`. 0 is the training size; with "keep" only images that are more
                than `LARGER` times as large are scaled to it, and only down, since networks draw
                best at the scale they were trained with.
            restore: bool. Whether the result has the size of the image.
        """
        fit = self.known_fit(fit)
        if size == NATIVE:
            size = 0
        elif fit != "keep" or min(shape[:2]) > LARGER * self.size:
            size = size or self.size
        options = {"size": size, "max_side": max_side, "restore": restore}
        return make_fit(*shape[:2], fit, **options, antialias=self.antialias)


def _is_size(size, fit) -> bool:
    if size == NATIVE:
        return fit in ("auto", "keep")
    return not isinstance(size, str) and size % MULTIPLE == 0 and (size == 0 or size >= SMALLEST)


def _unit_range(heatmap):
    low, high = heatmap.min(), heatmap.max()
    return (heatmap - low) / (high - low) if high > low else np.zeros_like(heatmap)
