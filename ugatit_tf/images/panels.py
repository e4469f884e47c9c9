"""Grids of images with titles, and heatmaps as colors over an image.

There is one color map, from blue (least) over violet and pink to yellow (most). It only grows
brighter, so that it can be read in gray and by the color-blind, and it is never so dark that it
hides the image below. The paper's figures use the classical "jet", which does neither.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ugatit_tf.images.image_array import to_pillow

INK = (34, 34, 34)
LARGEST_FONT, SMALLEST_FONT = 28, 10
MARGIN = 6  # between a title and whatever is next to it
PAIR_GAP = 16  # between pairs; within a pair it is the gap of a grid
# CIE L*a*b*: L* from 45 to 95, the hue from 280 to 465 degrees, both in even steps, and as much
# chroma as sRGB has there, at most 68.
COLORS = np.array([
    (2, 107, 197), (127, 103, 220), (202, 97, 205), (252, 97, 179), (255, 135, 154),
    (255, 165, 148), (254, 192, 153), (255, 218, 158), (247, 247, 107),
], np.float32)  # fmt: skip


def color_map(values: np.ndarray) -> np.ndarray:
    """Maps floats in [0, 1] to colors of evenly rising lightness, uint8 [height, width, 3].

    Linear between `COLORS`: L* differs from a straight line by less than 2. Values are clipped.
    """
    stops = np.linspace(0, 1, len(COLORS))
    rgb = [np.interp(np.asarray(values), stops, channel) for channel in COLORS.T]
    return np.rint(np.stack(rgb, -1)).astype(np.uint8)  # [H, W, 3]


def normalized(heatmap: np.ndarray) -> np.ndarray:
    """Scales a heatmap of any range to float32 [height, width] in [0, 1].

    The least value becomes 0 and the largest 1. A constant heatmap, NaN and infinity become 0.
    """
    heatmap = np.asarray(heatmap, np.float64)  # a range of float32 can overflow float32
    is_finite = np.isfinite(heatmap)
    low, high = (heatmap[is_finite].min(), heatmap[is_finite].max()) if is_finite.any() else (0, 0)
    if low == high:
        return np.zeros(heatmap.shape, np.float32)
    return ((np.where(is_finite, heatmap, low) - low) / (high - low)).astype(np.float32)


def overlay(image: np.ndarray, heatmap: np.ndarray, *, strength: float = 0.5) -> np.ndarray:
    """Lays the colors of a heatmap over an image.

    Args:
        image: uint8 [height, width, 3] or [height, width, 1].
        heatmap: float [h, w] of any range; resized bilinearly to the image.
        strength: in [0, 1]. 0 is the image, 1 is the colors.

    Returns:
        uint8 [height, width, 3].
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"`strength` must lie in [0, 1]. Received: {strength}")
    if np.ndim(heatmap) != 2:
        raise ValueError(f"Expected a heatmap [h, w]. Received: {list(np.shape(heatmap))}")
    image = to_pillow(image).convert("RGB")
    values = Image.fromarray(normalized(heatmap)).resize(image.size, Image.Resampling.BILINEAR)
    blend = (1 - strength) * np.asarray(image, np.float32) + strength * color_map(values)
    return np.rint(blend).astype(np.uint8)


