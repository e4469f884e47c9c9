"""The reflect-padded convolution and its upsampling form, against the plain way."""

import numpy as np
import pytest
import tensorflow as tf

from tests import made, reference
from tests.tolerances import TOLERANCE, rounding
from ugatit_tf import layers
from ugatit_tf.layers import convolution, target
from ugatit_tf.layers.dense import Dense

OFFICIAL = [  # kernel, stride, padding; every kind in the networks of both flavors
    (7, 1, 3),
    (3, 2, (1, 0)),
    (3, 1, 1),
    (4, 2, 1),
    (4, 1, (1, 2)),
    (1, 1, 0),
]


def built(layer, x):
    layer(x)
    return layer, made.filled(layer)


@pytest.mark.parametrize(("size", "stride", "padding"), OFFICIAL)
def test_a_convolution_matches_the_plain_one(size, stride, padding, run):
    x = made.numbers(2, 8, 6, 3)
    layer, weights = built(layers.Convolution(5, size, stride=stride, padding=padding), x)
    expected = reference.convolution(x, **weights, stride=stride, padding=padding)
    np.testing.assert_allclose(run(layer, x), expected, **TOLERANCE["float32"])


@pytest.mark.parametrize("height", [4, None], ids=["small", "of unknown size"])
@pytest.mark.parametrize(("size", "stride"), [(4, 1), (4, 2), (3, 1), (1, 1)])
def test_a_large_kernel_on_a_small_map_gives_what_a_convolution_gives(size, stride, height):
    """With channels enough for one matrix product, in values and in both gradients."""
    x = tf.constant(made.numbers(2, 4, 4, 3))
    kernel = tf.constant(made.numbers(size, size, 3, 4 * 16, seed=1))

    @tf.function(input_signature=[tf.TensorSpec([None, height, height, 3])])
    def ours(x):
        return convolution.convolve(x, kernel, stride)

    def plain(x):
        return tf.nn.conv2d(x, kernel, stride, "VALID")

    kinds = {op.type for op in ours.get_concrete_function().graph.get_operations()}
    assert ("MatMul" in kinds) == (height == 4)
    outputs = []
    for function in (lambda x: convolution.convolve(x, kernel, stride), plain):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = function(x)
            total = tf.reduce_sum(y * made.numbers(*y.shape, seed=2))
        outputs.append([y, *tape.gradient(total, [x, kernel])])
    for found, expected in zip(*outputs):
        np.testing.assert_allclose(found, expected, **TOLERANCE["float32"])


@pytest.mark.parametrize(
    ("channels", "height", "phases"), [(3, 12, True), (5, 12, False), (1, 11, False)]
)
def test_a_wide_kernel_with_few_outputs_gives_what_a_convolution_gives(channels, height, phases):
    x = tf.constant(made.numbers(2, height, 14, 5))
    kernel = tf.constant(made.numbers(7, 7, 5, channels, seed=1))
    traced = tf.function(lambda x: convolution.convolve(x, kernel, 1)).get_concrete_function(x)
    assert ("DepthToSpace" in {op.type for op in traced.graph.get_operations()}) == phases
    outputs = []
    for function in (convolution.convolve, lambda x, k, s: tf.nn.conv2d(x, k, s, "VALID")):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = function(x, kernel, 1)
            total = tf.reduce_sum(y * made.numbers(*y.shape, seed=2))
        outputs.append([y, *tape.gradient(total, [x, kernel])])
    for found, expected in zip(*outputs):
        # Sums of up to 245 products, which are of the size of 16.
        np.testing.assert_allclose(found, expected, atol=16 * rounding(245))


@pytest.mark.parametrize(
    ("size", "channels", "pixels"),
    [(4, 4 * 16, 7), (7, 3, 14)],
    ids=["a matrix product", "in phases"],
)
def test_a_gpu_takes_the_plain_form_of_what_a_cpu_does_otherwise(size, channels, pixels):
    x = tf.constant(made.numbers(2, pixels, pixels, 2))
    kernel = tf.constant(made.numbers(size, size, 2, channels, seed=1))
    outputs, kinds = {}, {}
    for kind in ("CPU", "GPU"):
        with target.traced_for(device=kind):
            function = tf.function(lambda: convolution.convolve(x, kernel, 1))
            outputs[kind] = function()
            graph = function.get_concrete_function().graph
        kinds[kind] = {op.type for op in graph.get_operations()}
    assert kinds["GPU"] == {"Placeholder", "Conv2D", "Identity"}  # of what it captured
    assert not kinds["CPU"] <= kinds["GPU"]
    np.testing.assert_allclose(outputs["CPU"], outputs["GPU"], **TOLERANCE["float32"])


