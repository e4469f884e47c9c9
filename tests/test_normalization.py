"""All normalizations: values, gradients and clipping, each against the formula."""

import numpy as np
import pytest
import tensorflow as tf

from tests import made, reference
from tests.tolerances import LAYER, NETWORK, TOLERANCE, rounding
from ugatit_tf import layers
from ugatit_tf.layers.weights import roles_of

X = made.numbers(2, 3, 4, 5, seed=1) * 2 + 1
GAMMA, BETA = made.numbers(2, 5, seed=2), made.numbers(2, 5, seed=3)
UPSTREAM = made.numbers(2, 3, 4, 5, seed=4)  # a plain sum of a normalized map has no gradient
RHO = np.array([0.0, 0.05, 0.3, 0.7, 1.0], np.float32)


def built(layer, *inputs):
    layer(*inputs)
    return layer, made.filled(layer, seed=5)


def test_instance_normalization_of_1_2_3(run):
    x = np.float32([1, 2, 3]).reshape(1, 3, 1, 1)
    found = run(layers.InstanceNormalization(epsilon=0.0), x)
    root = np.sqrt(1.5)  # mean 2, population variance 2 / 3
    np.testing.assert_allclose(found.ravel(), [-root, 0, root], **TOLERANCE["float32"])


def test_lin_starts_as_layer_normalization_of_1_2_3(run):
    x = np.float32([1, 2, 3]).reshape(1, 1, 1, 3)  # three channels of one pixel
    found = run(layers.LIN(), x)
    root = 1 / np.sqrt(2 / 3 + 1e-5)
    np.testing.assert_allclose(found.ravel(), [-root, 0, root], **TOLERANCE["float32"])


def test_epsilon_is_inside_the_root(run):
    x = np.float32([-1, 1]).reshape(1, 2, 1, 1)  # variance 1
    found = run(layers.InstanceNormalization(epsilon=3.0), x)
    np.testing.assert_allclose(found.ravel(), [-0.5, 0.5], **TOLERANCE["float32"])


def test_epsilon_is_0_00001_by_default():
    for layer in (layers.InstanceNormalization(), layers.LIN(), layers.AdaLIN()):
        assert layer.epsilon == 1e-5


@pytest.mark.parametrize("shape", [(2, 3, 3, 4), (1, 5, 2, 1), (1, 2, 1, 3)])
def test_instance_normalization_matches_the_formula(shape, run):
    layer, weights = built(layers.InstanceNormalization(), made.counting(shape))
    expected = reference.instance_norm(np.float64(made.counting(shape)), **weights)
    np.testing.assert_allclose(run(layer, made.counting(shape)), expected, **TOLERANCE["float32"])


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (2, 3, 3, 4), (1, 5, 2, 1)])
def test_lin_matches_the_formula(shape, run):
    layer, weights = built(layers.LIN(), made.counting(shape))
    expected = reference.lin(np.float64(made.counting(shape)), **weights)
    # A map of one pixel is divided by the root of epsilon alone: up to 3 * 316, less as much.
    atol = 3 * 316 * rounding(8) if shape[1:3] == (1, 1) else LAYER
    np.testing.assert_allclose(run(layer, made.counting(shape)), expected, rtol=LAYER, atol=atol)


@pytest.mark.parametrize("smoothing", [True, False])
@pytest.mark.parametrize("rho", [0.0, 0.05, 0.25, 1.0])
def test_adalin_matches_the_formula(rho, smoothing, run):
    layer = layers.AdaLIN(rho=rho, smoothing=smoothing)
    expected = reference.adalin(np.float64(X), GAMMA, BETA, rho=rho, smoothing=smoothing)
    np.testing.assert_allclose(run(layer, X, GAMMA, BETA), expected, **TOLERANCE["float32"])


def test_the_mix_is_chosen_channel_by_channel(run):
    layer, _ = built(layers.AdaLIN(smoothing=False), X, GAMMA, BETA)
    layer.rho.assign(RHO)
    found = run(layer, X, GAMMA, BETA)
    for channel, rho in enumerate(RHO):
        expected = reference.adalin(np.float64(X), GAMMA, BETA, rho=rho, smoothing=False)
        both = found[..., channel], expected[..., channel]
        np.testing.assert_allclose(*both, **TOLERANCE["float32"])


def test_a_large_mean_does_not_drown_the_variance(run):
    x = made.numbers(1, 8, 8, 2, seed=6) + 1000
    found = run(layers.InstanceNormalization(), x)
    expected = reference.standardize(np.float64(x), (1, 2))
    # The mean is a sum of 64 numbers.
    np.testing.assert_allclose(found, expected, atol=1000 * rounding(64))


