"""How far two results are from each other, in levels of 255."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Difference(NamedTuple):
    """In levels of 255."""

    largest: float
    mean: float

    def __str__(self) -> str:
        return f"{self.largest:.3g}, mean {self.mean:.3g} of 255 levels"


def between(values: np.ndarray, expected: np.ndarray) -> Difference:
    """The difference of arrays of levels from 0 to 255.

    NaN and another shape are infinitely far away.
    """
    if values.shape != expected.shape:
        return Difference(math.inf, math.inf)
    distance = np.abs(np.float64(values) - np.float64(expected))
    if not np.isfinite(distance).all():
        return Difference(math.inf, math.inf)
    return Difference(float(distance.max()), float(distance.mean()))


def worst(differences: Iterable[Difference]) -> Difference:
    """The largest of each number."""
    differences = [Difference(0.0, 0.0), *differences]
    return Difference(*(max(column) for column in zip(*differences)))
