"""Large images in overlapping tiles, blended without seams.

The nearer a pixel is to the border of its tile, the less it counts, so that the image of one tile
fades into that of the next. Every tile is normalized by its own statistics: tones may drift
across the image, which scaling it down (`--max_side`) avoids.
"""

from __future__ import annotations

import itertools
import math
from typing import Callable

import numpy as np
import tensorflow as tf

from ugatit_tf.translation.fit import CPU

OVERLAP = 8  # neighbours share at least a side's length divided by this


def side_of(num_pixels: int) -> int:
    """The longest side of tiles of at most `num_pixels`, a multiple of 8."""
    return math.isqrt(num_pixels) // 8 * 8


def in_tiles(function: Callable[[np.ndarray], dict], image: np.ndarray, side: int) -> dict:
    """Applies `function` tile by tile.

    Args:
        function: of float32 [1, h, w, channels] to a dict name -> array [1, height, width, ...];
            arrays that are smaller than the tile are resized to it.
        image: float32 [height, width, channels]; height and width are multiples of 4.
        side: int. The longest side of a tile, a multiple of 8. All tiles of an image have one
            size, the smallest with which as few tiles cover it.

    Returns:
        dict name -> float32 [height, width, ...].
    """
    height, width = image.shape[:2]
    (tile_height, tops), (tile_width, lefts) = _spans(height, side), _spans(width, side)
    fade = side // OVERLAP
    weight = np.outer(
        _ramp(tile_height, fade, tile_height < height), _ramp(tile_width, fade, tile_width < width)
    )
    sums, weights = {}, np.zeros([height, width], np.float32)
    for top, left in itertools.product(tops, lefts):
        window = slice(top, top + tile_height), slice(left, left + tile_width)
        for name, batch in function(image[window][None]).items():
            values = _as_large(batch[0], weight.shape)
            if name not in sums:
                sums[name] = np.zeros([height, width, *values.shape[2:]], np.float32)
            sums[name][window] += values * _like(weight, values)
        weights[window] += weight
    return {name: total / _like(weights, total) for name, total in sums.items()}


def _as_large(values, size):
    """[h, w] or [h, w, channels], bilinearly resized to `size` where it differs."""
    if values.shape[:2] == size:
        return values
    with tf.device(CPU):
        return tf.image.resize(values[..., None], size).numpy()[..., 0]


def _spans(length, side):
    """(size of the tiles, their first pixels) along one axis; all are multiples of 4."""
    if length <= side:
        return length, [0]
    overlap = side // OVERLAP
    count = math.ceil((length - overlap) / (side - overlap))
    size = math.ceil((length + (count - 1) * overlap) / count / 4) * 4
    return size, [round(i * (length - size) / (count - 1) / 4) * 4 for i in range(count)]


def _ramp(size, fade, has_neighbours):
    """float32 [size]: 1 in the middle, falling evenly over `fade`; all 1 without neighbours."""
    if not has_neighbours:
        return np.ones(size, np.float32)
    rise = (np.arange(size) + 0.5) / fade
    return np.minimum(1.0, np.minimum(rise, rise[::-1])).astype(np.float32)


def _like(weight, values):
    return weight.reshape(*weight.shape, *[1] * (values.ndim - 2))
