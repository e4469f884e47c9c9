"""Tiles join without a seam."""

import numpy as np
import pytest

from tests import made
from tests.tolerances import TOLERANCE
from ugatit_tf.translation import tiles


@pytest.mark.parametrize("size", [(64, 64), (64, 200), (200, 64), (132, 68), (300, 204), (8, 400)])
def test_what_is_the_same_in_every_tile_is_the_same_in_the_whole(size):
    image = made.images(*size, 3)
    seen = []

    def function(tile):
        seen.append(tile.shape[1:3])
        return {"image": 2 * tile, "heatmap": tile[:, ::4, ::4, 0]}

    results = tiles.in_tiles(function, image, 64)
    np.testing.assert_allclose(results["image"], 2 * image, **TOLERANCE["float32"])
    assert len(set(seen)) == 1
    assert all(tile <= min(64, side) for tile, side in zip(seen[0], size))


def test_where_tiles_differ_they_go_over_into_each_other():
    levels = iter(range(100))

    def function(tile):
        return {"image": np.full_like(tile, next(levels))}

    results = tiles.in_tiles(function, np.zeros([64, 256, 1], np.float32), 64)
    row = results["image"][0, :, 0]
    assert row[0] == 0 and row[-1] == max(row) == 4
    assert np.all(np.diff(row) >= 0)
    assert np.diff(row).max() < 0.25  # over about the eight pixels that two have in common


@pytest.mark.parametrize("length", [64, 68, 120, 124, 1000, 4004])
def test_tiles_cover_all_and_share_the_overlap_but_hardly_more(length):
    size, starts = tiles._spans(length, 64)
    assert size <= 64 and size % 4 == 0
    assert starts[0] == 0 and starts[-1] == length - size
    assert all(start % 4 == 0 for start in starts)
    shared = [earlier + size - later for earlier, later in zip(starts, starts[1:])]
    assert all(64 // tiles.OVERLAP - 4 <= pixels <= 64 // tiles.OVERLAP + 8 for pixels in shared)


@pytest.mark.parametrize("pixels", [4096, 5000, 2_000_000])
def test_a_tile_has_at_most_the_pixels_asked_for(pixels):
    side = tiles.side_of(pixels)
    assert side % 8 == 0
    assert side**2 <= pixels < (side + 8) ** 2
