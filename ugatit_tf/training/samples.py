"""Sample images of a training run: inputs, translations and heatmaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

import numpy as np
import tensorflow as tf

from ugatit_tf.config import Config
from ugatit_tf.data import pipeline
from ugatit_tf.flavors import FLAVORS
from ugatit_tf.images import panels
from ugatit_tf.images.image_array import to_uint8
from ugatit_tf.networks.model import UGATIT
from ugatit_tf.training.sheets import COLUMNS, ROWS

REALS = 8  # training images of each domain that are shown before step 1


def inputs(paths: Sequence[str], config: Config) -> list[tf.Tensor]:
    """The first images of a domain, float32 [img_size, img_size, img_ch] in [-1, 1]."""
    antialias = FLAVORS[config.flavor].antialias
    options = {"size": config.img_size, "channels": config.img_ch, "antialias": antialias}
    return [pipeline.load(path, **options) for path in paths[:ROWS]]


def reals(paths_a: Sequence[str], paths_b: Sequence[str], config: Config) -> np.ndarray:
    """The first training images as the networks get them, A above B, uint8."""
    images_a, images_b = [], []
    for batch_a, batch_b in pipeline.batches(paths_a, paths_b, config):
        images_a.extend(batch_a)
        images_b.extend(batch_b)
        if len(images_a) >= REALS:
            break
    rows = [[to_uint8(np.asarray(image)) for image in row[:REALS]] for row in (images_a, images_b)]
    return panels.grid(rows, row_titles=["A", "B"])


def sheet(
    model: UGATIT, reals_a: Sequence[np.ndarray], reals_b: Sequence[np.ndarray]
) -> tuple[np.ndarray, tuple[list[np.ndarray], list[np.ndarray]]]:
    """A row for every image, with the columns of `COLUMNS`; networks without CAM lack heatmaps.

    Args:
        reals_a, reals_b: float32 [size, size, img_ch] in [-1, 1].

    Returns:
        (uint8 [height, width, 3], (translations of reals_a, of reals_b) in [-1, 1]).
    """
    directions = (
        ("A to B", reals_a, model.a2b, model.b2a, model.discriminator_b),
        ("B to A", reals_b, model.b2a, model.a2b, model.discriminator_a),
    )
    rows, titles, translations = [], [], []
    for title, images, *networks in directions:
        fakes, *columns = _columns(tf.stack(images), *networks)
        rows += zip(*columns)
        titles += [title] * len(images)
        translations.append(list(fakes))
    columns = [title for title, tile in zip(COLUMNS, rows[0]) if tile is not None]
    tiles = [[tile for tile in row if tile is not None] for row in rows]
    return panels.grid(tiles, column_titles=columns, row_titles=titles), tuple(translations)


def _columns(batch, generator: Callable, inverse: Callable, discriminator: Callable) -> tuple:
    """The translations, then the tiles of each of `COLUMNS`; None for heatmaps that are not there.

    All images pass each network together: nothing is traced here, and each call takes as long to
    launch as many small images to compute.
    """
    output = generator(batch)
    local, global_ = discriminator(output.image)
    sources, translations = _images(batch), _images(output.image)
    return (
        output.image.numpy(),
        sources,
        _overlays(sources, output.heatmap),
        translations,
        _overlays(translations, local.heatmap),
        _overlays(translations, global_.heatmap),
        _images(inverse(output.image).image),
        _images(inverse(batch).image),
    )


def _overlays(images: list[np.ndarray], heatmaps: tf.Tensor | None) -> list:
    if heatmaps is None:
        return [None] * len(images)
    return [panels.overlay(*pair) for pair in zip(images, heatmaps.numpy())]


def _images(batch: tf.Tensor) -> list[np.ndarray]:
    """As RGB, so that all tiles of a sheet are alike."""
    images = to_uint8(np.asarray(batch))
    return list(np.repeat(images, 3, -1) if images.shape[-1] == 1 else images)
