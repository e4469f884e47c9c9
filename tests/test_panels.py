"""Colors, overlays and grids, down to the pixel where a person can say which."""

import numpy as np
import pytest
from PIL import ImageFont

from ugatit_tf.images import panels

RED = np.full([2, 2, 3], (255, 0, 0), np.uint8)
GRAY = np.full([2, 2, 1], 100, np.uint8)


def test_the_color_map_goes_from_blue_over_pink_to_yellow():
    colors = panels.color_map(np.array([[0, 0.0625, 0.5, 1]]))
    between = (64, 105, 208)  # halfway from (2, 107, 197) to (127, 103, 220), even
    expected = [[(2, 107, 197), between, (255, 135, 154), (247, 247, 107)]]
    np.testing.assert_allclose(colors, expected, atol=0.5)
    assert colors.dtype == np.uint8


def test_the_color_map_clips():
    outside, ends = panels.color_map([[-3.0, 7.0]]), panels.color_map([[0.0, 1.0]])
    np.testing.assert_array_equal(outside, ends)


def test_the_colors_grow_brighter_evenly_and_are_never_dark():
    rgb = panels.color_map(np.linspace(0, 1, 256)[None])[0] / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)  # IEC 61966
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    lightness = 116 * np.cbrt(luminance) - 16  # CIE L*
    assert (np.diff(lightness[::4]) > 0).all()
    # Between them rounding may hide a step of 0.2: half a level of green is 0.18.
    assert np.diff(lightness).min() > -0.2
    np.testing.assert_allclose(lightness, np.linspace(45, 95, 256), atol=2)


@pytest.mark.parametrize(
    ("heatmap", "expected"),
    [
        ([[-2, 0], [1, 2]], [[0, 0.5], [0.75, 1]]),
        ([[3, 3]], [[0, 0]]),
        ([[np.nan, 1, 2, np.inf]], [[0, 0, 1, 0]]),
        ([[np.nan, -np.inf]], [[0, 0]]),
        ([[-3e38, 3e38]], [[0, 1]]),
    ],
)
def test_a_heatmap_is_normalized_to_its_range(heatmap, expected):
    normalized = panels.normalized(np.array(heatmap, np.float32))
    assert normalized.dtype == np.float32
    np.testing.assert_allclose(normalized, expected)


@pytest.mark.parametrize("image", [RED, GRAY])
def test_an_overlay_goes_from_the_image_to_the_colors(image):
    heatmap = np.array([[0, 1], [2, 4]])
    image, colors = np.broadcast_to(image, [2, 2, 3]), panels.color_map(heatmap / 4)
    for strength in (0, 0.25, 1):
        expected = (1 - strength) * image + strength * colors.astype(float)
        actual = panels.overlay(image, heatmap, strength=strength)
        assert actual.dtype == np.uint8
        np.testing.assert_allclose(actual, expected, atol=0.5)


def test_a_heatmap_is_made_as_large_as_the_image():
    image = np.zeros([6, 8, 3], np.uint8)
    colored = panels.overlay(image, [[0.0, 1.0]], strength=1)
    assert colored.shape == (6, 8, 3)
    blue, red = colored[:, :, 2].astype(int), colored[:, :, 0].astype(int)
    assert (blue[:, 0] > red[:, 0]).all()
    assert (red[:, -1] > blue[:, -1]).all()
    assert len(np.unique(colored[0], axis=0)) > 4  # a smooth way between the two


def test_wrong_arguments_of_an_overlay_are_errors():
    with pytest.raises(ValueError, match=r"`strength` must lie in \[0, 1\]. Received: 2"):
        panels.overlay(RED, np.zeros([2, 2]), strength=2)
    with pytest.raises(ValueError, match=r"heatmap \[h, w\]. Received: \[2, 2, 1\]"):
        panels.overlay(RED, np.zeros([2, 2, 1]))


def test_a_grid_puts_images_in_rows_with_white_between():
    image = panels.grid([[RED, GRAY], [None, RED]], gap=1, min_tile=2)
    expected = np.full([5, 5, 3], 255)
    expected[0:2, 0:2] = expected[3:5, 3:5] = (255, 0, 0)
    expected[0:2, 3:5] = 100
    np.testing.assert_array_equal(image, expected)
    assert image.dtype == np.uint8


def test_a_shorter_row_ends_blank():
    image = panels.grid([[RED, RED], [RED]], gap=0, min_tile=1)
    assert (image[2:, 2:] == 255).all()


