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
    for title, images, generator, inverse, discriminator in directions:
        batches = [tf.convert_to_tensor(image)[None] for image in images]
        outputs = [generator(batch) for batch in batches]
        rows += [_row(*pair, inverse, discriminator) for pair in zip(batches, outputs)]
        titles += [title] * len(images)
        translations.append([output.image[0].numpy() for output in outputs])
    columns = [title for title, tile in zip(COLUMNS, rows[0]) if tile is not None]
    tiles = [[tile for tile in row if tile is not None] for row in rows]
    return panels.grid(tiles, column_titles=columns, row_titles=titles), tuple(translations)


def _row(batch, output, inverse: Callable, discriminator: Callable) -> list[np.ndarray | None]:
    """The tiles of one image in the order of `COLUMNS`; None for a heatmap that it has not."""
    local, global_ = discriminator(output.image)
    source, translation = _image(batch), _image(output.image)
    return [
        source,
        _overlay(source, output.heatmap),
        translation,
        _overlay(translation, local.heatmap),
        _overlay(translation, global_.heatmap),
        _image(inverse(output.image).image),
        _image(inverse(batch).image),
    ]


def _overlay(image: np.ndarray, heatmaps: tf.Tensor | None) -> np.ndarray | None:
    return None if heatmaps is None else panels.overlay(image, heatmaps[0].numpy())


def _image(batch: tf.Tensor) -> np.ndarray:
    """The first of the batch, as RGB so that all tiles of a sheet are alike."""
    image = to_uint8(np.asarray(batch[0]))
    return np.repeat(image, 3, -1) if image.shape[-1] == 1 else image
