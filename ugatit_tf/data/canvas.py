"""A canvas with anti-aliased shapes, for the built-in dataset.

A shape is a signed distance for each pixel, negative inside: a union is a minimum,
an intersection is a maximum, and growing by r is subtracting r. NumPy only.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np


class Canvas:
    """A square image with coordinates that can be moved, enlarged and turned.

    `u` and `v` go from -1 to 1 over the image, right and down. Shapes use `x` and `y`, which
    move with the drawing. `rgb` is float32 [3, size, size].

    Args:
        size: int. Height and width in pixels.
        shift: two floats. The u and v of the origin of x and y.
        zoom: float. How many u long an x of 1 is.
        tilt: float. Turns x and y clockwise, in radians.
    """

    def __init__(
        self,
        size: int,
        *,
        shift: tuple[float, float] = (0.0, 0.0),
        zoom: float = 1.0,
        tilt: float = 0.0,
    ) -> None:
        axis = (np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1
        self.u, self.v = np.meshgrid(axis, axis)
        u, v = (self.u - shift[0]) / zoom, (self.v - shift[1]) / zoom
        cos, sin = float(np.cos(tilt)), float(np.sin(tilt))
        self.x, self.y = u * cos + v * sin, v * cos - u * sin
        self.pixel = 2 / size / zoom
        self.rgb = np.zeros([3, size, size], np.float32)

    def near(self, x: float, y: float, radius: float, mirror: int = 1) -> Canvas:
        """Returns a view of the square around a point, which becomes the origin."""
        view = copy.copy(self)
        inside = np.maximum(np.abs(self.x - x), np.abs(self.y - y)) < radius
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        view.x, view.y = (self.x[window] - x) * mirror, self.y[window] - y
        view.rgb = self.rgb[(slice(None), *window)]
        return view

    def paint(
        self, distance: np.ndarray, color: np.ndarray, opacity: float = 1.0, soft: float = 0.0
    ) -> None:
        """Fills a shape with a color, [3] or [3, height, width]; `soft` widens its edge."""
        cover = np.clip(0.5 - distance / max(self.pixel, soft), 0, 1)
        cover = cover * cover * (3 - 2 * cover) * opacity
        color = np.asarray(color, np.float32)
        color = color[:, None, None] if color.ndim == 1 else color
        self.rgb += cover * (color - self.rgb)

    def outlined(
        self, distance: np.ndarray, color: np.ndarray, line: np.ndarray, thickness: float = 0.022
    ) -> None:
        """Fills a shape with a color, and draws its outline in another."""
        self.paint(distance - thickness / 2, line)
        self.paint(distance + thickness / 2, color)

    def ellipse(self, x: float, y: float, radius_x: float, radius_y: float) -> np.ndarray:
        """An ellipse around (x, y)."""
        return ellipse(self.x - x, self.y - y, radius_x, radius_y)

    def twins(self, x: float, y: float, radius_x: float, radius_y: float) -> np.ndarray:
        """Two ellipses, around (x, y) and (-x, y)."""
        return ellipse(np.abs(self.x) - x, self.y - y, radius_x, radius_y)

    def arc(self, y: float, half_width: float, bend: float, thickness: float) -> np.ndarray:
        """A tapered line; a positive `bend` lifts its ends."""
        t = self.x / half_width
        line = np.abs(self.y - y + bend * (t * t - 0.5)) - thickness * (1.1 - t * t)
        return np.maximum(line, (np.abs(t) - 1) * half_width)

    def rays(self, y: float, rng: np.random.Generator, counts: Sequence[int]) -> np.ndarray:
        """Random lines from (0, y) outward, swaying a little; values about -1 to 1."""
        angle = np.arctan2(self.x, self.y - y) + 0.06 * np.sin(5 * self.y)
        knots = [np.linspace(-np.pi, np.pi, count) for count in counts]
        lines = [np.interp(angle, knot, rng.normal(size=len(knot))) for knot in knots]
        return np.mean(lines, 0).astype(np.float32)

    def bump(self, x: float, y: float, radius_x: float, radius_y: float) -> np.ndarray:
        """A Gaussian of height 1 around (x, y); not a shape."""
        return np.exp(-(((self.x - x) / radius_x) ** 2) - ((self.y - y) / radius_y) ** 2)


def ellipse(x: np.ndarray, y: np.ndarray, radius_x: float, radius_y: float) -> np.ndarray:
    """The signed distance of an ellipse around the origin, accurate near its edge."""
    x, y = x / radius_x, y / radius_y
    length = np.sqrt(x * x + y * y)
    return length * (length - 1) / (np.hypot(x / radius_x, y / radius_y) + 1e-3)


def superellipse(
    x: np.ndarray,
    y: np.ndarray,
    radius_x: float,
    radius_y: float,
    power_x: np.ndarray,
    power_y: float,
) -> np.ndarray:
    """|x / radius_x| ** power_x + |y / radius_y| ** power_y = 1; 2 is round, less is pointed."""
    x, y = np.abs(x) / radius_x + 1e-4, np.abs(y) / radius_y + 1e-4
    slope_x = power_x * x ** (power_x - 1) / radius_x
    slope_y = power_y * y ** (power_y - 1) / radius_y
    return (x**power_x + y**power_y - 1) / (np.hypot(slope_x, slope_y) + 0.3)