@pytest.mark.parametrize(("min_tile", "size"), [(1, 2), (2, 2), (3, 4), (5, 6), (128, 128)])
def test_small_images_are_enlarged_by_a_whole_factor(min_tile, size):
    checks = np.array([[0, 255], [255, 0]], np.uint8)
    image = panels.grid([[checks]], min_tile=min_tile)
    expected = np.kron(checks, np.ones([size // 2, size // 2], np.uint8))
    np.testing.assert_array_equal(image[:, :, 0], expected)


@pytest.mark.parametrize(
    "title", ["Input", "Output, " * 20, "W" * 60, "", "two\nlines", "Übung 猫"]
)
def test_titles_are_drawn_outside_the_images_and_are_not_cut(title):
    rows = [[RED] * 3] * 2
    image = panels.grid(rows, column_titles=[title] * 3, row_titles=[title] * 2, min_tile=64)
    plain = panels.grid(rows, min_tile=64)
    height, width = plain.shape[:2]
    np.testing.assert_array_equal(image[-height:, -width:], plain)

    above, left = image[:-height], image[:, :-width]
    if title:
        assert above.min() < 100
        assert left.min() < 100
    for edge in (image[0], image[:, 0], left[:, -1], above[-1], above[:, -1]):
        assert (edge == 255).all()
    for gap in (width - 64 - 4, width - 2 * 64 - 2 * 4):
        assert (above[:, gap - width : gap - width + 4] == 255).all()


@pytest.mark.parametrize(
    ("title", "room", "expected", "size"),
    [("Input", 500, "Input", 20), ("Reconstruction", 100, "Reconstruction", None)],
)
def test_a_title_is_made_smaller_before_it_is_cut(title, room, expected, size):
    actual, font = panels.fit_title(title, room, 20)
    assert actual == expected
    assert font.getlength(actual) <= room
    assert font.size == size or panels.SMALLEST_FONT <= font.size < 20


def test_a_title_that_is_still_too_long_ends_in_dots():
    actual, font = panels.fit_title("a title of very many words", 60, 20)
    assert actual.startswith("a title")
    assert actual.endswith("...")
    assert font.size == panels.SMALLEST_FONT
    assert ImageFont.load_default(panels.SMALLEST_FONT).getlength(actual) <= 60


@pytest.mark.parametrize("rows", [[], [[]], [[None]], [[RED, np.zeros([2, 3, 3], np.uint8)]]])
def test_a_grid_needs_images_of_one_size(rows):
    with pytest.raises(ValueError, match="Expected images of one size. Received"):
        panels.grid(rows)


def test_a_wrong_number_of_titles_is_an_error():
    with pytest.raises(ValueError, match="Expected 1 `column_titles`. Received: 2"):
        panels.grid([[RED]], column_titles=["a", "b"])
    with pytest.raises(ValueError, match="Expected 1 `row_titles`. Received: 0"):
        panels.grid([[RED]], row_titles=[])


def test_a_contact_sheet_shows_pairs_with_wider_gaps_between_them():
    black = np.zeros([3, 3], np.uint8)
    sheet = panels.contact_sheet(iter([(black, black)] * 4), tile=8, columns=3)
    pair, gap = 2 * 8 + 4, panels.PAIR_GAP
    assert sheet.shape == (2 * 8 + gap, 3 * pair + 2 * gap, 3)
    assert sheet.dtype == np.uint8
    inked = np.flatnonzero(sheet[:8, :, 0].max(0) == 0)
    starts = [start + side for start in (0, pair + gap, 2 * (pair + gap)) for side in (0, 12)]
    np.testing.assert_array_equal(inked, np.add.outer(starts, np.arange(8)).ravel())
    np.testing.assert_array_equal(sheet[-8:, :pair], sheet[:8, :pair])
    assert (sheet[8:-8] == 255).all()
    assert (sheet[-8:, pair:] == 255).all()
    assert gap > 4


@pytest.mark.parametrize(
    ("shape", "top", "left"),
    [((4, 8, 3), 2, 0), ((400, 200, 1), 0, 2), ((2, 1), 0, 2), ((1, 1000), 3, 0), ((8, 8), 0, 0)],
)
def test_an_image_fills_its_square_one_way_and_keeps_its_shape(shape, top, left):
    square = panels.in_square(np.full(shape, 50, np.uint8), 8)
    expected = np.full([8, 8, 3], 255)
    height = 1 if shape == (1, 1000) else 8 - 2 * top  # never thinner than a pixel
    expected[top : top + height, left : 8 - left] = 50
    np.testing.assert_array_equal(square, expected)


def test_a_contact_sheet_needs_a_pair_and_room():
    with pytest.raises(ValueError, match="at least one pair of images. Received: none"):
        panels.contact_sheet(iter([]))
    with pytest.raises(ValueError, match="Received: tile=0, columns=3"):
        panels.contact_sheet([(RED, RED)], tile=0)
    with pytest.raises(ValueError, match="Received: tile=8, columns=0"):
        panels.contact_sheet([(RED, RED)], tile=8, columns=0)
