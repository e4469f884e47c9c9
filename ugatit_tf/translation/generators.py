"""The generators of a model, compiled, on all devices: everything that a batch needs to know."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ugatit_tf.config import Config
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.networks import xla as compiler
from ugatit_tf.translation import devices, tiles
from ugatit_tf.translation.fit import resize


class Heatmaps(NamedTuple):
    """Where the networks looked; each float32 [height, width] of any range, or None."""

    generator: np.ndarray | None = None
    local: np.ndarray | None = None  # the discriminators of the target domain
    global_: np.ndarray | None = None


class Result(NamedTuple):
    """What the networks make of one image, without a batch."""

    image: np.ndarray  # float32 [height, width, channels] in [-1, 1]
    heatmaps: Heatmaps = Heatmaps()
    reconstruction: np.ndarray | None = None  # the result, translated back


def compiled(generators: dict, config: Config, any_size: bool) -> dict:
    """direction -> its generator as one graph for batches of any length, compiled with `--xla`.

    Args:
        any_size: bool. Whether the graph takes images of any size, or of the training size alone.
    """
    side = None if any_size else config.img_size
    images = tf.TensorSpec([None, side, side, config.img_ch])
    options = {"input_signature": [images], "jit_compile": config.xla or None, "autograph": False}
    return {name: tf.function(network, **options) for name, network in generators.items()}


class Generators:
    """The generators of a model, and the discriminators whose heatmaps can be shown.

    Args:
        networks: dict direction -> function of float32 [batch, height, width, channels] to an
            object with `image` and `heatmap`; or `Copies` of such a dict on several devices.
        source: str. What messages call the model, usually its path.
        discriminators: dict direction -> the discriminator of its results; empty without heatmaps.
        size: int. Side in pixels of the images that the discriminators take.
        xla: bool. Whether the networks are compiled with XLA.
    """

    def __init__(
        self,
        networks: dict | devices.Copies,
        source: str,
        *,
        discriminators: dict | None = None,
        size: int = 0,
        xla: bool = False,
    ) -> None:
        self.copies = devices.copies_of(networks)
        self.source = source
        self.discriminators = discriminators or {}
        self.size = size
        self.xla = xla
        self._compiled = {}  # (height, width) -> the largest batch that XLA has compiled for

    @property
    def networks(self) -> dict:
        """direction -> its network, on the first device."""
        return self.copies.first

    def run(
        self,
        x: np.ndarray,
        direction: str,
        *,
        heatmap: bool = False,
        discriminator_heatmaps: bool = False,
        reconstruct: bool = False,
        tile_pixels: int = 0,
    ) -> list:
        """What the networks make of a batch of images.

        Args:
            x: float32 [batch, height, width, channels] in [-1, 1].
            heatmap, discriminator_heatmaps, reconstruct, tile_pixels: as in `Translator.stream`.

        Returns:
            A `Result` for each image. Heatmaps are as small as the networks compute them, but
            those of tiles are as large as the image.

        Raises:
            Failure: XLA cannot compile the networks.
        """

        def translate(x):
            return self._translated(x, direction, heatmap=heatmap, reconstruct=reconstruct)

        if tile_pixels and math.prod(x.shape[1:3]) > tile_pixels:
            side = tiles.side_of(tile_pixels)
            blended = [tiles.in_tiles(translate, image, side) for image in x]
            arrays = {name: np.stack([one[name] for one in blended]) for name in blended[0]}
        else:
            arrays = translate(x)
        if discriminator_heatmaps:
            arrays.update(self._discriminator_heatmaps(arrays["image"], direction))
        heatmaps = (arrays.get(name, [None] * len(x)) for name in Heatmaps._fields)
        reconstructions = arrays.get("reconstruction", [None] * len(x))
        return list(map(Result, arrays["image"], map(Heatmaps, *heatmaps), reconstructions))

    def _translated(self, x, direction, *, heatmap, reconstruct) -> dict:
        """name -> array [batch, ...] of what the networks compute for a batch."""
        batch = self._filled_for_xla(x)

        def run(networks):
            forth = networks[direction](tf.constant(batch))
            arrays = {"image": forth.image.numpy()}
            if heatmap:
                arrays["generator"] = forth.heatmap.numpy()
            if reconstruct:
                back = networks[DIRECTIONS[direction].opposite](forth.image)
                arrays["reconstruction"] = back.image.numpy()
            return arrays

        with compiler.refusal_explained(self.xla, "the networks"):
            arrays = self.copies.use(run)
        self._compiled[x.shape[1:3]] = len(batch)
        return {name: array[: len(x)] for name, array in arrays.items()}

    def _filled_for_xla(self, x):
        """`x`, with XLA filled up with its last image to a batch that was compiled already.

        XLA compiles for each size of a batch, which takes longer than a few images.
        """
        if not self.xla:
            return x
        missing = max(0, self._compiled.get(x.shape[1:3], 0) - len(x))
        return np.concatenate([x, np.repeat(x[-1:], missing, 0)])

    def _discriminator_heatmaps(self, images, direction) -> dict:
        """name -> heatmaps [batch, h, w] of results, resized to the size of training."""
        images = np.stack([resize(image, (self.size, self.size)) for image in images])
        local, global_ = self.discriminators[direction](tf.constant(images))
        return {"local": local.heatmap.numpy(), "global_": global_.heatmap.numpy()}
