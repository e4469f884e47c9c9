"""Grids of images with titles, and attention as colours over an image.

There is one colour map, from blue (least) over violet and pink to yellow (most). It only grows
brighter, so it can be read in grey and by the colour-blind, and it is never so dark that what lies
under it is lost. The paper's figures have the classical "jet" instead, which does neither.
"""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ugatit_tf.images import files

INK = (34, 34, 34)
LARGEST_FONT, SMALLEST_FONT = 28, 10
MARGIN = 6  # between a title and whatever is next to it
PAIR_GAP = 16  # between pairs; inside one it is the gap of a grid
# CIE L*a*b*: L* from 45 to 95, the hue from 280 to 465 degrees, both in even steps, and as much
# chroma as sRGB has there, at most 68.
COLOURS = np.array([
    (2, 107, 197), (127, 103, 220), (202, 97, 205), (252, 97, 179), (255, 135, 154),
    (255, 165, 148), (254, 192, 153), (255, 218, 158), (247, 247, 107),
], np.float32)  # fmt: skip


def colour_map(values):
    """Returns colours of evenly rising lightness, uint8 [height, width, 3], of floats in [0, 1].

    Linear between `COLOURS`: L* differs from a straight line by less than 2. Values are clipped.
    """
    places = np.linspace(0, 1, len(COLOURS))
    rgb = [np.interp(np.asarray(values), places, channel) for channel in COLOURS.T]
    return np.rint(np.stack(rgb, -1)).astype(np.uint8)  # [H, W, 3]


def normalized(heatmap):
    """Returns floats of any range as float32 [height, width] in [0, 1].

    The least becomes 0 and the most 1; a constant heatmap, NaN and infinity become 0.
    """
    heatmap = np.asarray(heatmap, np.float64)  # a range of float32 can overflow float32
    known = np.isfinite(heatmap)
    low, high = (heatmap[known].min(), heatmap[known].max()) if known.any() else (0, 0)
    if low == high:
        return np.zeros(heatmap.shape, np.float32)
    return ((np.where(known, heatmap, low) - low) / (high - low)).astype(np.float32)


