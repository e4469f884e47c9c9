"""An image of any size there and back."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests import made
from tests.tolerances import TOLERANCE
from ugatit_tf.data import pipeline
from ugatit_tf.images import image_array
from ugatit_tf.translation.fit import make_fit, resize

SIZES = [(1, 1), (2, 9), (7, 8), (8, 8), (33, 50), (40, 36)]


@pytest.mark.parametrize("size", SIZES)
def test_keep_gives_every_image_back_as_it_was(size):
    image = made.images(*size, 3)
    fit = make_fit(*size, "keep")
    assert all(side % 4 == 0 and side >= 8 for side in fit.shape)
    assert all(seen - own < max(4, 8 - own + 1) for seen, own in zip(fit.shape, size))
    x = fit.apply(image)
    assert x.shape == (*fit.shape, 3)
    np.testing.assert_array_equal(fit.undo(x), image)


def test_keep_reflects_below_and_on_the_right():
    row = np.float32([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).reshape(1, 10, 1)
    x = make_fit(1, 10, "keep").apply(row)
    np.testing.assert_array_equal(x[0, :, 0], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 9, 8])


@pytest.mark.parametrize("restore", [True, False])
def test_stretch_is_the_official_resizing(restore):
    pixels = np.random.default_rng(0).integers(0, 256, [30, 50, 3], dtype=np.uint8)
    fit = make_fit(30, 50, "stretch", size=16, restore=restore)
    expected = pipeline.resized(tf.constant(pixels), 16)
    x = fit.apply(pixels.astype(np.float32) / 127.5 - 1)
    np.testing.assert_allclose(x, expected, **TOLERANCE["float32"])
    assert fit.undo(x).shape == ((30, 50, 3) if restore else (16, 16, 3))


def test_crop_is_the_square_in_the_middle():
    image = made.images(20, 41, 1)
    fit = make_fit(20, 41, "crop", size=20)
    np.testing.assert_array_equal(fit.apply(image), image[:, 10:30])
    assert make_fit(20, 41, "crop", size=8).undo(np.zeros([8, 8, 1], np.float32)).shape == (
        20,
        20,
        1,
    )
    assert make_fit(20, 41, "crop", size=8, restore=False).result == (8, 8)


@pytest.mark.parametrize("size", [(20, 40), (40, 21)])
def test_pad_keeps_the_shape_and_reflects_to_a_square(size):
    fit = make_fit(*size, "pad", size=40)
    image = made.images(*size, 1)
    x = fit.apply(image)
    assert x.shape == (40, 40, 1)
    np.testing.assert_array_equal(fit.undo(x), image)
    shorter = np.argmin(size)
    margin = fit.margins[shorter]
    inside = np.moveaxis(x, shorter, 0)[:, :, 0]
    np.testing.assert_array_equal(inside[margin - 1], inside[margin + 1])


@pytest.mark.parametrize(
    ("options", "inner"),
    [
        ({"size": 10}, (10, 20)),
        ({"max_side": 20}, (10, 20)),
        ({"max_side": 1000}, (40, 80)),
        ({"size": 80, "max_side": 40}, (20, 40)),
    ],
)
def test_keep_scales_by_the_shorter_or_the_longer_side(options, inner):
    fit = make_fit(40, 80, "keep", **options)
    assert (fit.inner, fit.result) == (inner, (40, 80))
    assert make_fit(40, 80, "keep", restore=False, **options).result == inner


@pytest.mark.parametrize(
    ("options", "scale"),
    [
        ({"fit": "keep", "size": 10}, 0.25),
        ({"fit": "keep"}, 1),
        ({"fit": "pad", "size": 40}, 0.5),
        ({"fit": "stretch", "size": 60}, 1.5),
    ],
)
def test_the_scale_is_that_of_what_the_networks_see(options, scale):
    assert make_fit(40, 80, **options).scale == pytest.approx(scale)


def test_scaling_down_takes_the_mean_of_what_a_pixel_covers():
    board = np.indices([32, 32]).sum(0, keepdims=True)[0] % 2 * 2.0 - 1
    small = resize(np.float32(board)[..., None], (8, 8))
    assert np.abs(small[2:-2, 2:-2]).max() < 0.1


def test_scaling_to_the_same_size_changes_nothing():
    image = made.images(5, 6, 3)
    assert resize(image, (5, 6)) is image


def test_stretching_of_the_pytorch_flavor_is_that_of_pillow():
    pixels = np.random.default_rng(3).integers(0, 256, [50, 30, 3], dtype=np.uint8)
    fit = make_fit(50, 30, "stretch", size=16, antialias=True)
    expected = Image.fromarray(pixels).resize((16, 16), Image.Resampling.BILINEAR)
    found = fit.apply(image_array.to_float(pixels))
    np.testing.assert_array_equal(image_array.to_uint8(found), np.asarray(expected))
    assert fit.undo(found).shape == (50, 30, 3)
    plain = make_fit(50, 30, "stretch", size=16).apply(image_array.to_float(pixels))
    assert np.abs(plain - found).max() > 0.1
