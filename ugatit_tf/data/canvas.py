"""A canvas with anti-aliased shapes, for the built-in dataset.

A shape is a signed distance for each pixel, negative inside: a union is a minimum,
a cut is a maximum, and growing by r is subtracting r. NumPy only.
"""

import copy

import numpy as np


class Canvas:
    """A square image with coordinates that can be moved, enlarged and turned.

    `u` and `v` go from -1 to 1 over the image, right and down; `x` and `y` move with
    what is drawn, and every shape is given in them. `rgb` is float32 [3, size, size].

    Args:
        size: int. Height and width in pixels.
        shift: two floats. The u and v of the origin of x and y.
        zoom: float. How many u long an x of 1 is.
        tilt: float. Turns x and y clockwise, in radians.
    """

    def __init__(self, size, *, shift=(0.0, 0.0), zoom=1.0, tilt=0.0):
        axis = (np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1
        self.u, self.v = np.meshgrid(axis, axis)
        u, v = (self.u - shift[0]) / zoom, (self.v - shift[1]) / zoom
        cos, sin = float(np.cos(tilt)), float(np.sin(tilt))
        self.x, self.y = u * cos + v * sin, v * cos - u * sin
        self.pixel = 2 / size / zoom
        self.rgb = np.zeros([3, size, size], np.float32)

    def near(self, x, y, radius, mirror=1):
        """Returns the part around a point, which becomes the origin; same pixels."""
        part = copy.copy(self)
        inside = np.maximum(np.abs(self.x - x), np.abs(self.y - y)) < radius
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        part.x, part.y = (self.x[window] - x) * mirror, self.y[window] - y
        part.rgb = self.rgb[(slice(None), *window)]
        return part

    def paint(self, distance, colour, opacity=1.0, soft=0.0):
        """Covers the inside of a shape with a colour, [3] or [3, height, width]."""
        cover = np.clip(0.5 - distance / max(self.pixel, soft), 0, 1)
        cover = cover * cover * (3 - 2 * cover) * opacity
        colour = np.asarray(colour, np.float32)
        colour = colour[:, None, None] if colour.ndim == 1 else colour
        self.rgb += cover * (colour - self.rgb)

    def outlined(self, distance, colour, line, thickness=0.022):
        """Covers the inside of a shape with a colour, and its edge with a line."""
        self.paint(distance - thickness / 2, line)
        self.paint(distance + thickness / 2, colour)

    def ellipse(self, x, y, radius_x, radius_y):
        return ellipse(self.x - x, self.y - y, radius_x, radius_y)

    def twins(self, x, y, radius_x, radius_y):
        return ellipse(np.abs(self.x) - x, self.y - y, radius_x, radius_y)

    def arc(self, y, half_width, bend, thickness):
        """A tapered line; a positive `bend` lifts its ends."""
        t = self.x / half_width
        line = np.abs(self.y - y + bend * (t * t - 0.5)) - thickness * (1.1 - t * t)
        return np.maximum(line, (np.abs(t) - 1) * half_width)

    def rays(self, y, rng, counts):
        """Random lines from (0, y) outward, swaying a little; values about -1 to 1."""
        angle = np.arctan2(self.x, self.y - y) + 0.06 * np.sin(5 * self.y)
        knots = [np.linspace(-np.pi, np.pi, count) for count in counts]
        lines = [np.interp(angle, knot, rng.normal(size=len(knot))) for knot in knots]
        return np.mean(lines, 0).astype(np.float32)

    def bump(self, x, y, radius_x, radius_y):
        return np.exp(-(((self.x - x) / radius_x) ** 2) - ((self.y - y) / radius_y) ** 2)


def ellipse(x, y, radius_x, radius_y):
    x, y = x / radius_x, y / radius_y
    length = np.sqrt(x * x + y * y)
    return length * (length - 1) / (np.hypot(x / radius_x, y / radius_y) + 1e-3)


def superellipse(x, y, radius_x, radius_y, power_x, power_y):
    """|x / radius_x| ** power_x + |y / radius_y| ** power_y = 1; 2 is round, less is pointed."""
    x, y = np.abs(x) / radius_x + 1e-4, np.abs(y) / radius_y + 1e-4
    slope_x = power_x * x ** (power_x - 1) / radius_x
    slope_y = power_y * y ** (power_y - 1) / radius_y
    return (x**power_x + y**power_y - 1) / (np.hypot(slope_x, slope_y) + 0.3)
