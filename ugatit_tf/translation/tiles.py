"""Large pictures in overlapping tiles, blended without seams.

What is near to a tile's border counts less the nearer it is, so that one tile's picture goes over
into the next one's. Every tile is normalized by its own statistics: tones may drift across the
picture, where scaling it down (`--max_side`) keeps them.
"""

import itertools
import math

import numpy as np

OVERLAP = 8  # neighbours share a side's length divided by this


def side_of(num_pixels) -> int:
    """The side of square tiles of at most `num_pixels`, a multiple of 8."""
    return math.isqrt(num_pixels) // 8 * 8


def in_tiles(function, image, side):
    """Applies `function` tile by tile.

    Args:
        function: of float32 [1, h, w, channels] to a tuple of arrays [1, h, w, ...], of the same
            height and width.
        image: float32 [height, width, channels], both multiples of 4.
        side: int. Of the tiles, a multiple of 8; a picture that is less high or wide has lower
            or narrower ones.

    Returns:
        Tuple of float32 [height, width, ...].
    """
    height, width = image.shape[:2]
    tall, wide = min(side, height), min(side, width)
    weight = np.outer(_ramp(tall, tall < height), _ramp(wide, wide < width))
    sums, weights = None, np.zeros([height, width], np.float32)
    for top, left in itertools.product(_starts(height, tall), _starts(width, wide)):
        place = slice(top, top + tall), slice(left, left + wide)
        parts = [part[0] for part in function(image[place][None])]
        if sums is None:
            sums = [np.zeros([height, width, *part.shape[2:]], np.float32) for part in parts]
        for total, part in zip(sums, parts):
            total[place] += part * _like(weight, part)
        weights[place] += weight
    return tuple(total / _like(weights, total) for total in sums)


def _starts(length, side):
    """Where tiles begin: spread evenly, multiples of 4, with at least the overlap in common."""
    if side >= length:
        return [0]
    count = math.ceil((length - side) / (side - side // OVERLAP)) + 1
    return [round(i * (length - side) / (count - 1) / 4) * 4 for i in range(count)]


def _ramp(side, falls):
    """float32 [side]: 1 in the middle, falling evenly over the overlap; 1 where nothing joins."""
    if not falls:
        return np.ones(side, np.float32)
    rise = (np.arange(side) + 0.5) / (side // OVERLAP)
    return np.minimum(1.0, np.minimum(rise, rise[::-1])).astype(np.float32)


def _like(weight, part):
    return weight.reshape(*weight.shape, *[1] * (part.ndim - 2))