@pytest.mark.parametrize(("size", "stride", "padding"), OFFICIAL)
def test_the_size_is_kept_or_halved(size, stride, padding):
    y = layers.Convolution(5, size, stride=stride, padding=padding)(made.numbers(1, 8, 12, 3))
    assert y.shape == [1, 8 // stride, 12 // stride, 5]


@pytest.mark.parametrize(
    ("size", "stride", "padding", "expected"),
    [  # which pixel each tap of the first window sees, in the row 1 2 3 4 5 6
        (3, 1, 1, [2, 1, 2]),
        (7, 1, 3, [4, 3, 2, 1, 2, 3, 4]),
        (3, 2, (1, 0), [2, 1, 2]),
        (4, 2, 1, [2, 1, 2, 3]),
        (4, 1, (1, 2), [2, 1, 2, 3]),
    ],
)
def test_the_border_is_reflected_without_its_edge(size, stride, padding, expected):
    _, first = windows(size, stride, padding)
    np.testing.assert_array_equal(first, expected)


@pytest.mark.parametrize(
    ("size", "stride", "padding", "expected"),
    [
        (3, 1, 1, [5, 6, 5]),
        (7, 1, 3, [3, 4, 5, 6, 5, 4, 3]),
        (3, 2, (1, 0), [4, 5, 6]),  # nothing below and on the right
        (4, 2, 1, [4, 5, 6, 5]),
        (4, 1, (1, 2), [5, 6, 5, 4]),  # two pixels there
    ],
)
def test_a_pair_of_paddings_is_above_and_on_the_left_then_below_and_on_the_right(
    size, stride, padding, expected
):
    last, _ = windows(size, stride, padding)
    np.testing.assert_array_equal(last, expected)


def windows(size, stride, padding):
    """What the last and the first window see, along the rows and the same along the columns."""
    layer = layers.Convolution(size, size, stride=stride, padding=padding)
    layer(made.numbers(1, 6, 6, 1))
    seen = []
    for axis in (1, 2):
        x = np.broadcast_to(np.arange(1.0, 7.0).reshape([-1, 1] if axis == 1 else [1, -1]), [6, 6])
        taps = np.zeros([size, size, 1, size], np.float32)
        for tap in range(size):  # the output's channel `tap` is that tap alone
            taps[(tap, 0, 0, tap) if axis == 1 else (0, tap, 0, tap)] = 1.0
        layer.kernel.assign(taps)
        y = layer(x.reshape(1, 6, 6, 1).astype(np.float32)).numpy()[0]
        seen.append((y[-1, 0], y[0, 0]) if axis == 1 else (y[0, -1], y[0, 0]))
    np.testing.assert_array_equal(seen[0], seen[1])
    return seen[0]


def test_kernels_start_small_and_biases_at_zero():
    layer = layers.Convolution(64, 7)
    layer(made.numbers(1, 8, 8, 3))
    kernel = made.raw(layer.kernel).numpy()
    assert abs(kernel.mean()) < 0.001
    assert kernel.std() == pytest.approx(0.02, rel=0.05)
    np.testing.assert_array_equal(made.raw(layer.bias), np.zeros(64))


def test_two_layers_of_one_shape_start_differently():
    first, second = layers.Convolution(3, 3), layers.Convolution(3, 3)
    x = made.numbers(1, 4, 4, 3)
    first(x), second(x)
    difference = made.raw(first.kernel).numpy() - made.raw(second.kernel).numpy()
    assert np.abs(difference).max() > 1e-3


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (4, 4), (5, 2)])
def test_upsampling_by_phases_matches_the_plain_way(height, width, run):
    x = made.numbers(2, height, width, 3)
    layer, weights = built(layers.UpsampleConvolution(4), x)
    expected = reference.upsample_convolution(x, **weights)
    assert expected.shape == (2, 2 * height, 2 * width, 4)
    np.testing.assert_allclose(run(layer, x), expected, **TOLERANCE["float32"])


def test_upsampling_of_1_2_by_hand(run):
    layer = layers.UpsampleConvolution(1)
    x = made.counting((1, 1, 2, 1))
    layer(x)
    layer.kernel.assign(np.float32([0, 0, 0, 1, 10, 100, 0, 0, 0]).reshape(3, 3, 1, 1))
    # the row is 1 1 2 2, reflected to 1 | 1 1 2 2 | 2
    expected = [[111, 211, 221, 222]] * 2
    np.testing.assert_allclose(run(layer, x)[0, :, :, 0], expected, **TOLERANCE["float32"])


@pytest.mark.parametrize("size", [(2, 3), (1, 1), (9, 4)])
def test_the_portable_form_of_upsampling_is_equal_bit_for_bit(run, size):
    x = made.numbers(2, *size, 5)
    layer, _ = built(layers.UpsampleConvolution(4), x)
    expected = run(layer, x)
    with target.traced_for(portable=True):
        np.testing.assert_array_equal(run(layer, x), expected)
    assert not target.is_portable()


