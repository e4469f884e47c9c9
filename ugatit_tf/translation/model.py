"""A trained model as an object that translates images of any size and kind."""

from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from ugatit_tf.networks.shapes import refuse_not_finite
from ugatit_tf.translation import devices, tiles
from ugatit_tf.translation.fit import CPU, MULTIPLE, SMALLEST, fit, scaled
from ugatit_tf.translation.inputs import as_floats
from ugatit_tf.translation.options import FITS, NATIVE

TILE_PIXELS = 2_000_000
LARGER = 1.25  # times the training size: what is larger is scaled down to it
BATCH = 4  # images in one call of the networks; on two cores 15% faster than one by one


class Heatmaps(NamedTuple):
    """Where the networks looked; all float32 [height, width] or None, not scaled."""

    generator: Optional[np.ndarray]
    local: Optional[np.ndarray] = None  # the discriminators of the target domain
    global_: Optional[np.ndarray] = None


class Model:
    """Translates images of any size.

    Attributes:
        directions: the directions that it knows, of "a2b" and "b2a".
        size: int. Side of the images it was trained with.
        channels: int. 1 for grey, 3 for RGB.
        any_size: bool. Whether it takes any size (the light model), or only its own.
        attention: bool. Whether there are heatmaps.
        source: where it came from.

    Args:
        networks: dict direction -> function of images to their `Translation`, or `Copies` of it.
        judges: dict direction -> the discriminator of its results.
    """

    def __init__(self, networks, *, size, channels, any_size, source, attention=True, judges=None):
        self._copies = devices.copies_of(networks)
        self._judges = judges or {}
        self.directions = tuple(self._copies.first)
        self.size = size
        self.channels = channels
        self.any_size = any_size
        self.attention = attention
        self.source = source

    def translate(self, images, *, direction=None, heatmap=False, mode="auto", size=0):
        """Translates one image or several.

        Args:
            images: the path of an image or a `PIL.Image.Image`, which are turned upright and
                converted to sRGB; an array [height, width], [height, width, 1 or 3] or
                [batch, height, width, 1 or 3]; or a list of these. Arrays are uint8, or float in
                [-1, 1]; floats in [0, 1] would be taken for pale images: give 2 * images - 1.
                Grey becomes RGB for a model of RGB, and the reverse.
            direction: "a2b" or "b2a"; None is the only one, or "a2b".
            heatmap: bool. Return (images, heatmaps): float32 [height, width] in [0, 1] for each,
                1 where the generator looked most.
            mode, size: as in `fit_of`.

        Returns:
            The same kind as `images`, as large as these were; with "crop" as the square was. Of a
            path a `PIL.Image.Image`. The channels are the model's.

        Raises:
            ValueError: not such images, or the model does not know the direction or the size,
                or has no attention.
            Failure: the generator gives NaN.
        """
        if isinstance(images, (list, tuple)):
            options = {"direction": direction, "heatmap": heatmap, "mode": mode, "size": size}
            found = [self.translate(image, **options) for image in images]
            return tuple(map(list, zip(*found))) or ([], []) if heatmap else found
        self.check(direction, mode, size, heatmap)
        arrays, is_batch, like = as_floats(images, self.channels)
        how, found = self.fit_of(arrays[0].shape, mode, size), []
        for start in range(0, len(arrays), BATCH):
            x = np.stack([how.apply(array) for array in arrays[start : start + BATCH]])
            found += [finished(how, *output) for output in self.outputs(x, direction)]
        out = like([image for image, _ in found])
        if not heatmap:
            return out
        heat = [_unit(looked.generator) for _, looked in found]
        return out, np.stack(heat) if is_batch else heat[0]

    def check(self, direction=None, mode="auto", size=0, heatmap=False):
        """Raises ValueError if the model does not know the direction, or not such a size."""
        if mode not in FITS or not _is_size(size, mode):
            raise ValueError(
                f"Expected a mode of {', '.join(FITS)}, and a size of 0 or a multiple of "
                f"{MULTIPLE} from {SMALLEST} on, or {NATIVE!r} with keep. "
                f"Received: {mode!r}, {size!r}"
            )
        if direction not in (None, *self.directions):
            raise ValueError(
                f"{self.source} translates {' and '.join(self.directions)} only. "
                f"Received: {direction!r}"
            )
        if not self.any_size and (mode == "keep" or size not in (0, self.size)):
            raise ValueError(
                f"The full model takes {self.size} x {self.size} pixels only, because its first "
                f"dense layer has a weight for each. Use the fit stretch, crop or pad without "
                f"another size, or train with --light True."
            )

        if heatmap and not self.attention:
            raise ValueError(
                f"{self.source} has no attention to show: it was trained with "
                f"--generator_cam False."
            )

    def known(self, direction):
        """`direction`, or for None what that means: the only one, or "a2b"."""
        return direction or ("a2b" if "a2b" in self.directions else self.directions[0])

    def fit_of(self, shape, mode="auto", size=0, **options):
        """The `Fit` of an image of this shape, [height, width, ...].

        Args:
            mode: as in `fit.fit`; "auto" is "keep", or "stretch" for a model of one size.
            size: the side in pixels that the networks work with, of "keep" the shorter one. 0 is
                the training size; "keep" scales only what is more than `LARGER` times as large,
                and only down, since networks draw best at the scale they were trained with.
                "native" is, with "keep", the image's own.
            **options: of `fit.fit`.
        """
        if mode == "auto":
            mode = "keep" if self.any_size else "stretch"
        if size == NATIVE:
            size = 0
        elif mode != "keep" or min(shape[:2]) > LARGER * self.size:
            size = size or self.size
        return fit(*shape[:2], mode, size=size, **options)

    def outputs(self, x, direction=None, *, judged=False, tile_pixels=TILE_PIXELS) -> list:
        """What the networks make of images of one size.

        Args:
            x: float32 [batch, height, width, channels] in [-1, 1], as `Fit.apply` makes them.
            judged: bool. Whether the discriminators look at the results too.
            tile_pixels: int. Larger images are done in tiles of at most so many pixels.

        Returns:
            List of (float32 [height, width, channels], `Heatmaps` [height, width]).

        Raises:
            Failure: the generator gives NaN.
        """
        size = x.shape[1:3]
        if size[0] * size[1] > tile_pixels:
            side = tiles.side_of(tile_pixels)
            found = [
                tiles.in_tiles(lambda tile: self._translated(tile, direction), image, side)
                for image in x
            ]
            images, heat = zip(*found)
        else:
            images, heat = self._translated(x, direction)
        for image in images:
            refuse_not_finite(image, f"{self.source}: the generator {self.known(direction)}")
        seen = self._judged(images, direction) if judged else [[None] * len(x)] * 2
        return list(zip(images, map(Heatmaps, heat, *seen)))

    def _translated(self, x, direction):
        """Arrays of one height and width: images and heatmaps, [batch, height, width, ...]."""

        def run(networks):
            out = networks[self.known(direction)](tf.constant(x))
            return out.image.numpy(), out.heatmap.numpy() if self.attention else None

        images, heat = self._copies.use(run)
        return images, [None] * len(x) if heat is None else _as_large(heat, x.shape[1:3])

    @property
    def num_devices(self) -> int:
        """How many calls of `outputs`, from as many threads, can run at the same time."""
        return self._copies.count

    @property
    def judges(self) -> bool:
        """Whether discriminators with attention are there too."""
        return bool(self._judges)

    def _judged(self, images, direction):
        """Heatmaps of both discriminators, which see what they saw in training: that size."""
        judge = self._judges[self.known(direction)]
        seen = np.stack([scaled(image, (self.size, self.size)) for image in images])
        local, deep = judge(tf.constant(seen))
        return [_as_large(part.heatmap.numpy(), images.shape[1:3]) for part in (local, deep)]


def finished(how, image, looked):
    """(result, `Heatmaps`) of one image with the size that `how` gives it; without batch."""
    heat = [None if part is None else how.undo(part[..., None])[..., 0] for part in looked]
    return np.clip(how.undo(image), -1, 1), Heatmaps(*heat)


def _is_size(size, mode):
    if size == NATIVE:
        return mode in ("auto", "keep")
    return not isinstance(size, str) and size % MULTIPLE == 0 and (size == 0 or size >= SMALLEST)


def _as_large(heatmaps, size):
    """float32 [batch, h, w] to [batch, *size]."""
    with tf.device(CPU):
        return tf.image.resize(heatmaps[..., None], size).numpy()[..., 0]


def _unit(heatmap):
    low, high = heatmap.min(), heatmap.max()
    return (heatmap - low) / (high - low) if high > low else np.zeros_like(heatmap)