def test_a_constant_map_becomes_the_shift(run):
    x = np.full([1, 2, 2, 3], 7, np.float32)
    layer, weights = built(layers.InstanceNormalization(), x)
    expected = np.broadcast_to(weights["beta"], x.shape)
    # x * scale - mean * scale, with a scale of 1 / sqrt(0.00001).
    np.testing.assert_allclose(run(layer, x), expected, atol=7 * 316 * rounding(8))


@pytest.mark.parametrize(
    ("groups", "channels", "used"),
    [(1, 6, 1), (2, 6, 2), (32, 256, 32), (32, 128, 32), (32, 16, 8), (32, 6, 3), (32, 1, 1)],
)
def test_group_normalization_matches_the_formula(groups, channels, used, run):
    """Groups are as many as asked for, but of two channels at least."""
    x = made.numbers(2, 3, 4, channels, seed=7) * 2 + 1
    layer, weights = built(layers.GroupNormalization(groups=groups), x)
    expected = reference.group_norm(np.float64(x), **weights, groups=used)
    np.testing.assert_allclose(run(layer, x), expected, **TOLERANCE["float32"])


def test_adain_is_adalin_with_rho_fixed_at_1(run):
    adalin = layers.AdaLIN(rho=1.0, smoothing=False)
    found = run(layers.AdaIN(), X, GAMMA, BETA)
    np.testing.assert_allclose(found, run(adalin, X, GAMMA, BETA), **TOLERANCE["float32"])
    assert layers.AdaIN().weights == []