def test_a_target_changes_only_what_it_says_and_ends():
    def now():
        return target.is_gpu(), target.is_portable()

    before = now()
    with target.traced_for(device="GPU"):
        with target.traced_for(portable=True):
            assert now() == (True, True)
            with target.traced_for(device="CPU"):
                assert now() == (False, True)
            assert now() == (True, True)
        assert now() == (True, False)
    assert now() == before


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        (
            layers.Convolution(2, 4, stride=2, padding=1),
            lambda x, k, b: reference.convolution(x, k, b, stride=2, padding=1),
        ),
        (layers.UpsampleConvolution(2), reference.upsample_convolution),
    ],
    ids=["convolution", "upsampling"],
)
def test_gradients_match_central_differences(layer, formula):
    x = made.numbers(1, 4, 6, 2)
    _, weights = built(layer, x)
    upstream = made.numbers(*layer(x).shape, seed=8)
    with tf.GradientTape() as tape:
        inputs = tf.constant(x)
        tape.watch(inputs)
        value = tf.reduce_sum(layer(inputs) * upstream)
    found = tape.gradient(value, [inputs, made.raw(layer.kernel), made.raw(layer.bias)])

    arguments = [np.float64(a) for a in (x, weights["kernel"], weights["bias"])]
    for position, gradient in enumerate(found):

        def weighed(value, position=position):
            return (
                formula(*arguments[:position], value, *arguments[position + 1 :]) * upstream
            ).sum()

        expected = reference.numeric_gradient(weighed, arguments[position])
        np.testing.assert_allclose(gradient, expected, **TOLERANCE["gradient"])


def test_padding_of_one_on_all_sides_makes_a_map_of_stride_1_a_pixel_smaller(run):
    x = made.numbers(2, 5, 6, 3)
    layer, weights = built(layers.Convolution(5, 4, padding=(1, 1)), x)
    found = run(layer, x)
    assert found.shape == (2, 4, 5, 5)
    expected = reference.convolution(x, **weights, padding=(1, 1))
    np.testing.assert_allclose(found, expected, **TOLERANCE["float32"])


def test_padding_of_an_even_map_reaches_nothing_after_its_end_at_stride_2(run):
    x = made.numbers(2, 8, 6, 3)
    layer, weights = built(layers.Convolution(5, 3, stride=2, padding=(1, 0)), x)
    other = layers.Convolution(5, 3, stride=2, padding=1)
    other(x)
    other.kernel.assign(weights["kernel"])
    other.bias.assign(weights["bias"])
    np.testing.assert_array_equal(run(layer, x), run(other, x))


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        (layers.Convolution(5, 3, padding=1, bias=False), reference.convolution),
        (layers.UpsampleConvolution(5, bias=False), reference.upsample_convolution),
        (Dense(5, bias=False), None),
    ],
    ids=["convolution", "upsampling", "dense"],
)
def test_a_layer_without_bias_is_its_kernel_alone(layer, formula, run):
    x = made.numbers(2, 4, 6, 3) if formula else made.numbers(2, 3)
    _, weights = built(layer, x)
    assert set(weights) == {"kernel"}
    assert layer.bias is None
    kernel = weights["kernel"]
    if formula is reference.convolution:
        expected = formula(x, kernel, padding=1)
    else:
        expected = formula(x, kernel) if formula else np.float64(x) @ kernel
    np.testing.assert_allclose(run(layer, x), expected, **TOLERANCE["float32"])


@pytest.mark.parametrize(
    ("layer", "x", "fan_in"),
    [
        (layers.Convolution(64, 3, start="uniform"), made.numbers(1, 8, 8, 16), 9 * 16),
        (layers.UpsampleConvolution(64, start="uniform"), made.numbers(1, 8, 8, 16), 9 * 16),
        (Dense(400, start="uniform"), made.numbers(1, 100), 100),
        (layers.CAM(start="uniform").mixer, [made.numbers(1, 2, 2, 50), np.ones([50, 1])], 100),
    ],
    ids=["convolution", "upsampling", "dense", "mixer"],
)
def test_a_uniform_start_lies_within_one_over_the_root_of_the_fan_in(layer, x, fan_in):
    layer(*(np.float32(one) for one in x)) if isinstance(x, list) else layer(x)
    bound = 1 / np.sqrt(fan_in)
    kernel, bias = made.raw(layer.kernel).numpy(), made.raw(layer.bias).numpy()
    for array, share in ((kernel, 0.99), (bias, 0.8)):
        assert share * bound < np.abs(array).max() <= bound * (1 + 1e-6)
        assert array.min() < 0 < array.max()
    assert kernel.std() == pytest.approx(bound / np.sqrt(3), rel=0.03)
    assert abs(kernel.mean()) < 0.05 * bound
