"""Finding, cutting and pasting a face."""

import sys

import numpy as np
import pytest

from ugatit_tf.data import demo
from ugatit_tf.errors import Failure
from ugatit_tf.translation import face


def test_the_region_is_inside_the_image_around_the_largest_face(monkeypatch):
    boxes = [[10, 10, 8, 8], [60, 40, 20, 20]]
    monkeypatch.setattr(face, "detect", lambda pixels: boxes)
    assert face.find(np.zeros([100, 200, 3], np.uint8)) == (28, 50, 40)
    boxes[1] = [60, 0, 20, 20]
    assert face.find(np.zeros([100, 200, 3], np.uint8)) == (0, 50, 40)
    boxes[1] = [0, 0, 90, 90]
    assert face.find(np.zeros([100, 120, 3], np.uint8)) == (0, 0, 100)


def test_a_face_is_found_where_it_is():
    """One of the built-in faces that looks enough like a person to the detector."""
    pixels = np.full([300, 420, 3], 230, np.uint8)
    pixels[80:240, 150:310] = demo.draw("A", 8, size=160)
    top, left, side = face.find(pixels)
    assert 80 <= top + side / 2 < 240 and 150 <= left + side / 2 < 310
    assert 100 <= side <= 250
    large = np.kron(pixels, np.ones([4, 4, 1], np.uint8))  # looked for in a smaller one
    assert np.allclose(face.find(large), [4 * top, 4 * left, 4 * side], atol=100)


def test_where_there_is_no_face_there_is_no_region():
    noise = np.random.default_rng(0).integers(0, 256, [90, 120, 3], dtype=np.uint8)
    assert face.find(noise) is None
    assert face.find(noise[..., :1]) is None
    assert face.find(np.zeros([1, 1, 3], np.uint8)) is None


def test_pasting_changes_the_region_alone_and_softly():
    pixels = np.zeros([60, 80, 3], np.uint8)
    square = np.full([40, 40, 3], 200, np.uint8)
    result = face.paste(pixels, square, (10, 20, 40))
    outside = result.copy()
    outside[10:50, 20:60] = 0
    assert not outside.any() and not pixels.any()
    assert (result[25:35, 35:45] == 200).all()
    assert np.abs(np.diff(result[30, :, 0].astype(int))).max() < 80
    assert result[10, 20, 0] == 0


def test_pasting_the_same_face_changes_nothing():
    pixels = np.random.default_rng(0).integers(0, 256, [50, 60, 3], dtype=np.uint8)
    region = (3, 7, 40)
    np.testing.assert_array_equal(face.paste(pixels, face.cut(pixels, region), region), pixels)


def test_a_heatmap_of_the_face_is_cold_elsewhere():
    heatmap = np.random.default_rng(0).random([10, 10]).astype(np.float32)
    whole = face.place_heatmap(heatmap, (5, 6, 10), 20, 30)
    np.testing.assert_array_equal(whole[5:15, 6:16], heatmap)
    assert whole[0, 0] == whole[-1, -1] == heatmap.min()


def test_without_opencv_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(Failure, match="pip install -r requirements-face.txt"):
        face.find(np.zeros([8, 8, 3], np.uint8))