def grid(
    rows: Sequence[Sequence[np.ndarray | None]],
    *,
    column_titles: Sequence[str] | None = None,
    row_titles: Sequence[str] | None = None,
    gap: int = 4,
    min_tile: int = 128,
) -> np.ndarray:
    """Puts images in rows and columns on white.

    Args:
        rows: lists of uint8 images of one size, [h, w, 3], [h, w, 1] or [h, w]. None is
            left blank, and so is the end of a shorter row.
        column_titles: one string for each column, above it.
        row_titles: one string for each row, to its left.
        gap: pixels between images.
        min_tile: images whose longer side is shorter than this are enlarged by an integer
            factor, so that every pixel stays a square.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: no image, different sizes, or the wrong number of titles.
    """
    tiles = [[None if tile is None else to_pillow(tile) for tile in row] for row in rows]
    width, height = _tile_size(tiles, min_tile)
    num_columns = max(len(row) for row in tiles)
    _check_titles("column_titles", column_titles, num_columns)
    _check_titles("row_titles", row_titles, len(tiles))

    font_size = min(LARGEST_FONT, max(SMALLEST_FONT, width // 9))
    left, top = _title_space(column_titles, row_titles, font_size, width)
    lefts = [left + column * (width + gap) for column in range(num_columns)]
    tops = [top + row * (height + gap) for row in range(len(tiles))]
    canvas = Image.new("RGB", (lefts[-1] + width, tops[-1] + height), "white")
    for row, y in zip(tiles, tops):
        for tile, x in zip(row, lefts):
            if tile is not None:
                tile = tile.convert("RGB").resize((width, height), Image.Resampling.NEAREST)
                canvas.paste(tile, (x, y))
    for title, x in zip(column_titles or [], lefts):
        _draw_title(canvas, title, (x + width / 2, top / 2), "mm", width - 2, font_size)
    for title, y in zip(row_titles or [], tops):
        position = (left - MARGIN, y + height / 2)
        _draw_title(canvas, title, position, "rm", left - 2 * MARGIN, font_size)
    return np.array(canvas)


def cut(
    image: np.ndarray, size: tuple[int, int], columns: int, *, gap: int = 4, min_tile: int = 128
) -> list[list[np.ndarray]]:
    """Takes a `grid` apart. Titles are above and left of the tiles, so these end at its corner.

    Args:
        image: uint8 [height, width, 3], what `grid` returned.
        size: (height, width) of the images that it was made of.
        columns: how many of them are in a row.
        gap, min_tile: as for `grid`.

    Returns:
        A list for each row, of uint8 [size[0], size[1], 3].

    Raises:
        ValueError: no grid of such images fits.
    """
    factor = _factor(max(size), min_tile)
    height, width = (factor * side for side in size)
    rows = (image.shape[0] + gap) // (height + gap)
    top = image.shape[0] - rows * (height + gap) + gap
    left = image.shape[1] - columns * (width + gap) + gap
    if rows < 1 or not 0 <= left <= width + 2 * MARGIN:
        raise ValueError(
            f"Expected a grid of {columns} columns of {size[0]} x {size[1]} pixels. Received: "
            f"{list(image.shape)}"
        )
    tops = [top + row * (height + gap) for row in range(rows)]
    lefts = [left + column * (width + gap) for column in range(columns)]
    return [[image[y : y + height : factor, x : x + width : factor] for x in lefts] for y in tops]


def contact_sheet(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]], *, tile: int = 160, columns: int = 3
) -> np.ndarray:
    """Puts pairs of images side by side on white.

    Args:
        pairs: iterable of (input, output), uint8 images of any sizes, [h, w, 3], [h, w, 1]
            or [h, w]. Each is resized to fit into a square; its aspect ratio stays.
        tile: pixels of that square's side.
        columns: pairs in a row.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: no pair, or `tile` or `columns` below 1.
    """
    if tile < 1 or columns < 1:
        raise ValueError(f"Expected a tile and a column. Received: tile={tile}, columns={columns}")
    panels = [grid([[in_square(image, tile) for image in pair]], min_tile=1) for pair in pairs]
    if not panels:
        raise ValueError("Expected at least one pair of images. Received: none")
    rows = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    return grid(rows, gap=PAIR_GAP, min_tile=1)


def in_square(image: np.ndarray, side: int) -> np.ndarray:
    """Returns an image in the middle of a white square, as large as the square allows."""
    image = to_pillow(image).convert("RGB")
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    square = Image.new("RGB", (side, side), "white")
    resized = image.resize((width, height), Image.Resampling.LANCZOS)
    square.paste(resized, ((side - width) // 2, (side - height) // 2))
    return np.asarray(square)


def _tile_size(tiles, min_tile):
    """The (width, height) of all tiles, enlarged to `min_tile`."""
    sizes = {tile.size for row in tiles for tile in row if tile is not None}
    if len(sizes) != 1:
        received = sorted(f"{height} x {width}" for width, height in sizes) or "no image"
        raise ValueError(f"Expected images of one size. Received: {received}")
    width, height = sizes.pop()
    factor = _factor(max(width, height), min_tile)
    return width * factor, height * factor


def _factor(side, min_tile):
    """By how much images whose longer side is `side` are enlarged."""
    return max(1, math.ceil(min_tile / side))


def _check_titles(name, titles, expected):
    if titles is not None and len(titles) != expected:
        raise ValueError(f"Expected {expected} `{name}`. Received: {len(titles)}")


def _title_space(column_titles, row_titles, font_size, width):
    """The pixels that titles need, (left of the images, above them)."""
    font = ImageFont.load_default(font_size)
    ascent, descent = font.getmetrics()
    top = ascent + descent + MARGIN if column_titles else 0
    if not row_titles:
        return 0, top
    longest = max(font.getlength(_one_line(title)) for title in row_titles)
    return min(math.ceil(longest), width) + 2 * MARGIN, top


def _draw_title(canvas, title, position, anchor, room, font_size):
    title, font = fit_title(title, room, font_size)
    ImageDraw.Draw(canvas).text(position, title, fill=INK, font=font, anchor=anchor)


def fit_title(title: str, room: int, font_size: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """Returns a title and a font in which it is at most `room` wide: smaller, then cut."""
    title = _one_line(title)
    for size in range(font_size, SMALLEST_FONT - 1, -1):
        font = ImageFont.load_default(size)
        if font.getlength(title) <= room:
            return title, font
    for end in range(len(title) - 1, 0, -1):
        if font.getlength(title[:end].rstrip() + "...") <= room:
            return title[:end].rstrip() + "...", font
    return "", font


def _one_line(title):
    return " ".join(str(title).split())
