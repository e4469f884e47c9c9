"""Many points of a noisy line as fewer: the mean of each window, and where most points are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ugatit_tf.images.curves import Band

FEWEST, MOST = 25, 100  # points that are drawn as they are; windows of a line
SMALLEST = 5  # points in a window
PERCENTILES = 10, 90


def of(points: Sequence[tuple[float, float]]) -> tuple[list[tuple[float, float]], Band | None]:
    """Returns the line of the means, and the `Band` of the 10th and 90th percentiles.

    The windows follow one another and differ in size by at most one point. Points that are not
    finite are left out; fewer than `FEWEST` are a line without band.

    Args:
        points: (x, y) in the order of x.
    """
    points = [point for point in points if all(map(math.isfinite, point))]
    if len(points) < FEWEST:
        return points, None
    windows = np.array_split(np.asarray(points), min(MOST, len(points) // SMALLEST))
    means = [tuple(window.mean(0).tolist()) for window in windows]
    low, high = zip(*(np.percentile(window[:, 1], PERCENTILES).tolist() for window in windows))
    return means, Band(low, high)