CASES = {
    "instance": (
        layers.InstanceNormalization,
        {},
        lambda x, gamma, beta: reference.instance_norm(x, gamma, beta),
        ["gamma", "beta"],
        [],
    ),
    "layer-instance": (
        layers.LIN,
        {},
        lambda x, rho, gamma, beta: reference.lin(x, rho, gamma, beta),
        ["rho", "gamma", "beta"],
        [],
    ),
    "group": (
        layers.GroupNormalization,
        {"groups": 1},
        lambda x, gamma, beta: reference.group_norm(x, gamma, beta, groups=1),
        ["gamma", "beta"],
        [],
    ),
    "adaptive instance": (
        layers.AdaIN,
        {},
        lambda x, gamma, beta: reference.instance_norm(
            x, gamma[:, None, None], beta[:, None, None]
        ),
        [],
        [GAMMA, BETA],
    ),
    "layer-instance, unbiased, not affine": (
        layers.LIN,
        {"unbiased": True, "affine": False},
        lambda x, rho: reference.lin(x, rho, unbiased=True),
        ["rho"],
        [],
    ),
    "adaptive, unbiased": (
        layers.AdaLIN,
        {"smoothing": False, "unbiased": True},
        lambda x, gamma, beta, rho: reference.adalin(
            x, gamma, beta, rho=rho, smoothing=False, unbiased=True
        ),
        ["rho"],
        [GAMMA, BETA],
    ),
    "instance, not affine": (
        layers.InstanceNormalization,
        {"affine": False},
        lambda x: reference.standardize(x, (1, 2)),
        [],
        [],
    ),
    "adaptive, smooth": (
        layers.AdaLIN,
        {},
        lambda x, gamma, beta, rho: reference.adalin(x, gamma, beta, rho=rho),
        ["rho"],
        [GAMMA, BETA],
    ),
    "adaptive, not smooth": (
        layers.AdaLIN,
        {"smoothing": False},
        lambda x, gamma, beta, rho: reference.adalin(x, gamma, beta, rho=rho, smoothing=False),
        ["rho"],
        [GAMMA, BETA],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_all_gradients_match_central_differences(case, run):
    kind, options, formula, names, further = CASES[case]
    layer, weights = built(kind(**options), X, *further)

    variables = [made.raw(getattr(layer, name)) for name in names]

    def all_gradients(*inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = tf.reduce_sum(layer(*inputs) * UPSTREAM)
        return tape.gradient(value, [*inputs, *variables])

    found = run(all_gradients, X, *further)
    arguments = [np.float64(a) for a in (X, *further, *(weights[name] for name in names))]
    assert len(found) == len(arguments)
    for position, gradient in enumerate(found):

        def weighed(value, position=position):
            changed = [*arguments[:position], value, *arguments[position + 1 :]]
            return (formula(*changed) * UPSTREAM).sum()

        expected = reference.numeric_gradient(weighed, arguments[position])
        np.testing.assert_allclose(
            gradient, expected, err_msg=f"{position}", **TOLERANCE["gradient"]
        )


def test_unbiased_variances_of_1_2_3_are_1(run):
    x = np.float32([1, 2, 3]).reshape(1, 1, 1, 3)
    of_a_layer = run(layers.LIN(unbiased=True, affine=False, epsilon=0.0), x.reshape(1, 3, 1, 1))
    np.testing.assert_allclose(of_a_layer.ravel(), [-1, 0, 1], **TOLERANCE["float32"])
    of_an_instance = run(layers.LIN(rho=1.0, unbiased=True, epsilon=0.0), x.reshape(1, 3, 1, 1))
    np.testing.assert_allclose(of_an_instance.ravel(), [-1, 0, 1], **TOLERANCE["float32"])


@pytest.mark.parametrize("shape", [(2, 3, 3, 4), (1, 5, 2, 1), (1, 2, 1, 3)])
@pytest.mark.parametrize("affine", [True, False])
def test_unbiased_lin_matches_the_formula_where_the_size_is_unknown_too(shape, affine):
    x = made.counting(shape)
    layer, weights = built(layers.LIN(unbiased=True, affine=affine), x)
    assert set(weights) == ({"rho", "gamma", "beta"} if affine else {"rho"})
    expected = reference.lin(np.float64(x), **weights, unbiased=True)
    unknown = tf.TensorSpec([None, None, None, shape[-1]])
    for function in (layer, tf.function(layer, input_signature=[unknown])):
        np.testing.assert_allclose(function(tf.constant(x)), expected, **TOLERANCE["float32"])


@pytest.mark.parametrize("rho", [0.0, 0.25, 1.0])
def test_unbiased_adalin_matches_the_formula(rho, run):
    layer = layers.AdaLIN(rho=rho, smoothing=False, unbiased=True)
    options = {"rho": rho, "smoothing": False, "unbiased": True}
    expected = reference.adalin(np.float64(X), GAMMA, BETA, **options)
    np.testing.assert_allclose(run(layer, X, GAMMA, BETA), expected, **TOLERANCE["float32"])
    biased = reference.adalin(np.float64(X), GAMMA, BETA, **{**options, "unbiased": False})
    assert np.abs(biased - expected).max() > 100 * LAYER


@pytest.mark.parametrize(
    "layer", [layers.InstanceNormalization(affine=False), layers.GroupNormalization(affine=False)]
)
def test_a_normalization_that_is_not_affine_has_no_weights(layer):
    layer(X)
    assert layer.weights == []


def test_the_moments_are_part_of_the_gradient(run):
    """With the moments held, d sum(y) / dx would be 1 / deviation; a shift of x changes nothing."""
    x = made.counting((1, 3, 1, 1))

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(layer(x))
        return tape.gradient(value, x)

    layer = layers.InstanceNormalization()
    layer(x)
    np.testing.assert_allclose(run(gradient, x), np.zeros(x.shape), atol=LAYER)


def test_the_gradient_of_a_clipped_rho_is_zero():
    """Below 0.1 the smoothed rho is clipped to 0; there rho has no effect, so no gradient."""
    layer, _ = built(layers.AdaLIN(), X, GAMMA, BETA)
    layer.rho.assign(RHO)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(layer(X, GAMMA, BETA) * UPSTREAM)
    gradient = tape.gradient(value, made.raw(layer.rho)).numpy()
    np.testing.assert_array_equal(gradient[:2], [0, 0])
    assert (np.abs(gradient[2:]) > 10 * NETWORK).all()


@pytest.mark.parametrize(
    ("layer", "inputs", "start"),
    [
        (layers.InstanceNormalization(), [X], {"gamma": 1, "beta": 0}),
        (layers.GroupNormalization(), [X], {"gamma": 1, "beta": 0}),
        (layers.LIN(), [X], {"rho": 0, "gamma": 1, "beta": 0}),
        (layers.AdaLIN(), [X, GAMMA, BETA], {"rho": 1}),
        (layers.AdaLIN(rho=0.9), [X, GAMMA, BETA], {"rho": 0.9}),
    ],
)
def test_weights_start_as_the_paper_says(layer, inputs, start):
    layer(*inputs)
    assert len(layer.trainable_weights) == len(start)
    for name, value in start.items():
        np.testing.assert_array_equal(
            made.raw(getattr(layer, name)), np.full([5], value, np.float32)
        )


def test_smoothing_leaves_the_stored_rho_alone(run):
    layer, weights = built(layers.AdaLIN(), X, GAMMA, BETA)
    run(layer, X, GAMMA, BETA)
    np.testing.assert_array_equal(made.raw(layer.rho), weights["rho"])


@pytest.mark.parametrize("kind", [layers.LIN, layers.AdaLIN])
def test_rho_is_clipped_to_the_unit_interval_and_nothing_else_is(kind):
    layer = kind()
    layer(X, *([GAMMA, BETA] if kind is layers.AdaLIN else []))
    clipped = {path: role.clipped for path, role in roles_of(layer).items() if role.clipped}
    assert clipped == {"rho": (0.0, 1.0)}


@pytest.mark.parametrize("kind", [layers.LIN, layers.AdaLIN])
@pytest.mark.parametrize("rho", [-0.1, 1.1, float("nan")])
def test_a_rho_outside_the_unit_interval_is_refused(kind, rho):
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]. Received: rho="):
        kind(rho=rho)
