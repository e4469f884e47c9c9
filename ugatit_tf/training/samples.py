"""Sample images of a training run: what goes in, what comes out, and where attention is."""

import numpy as np
import tensorflow as tf

from ugatit_tf.images import panels
from ugatit_tf.images.image_array import to_uint8

COLUMNS = (
    "Input",
    "Generator's attention",
    "Translation",
    "Local discriminator",
    "Global discriminator",
    "Reconstruction",
    "Identity",
)


def sheet(model, reals_a, reals_b):
    """A row for every image: what goes in, what comes out, and where attention is, if anywhere.

    Args:
        reals_a, reals_b: lists of float32 [size, size, img_ch] in [-1, 1].

    Returns:
        (uint8 [height, width, 3], (translations of reals_a, of reals_b) in [-1, 1]).
    """
    sides = (
        ("A to B", reals_a, model.a2b, model.b2a, model.discriminator_b),
        ("B to A", reals_b, model.b2a, model.a2b, model.discriminator_a),
    )
    rows, titles, translations = [], [], []
    for title, reals, there, back, judge in sides:
        batches = [tf.convert_to_tensor(real)[None] for real in reals]
        fakes = [there(batch) for batch in batches]
        rows += [_row(batch, fake, back, judge) for batch, fake in zip(batches, fakes)]
        titles += [title] * len(reals)
        translations.append([fake.image[0].numpy() for fake in fakes])
    columns = [title for title, tile in zip(COLUMNS, rows[0]) if tile is not None]
    tiles = [[tile for tile in row if tile is not None] for row in rows]
    return panels.grid(tiles, column_titles=columns, row_titles=titles), translations


def reals(batch_a, batch_b):
    """The training images as the networks see them, A above B, uint8."""
    rows = [[to_uint8(np.asarray(image)) for image in batch] for batch in (batch_a, batch_b)]
    return panels.grid(rows, row_titles=["A", "B"])


def _row(batch, translated, back, judge):
    """The tiles of one image, in the order of `COLUMNS`; None for attention that is not there.

    Identity is the image through the other generator.
    """
    local, global_ = judge(translated.image)
    source, fake = _image(batch), _image(translated.image)
    return [
        source,
        _overlay(source, translated.heatmap),
        fake,
        _overlay(fake, local.heatmap),
        _overlay(fake, global_.heatmap),
        _image(back(translated.image).image),
        _image(back(batch).image),
    ]


def _overlay(image, heatmaps):
    return None if heatmaps is None else panels.overlay(image, heatmaps[0].numpy())


def _image(batch):
    """The first of the batch, as RGB so that all tiles of a sheet are alike."""
    image = to_uint8(np.asarray(batch[0]))
    return np.repeat(image, 3, -1) if image.shape[-1] == 1 else image