def overlay(image, heatmap, *, strength=0.5):
    """Returns an image coloured by a heatmap, uint8 [height, width, 3].

    Args:
        image: uint8 [height, width, 3] or [height, width, 1].
        heatmap: float [h, w] of any range; made bilinearly as large as the image.
        strength: in [0, 1]. 0 is the image, 1 is the colours.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"`strength` must lie in [0, 1]. Received: {strength}")
    if np.ndim(heatmap) != 2:
        raise ValueError(f"Expected a heatmap [h, w]. Received: {list(np.shape(heatmap))}")
    image = files.as_pillow(image).convert("RGB")
    heat = Image.fromarray(normalized(heatmap)).resize(image.size, Image.Resampling.BILINEAR)
    blend = (1 - strength) * np.asarray(image, np.float32) + strength * colour_map(heat)
    return np.rint(blend).astype(np.uint8)


def grid(rows, *, column_titles=None, row_titles=None, gap=4, min_tile=128):
    """Returns all images in one on white, uint8 [height, width, 3].

    Args:
        rows: lists of uint8 images of one size, [h, w, 3], [h, w, 1] or [h, w]. None is
            left blank, and so is the end of a shorter row.
        column_titles: one string for each column, above it.
        row_titles: one string for each row, to its left.
        gap: pixels between images.
        min_tile: images whose longer side is shorter than this are enlarged by a whole
            factor, so that every pixel stays a square.

    Raises:
        ValueError: no image, different sizes, or the wrong number of titles.
    """
    tiles = [[None if tile is None else files.as_pillow(tile) for tile in row] for row in rows]
    width, height = tile_size(tiles, min_tile)
    num_columns = max(len(row) for row in tiles)
    check_titles("column_titles", column_titles, num_columns)
    check_titles("row_titles", row_titles, len(tiles))

    font_size = min(LARGEST_FONT, max(SMALLEST_FONT, width // 9))
    left, top = title_space(column_titles, row_titles, font_size, width)
    lefts = [left + column * (width + gap) for column in range(num_columns)]
    tops = [top + row * (height + gap) for row in range(len(tiles))]
    canvas = Image.new("RGB", (lefts[-1] + width, tops[-1] + height), "white")
    for row, y in zip(tiles, tops):
        for tile, x in zip(row, lefts):
            if tile is not None:
                tile = tile.convert("RGB").resize((width, height), Image.Resampling.NEAREST)
                canvas.paste(tile, (x, y))
    for title, x in zip(column_titles or [], lefts):
        draw_title(canvas, title, (x + width / 2, top / 2), "mm", width - 2, font_size)
    for title, y in zip(row_titles or [], tops):
        place = (left - MARGIN, y + height / 2)
        draw_title(canvas, title, place, "rm", left - 2 * MARGIN, font_size)
    return np.array(canvas)


def contact_sheet(pairs, *, tile=160, columns=3):
    """Returns pairs of images beside one another on white, uint8 [height, width, 3].

    Args:
        pairs: iterable of (input, output), uint8 images of any sizes, [h, w, 3], [h, w, 1]
            or [h, w]. Each is made as large as a square can hold, shape kept.
        tile: pixels of that square's side.
        columns: pairs in a row.

    Raises:
        ValueError: no pair, or no room for one.
    """
    if tile < 1 or columns < 1:
        raise ValueError(f"Expected a tile and a column. Received: tile={tile}, columns={columns}")
    joined = [grid([[in_square(image, tile) for image in pair]], min_tile=1) for pair in pairs]
    if not joined:
        raise ValueError("Expected at least one pair of images. Received: none")
    rows = [joined[start : start + columns] for start in range(0, len(joined), columns)]
    return grid(rows, gap=PAIR_GAP, min_tile=1)


def in_square(image, side):
    """Returns an image in the middle of a white square that it fills one way."""
    image = files.as_pillow(image).convert("RGB")
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    square = Image.new("RGB", (side, side), "white")
    resized = image.resize((width, height), Image.Resampling.LANCZOS)
    square.paste(resized, ((side - width) // 2, (side - height) // 2))
    return np.asarray(square)


def tile_size(tiles, min_tile):
    """Returns the common (width, height), enlarged to `min_tile`."""
    sizes = {tile.size for row in tiles for tile in row if tile is not None}
    if len(sizes) != 1:
        found = sorted(f"{height} x {width}" for width, height in sizes)
        raise ValueError(f"Expected images of one size. Received: {found or 'no image'}")
    width, height = sizes.pop()
    factor = max(1, math.ceil(min_tile / max(width, height)))
    return width * factor, height * factor


def check_titles(name, titles, expected):
    if titles is not None and len(titles) != expected:
        raise ValueError(f"Expected {expected} `{name}`. Received: {len(titles)}")


def title_space(column_titles, row_titles, font_size, width):
    """Returns the pixels (left of, above) the images that titles need."""
    font = ImageFont.load_default(font_size)
    ascent, descent = font.getmetrics()
    top = ascent + descent + MARGIN if column_titles else 0
    if not row_titles:
        return 0, top
    longest = max(font.getlength(one_line(title)) for title in row_titles)
    return min(math.ceil(longest), width) + 2 * MARGIN, top


def draw_title(canvas, title, place, anchor, room, font_size):
    title, font = fitted(title, room, font_size)
    ImageDraw.Draw(canvas).text(place, title, fill=INK, font=font, anchor=anchor)


def fitted(title, room, font_size):
    """Returns a title and a font in which it is at most `room` wide: smaller, then cut."""
    title = one_line(title)
    for size in range(font_size, SMALLEST_FONT - 1, -1):
        font = ImageFont.load_default(size)
        if font.getlength(title) <= room:
            return title, font
    for end in range(len(title) - 1, 0, -1):
        if font.getlength(title[:end].rstrip() + "...") <= room:
            return title[:end].rstrip() + "...", font
    return "", font


def one_line(title):
    return " ".join(str(title).split())
