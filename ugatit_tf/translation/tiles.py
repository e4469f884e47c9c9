"""Large images in overlapping tiles, blended without seams.

What is near to a tile's border counts less the nearer it is, so that one tile's image goes over
into the next one's. Every tile is normalized by its own statistics: tones may drift across the
image, where scaling it down (`--max_side`) keeps them.
"""

import itertools
import math

import numpy as np

OVERLAP = 8  # neighbours share at least a side's length divided by this


def side_of(num_pixels) -> int:
    """The longest side of tiles of at most `num_pixels`, a multiple of 8."""
    return math.isqrt(num_pixels) // 8 * 8


def in_tiles(function, image, side):
    """Applies `function` tile by tile.

    Args:
        function: of float32 [1, h, w, channels] to a tuple of arrays [1, h, w, ...], of the same
            height and width.
        image: float32 [height, width, channels], both multiples of 4.
        side: int. The longest of a tile, a multiple of 8. All tiles of an image have one size,
            the smallest with which so few cover it.

    Returns:
        Tuple of float32 [height, width, ...].
    """
    height, width = image.shape[:2]
    (tall, tops), (wide, lefts) = _spans(height, side), _spans(width, side)
    fade = side // OVERLAP
    weight = np.outer(_ramp(tall, fade, tall < height), _ramp(wide, fade, wide < width))
    sums, weights = None, np.zeros([height, width], np.float32)
    for top, left in itertools.product(tops, lefts):
        place = slice(top, top + tall), slice(left, left + wide)
        parts = [part[0] for part in function(image[place][None])]
        if sums is None:
            sums = [np.zeros([height, width, *part.shape[2:]], np.float32) for part in parts]
        for total, part in zip(sums, parts):
            total[place] += part * _like(weight, part)
        weights[place] += weight
    return tuple(total / _like(weights, total) for total in sums)


def _spans(length, side):
    """(size of the tiles, where they begin) along one axis; all are multiples of 4."""
    if length <= side:
        return length, [0]
    overlap = side // OVERLAP
    count = math.ceil((length - overlap) / (side - overlap))
    size = math.ceil((length + (count - 1) * overlap) / count / 4) * 4
    return size, [round(i * (length - size) / (count - 1) / 4) * 4 for i in range(count)]


def _ramp(size, fade, falls):
    """float32 [size]: 1 in the middle, falling evenly over `fade`; 1 where nothing joins."""
    if not falls:
        return np.ones(size, np.float32)
    rise = (np.arange(size) + 0.5) / fade
    return np.minimum(1.0, np.minimum(rise, rise[::-1])).astype(np.float32)


def _like(weight, part):
    return weight.reshape(*weight.shape, *[1] * (part.ndim - 2))
