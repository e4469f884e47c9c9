"""Spectral normalization: sigma, its gradient, and what happens to the kernel and to u."""

import numpy as np
import pytest
import tensorflow as tf

from tests import made, reference
from tests.tolerances import LAYER, NETWORK, TOLERANCE
from ugatit_tf import layers
from ugatit_tf.layers.spectral import spectral_norm

KERNEL = made.numbers(3, 3, 2, 4, seed=1)
U = made.numbers(1, 4, seed=2)
X = made.numbers(2, 6, 6, 2, seed=3)


def singular_values(kernel):
    return np.linalg.svd(np.float64(kernel).reshape(-1, kernel.shape[-1]), compute_uv=False)


@pytest.fixture
def convolution():
    layer = layers.Convolution(4, 3, padding=1, spectral_norm=True)
    layer(X)
    layer.kernel.assign(KERNEL)
    layer.u.assign(U)
    return layer


def test_the_norm_of_a_diagonal_kernel_is_its_largest_entry(run):
    sigma, next_u, _ = run(
        spectral_norm, np.diag([3.0, 1.0]).astype(np.float32), np.float32([[1, 0]])
    )
    assert sigma == pytest.approx(3.0)
    np.testing.assert_allclose(next_u, [[1, 0]], **TOLERANCE["float32"])


@pytest.mark.parametrize("shape", [(3, 3, 2, 4), (4, 4, 3, 1), (5, 1), (2, 7)])
def test_one_power_iteration_matches_the_formula(shape, run):
    kernel, u = made.numbers(*shape, seed=4), made.numbers(1, shape[-1], seed=5)
    sigma, next_u, _ = run(spectral_norm, kernel, u)
    expected_sigma, expected_u = reference.spectral_norm(kernel, u)
    np.testing.assert_allclose(sigma, expected_sigma, **TOLERANCE["float32"])
    np.testing.assert_allclose(next_u, expected_u, **TOLERANCE["float32"])


def test_sigma_converges_to_the_largest_singular_value():
    u = tf.constant(U)
    for _ in range(60):
        sigma, u, _ = spectral_norm(tf.constant(KERNEL), u)
    np.testing.assert_allclose(sigma, singular_values(KERNEL)[0], **TOLERANCE["float32"])
    np.testing.assert_allclose(tf.norm(u), 1.0, **TOLERANCE["float32"])


def test_one_iteration_never_exceeds_the_true_norm():
    for seed in range(20):
        kernel, u = made.numbers(6, 3, seed=seed), made.numbers(1, 3, seed=100 + seed)
        sigma, *_ = spectral_norm(tf.constant(kernel), tf.constant(u))
        assert 0 < sigma <= singular_values(kernel)[0] * (1 + LAYER), f"seed {seed}"


def test_a_kernel_of_zeros_has_the_norm_zero_and_not_nan(run):
    sigma, next_u, _ = run(spectral_norm, np.zeros([3, 2], np.float32), np.float32([[1, 1]]))
    assert sigma == 0
    np.testing.assert_array_equal(next_u, [[0, 0]])


def test_the_gradient_of_sigma_is_that_with_both_vectors_held(run):
    def gradient(kernel, u):
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            sigma, *_ = spectral_norm(kernel, u)
        return tape.gradient(sigma, kernel)

    v, next_u = reference.power_iteration(KERNEL, U)
    expected = reference.numeric_gradient(lambda k: reference.rayleigh(k, v, next_u), KERNEL)
    np.testing.assert_allclose(run(gradient, KERNEL, U), expected, **TOLERANCE["gradient"])


def test_u_gets_no_gradient():
    u = tf.constant(U)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(u)
        sigma, next_u, _ = spectral_norm(tf.constant(KERNEL), u)
        total = tf.reduce_sum(next_u)
    assert tape.gradient(sigma, u) is None
    assert tape.gradient(total, u) is None


def test_the_gradient_of_a_convolution_flows_through_sigma(convolution, run):
    upstream = made.numbers(2, 6, 6, 4, seed=6)

    def gradient(x):
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(convolution(x) * upstream)
        return tape.gradient(value, made.raw(convolution.kernel))

    v, u = reference.power_iteration(KERNEL, U)

    def formula(kernel):
        normalized = kernel / reference.rayleigh(kernel, v, u)
        return (reference.convolution(np.float64(X), normalized, padding=1) * upstream).sum()

    found = run(gradient, X)
    expected = reference.numeric_gradient(formula, KERNEL)
    np.testing.assert_allclose(found, expected, **TOLERANCE["gradient"])
    # Scaling the kernel scales sigma too: along the kernel itself nothing changes, if u is right.
    held = reference.numeric_gradient(
        lambda k: (reference.convolution(np.float64(X), k, padding=1) * upstream).sum(), KERNEL
    )
    along, held_along = ((gradient * KERNEL).sum() for gradient in (found, held))
    assert np.abs(along) < NETWORK * np.abs(held_along)


def test_the_gradient_of_the_input_is_divided_by_sigma(convolution, run):
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(convolution(x) ** 2)
        return tape.gradient(value, x)

    normalized = KERNEL / reference.spectral_norm(KERNEL, U)[0]
    expected = reference.numeric_gradient(
        lambda x: (reference.convolution(x, normalized, padding=1) ** 2).sum(), X
    )
    np.testing.assert_allclose(run(gradient, X), expected, **TOLERANCE["gradient"])


@pytest.mark.parametrize("training", [True, False])
def test_a_convolution_uses_the_kernel_over_sigma(convolution, training, run):
    expected = reference.convolution(
        np.float64(X), KERNEL / reference.spectral_norm(KERNEL, U)[0], padding=1
    )
    found = run(convolution, X, training=training)
    np.testing.assert_allclose(found, expected, **TOLERANCE["float32"])


@pytest.mark.parametrize("training", [True, False])
def test_the_stored_kernel_is_never_overwritten(convolution, training, run):
    for _ in range(3):
        run(convolution, X, training=training)
    np.testing.assert_array_equal(made.raw(convolution.kernel), KERNEL)


def test_u_moves_by_one_iteration_in_each_training_call(convolution, run):
    expected = U
    for _ in range(3):
        run(convolution, X, training=True)
        _, expected = reference.spectral_norm(KERNEL, expected)
        np.testing.assert_allclose(made.raw(convolution.u), expected, **TOLERANCE["float32"])


def test_u_rests_without_training(convolution, run):
    run(convolution, X)
    run(convolution, X, training=False)
    np.testing.assert_array_equal(made.raw(convolution.u), U)


def test_u_is_a_state_and_not_trained(convolution):
    assert [w.name.split("/")[-1].split(":")[0] for w in convolution.non_trainable_weights] == ["u"]
    assert len(convolution.trainable_weights) == 2
    fresh = layers.Convolution(64, 3, spectral_norm=True)
    fresh(X)
    assert made.raw(fresh.u).shape == [1, 64]
    assert 6 < np.linalg.norm(made.raw(fresh.u)) < 10  # normal(0, 1), about the root of 64


def test_the_cam_head_has_one_spectral_state(run):
    layer = layers.CAM(spectral_norm=True)
    layer(X)
    weights = made.filled(layer, seed=7)
    run(layer, X, training=True)
    sigma, next_u = reference.spectral_norm(weights["kernel"], weights["u"])
    np.testing.assert_allclose(sigma, np.linalg.norm(weights["kernel"]), **TOLERANCE["float32"])
    np.testing.assert_allclose(made.raw(layer.u), next_u, **TOLERANCE["float32"])
    np.testing.assert_array_equal(made.raw(layer.kernel), weights["kernel"])


UNIT_U = U / np.linalg.norm(U)
UNIT_V = made.numbers(1, 18, seed=8) / np.linalg.norm(made.numbers(1, 18, seed=8))


@pytest.fixture
def storing():
    layer = layers.Convolution(4, 3, padding=1, spectral_norm=True, stores_v=True)
    layer(X)
    for weight, value in ((layer.kernel, KERNEL), (layer.u, UNIT_U), (layer.v, UNIT_V)):
        weight.assign(value)
    return layer


def test_stored_vectors_move_by_one_iteration_in_each_training_pass(storing, run):
    u = UNIT_U
    for _ in range(3):
        found = run(storing, X, training=True)
        v, u = reference.power_iteration(KERNEL, u)
        normalized = KERNEL / reference.rayleigh(KERNEL, v, u)
        expected = reference.convolution(np.float64(X), normalized, padding=1)
        np.testing.assert_allclose(found, expected, **TOLERANCE["float32"])
        np.testing.assert_allclose(made.raw(storing.u), u, **TOLERANCE["float32"])
        np.testing.assert_allclose(made.raw(storing.v), v, **TOLERANCE["float32"])


def test_stored_vectors_make_sigma_as_they_are_without_training(storing, run):
    sigma = reference.rayleigh(KERNEL, np.float64(UNIT_V), np.float64(UNIT_U))
    expected = reference.convolution(np.float64(X), KERNEL / sigma, padding=1)
    scale = np.abs(expected).max()  # sigma of random vectors is small
    np.testing.assert_allclose(run(storing, X) / scale, expected / scale, **TOLERANCE["float32"])
    np.testing.assert_array_equal(made.raw(storing.u), UNIT_U)
    np.testing.assert_array_equal(made.raw(storing.v), UNIT_V)


@pytest.mark.parametrize("training", [True, False])
def test_the_gradient_flows_through_sigma_with_stored_vectors_held(storing, training):
    upstream = made.numbers(2, 6, 6, 4, seed=6)
    v, u = np.float64(UNIT_V), np.float64(UNIT_U)
    if training:
        v, u = reference.power_iteration(KERNEL, UNIT_U)

    def formula(kernel):
        normalized = kernel / reference.rayleigh(kernel, v, u)
        return (reference.convolution(np.float64(X), normalized, padding=1) * upstream).sum()

    with tf.GradientTape() as tape:
        value = tf.reduce_sum(storing(tf.constant(X), training=training) * upstream)
    found = tape.gradient(value, made.raw(storing.kernel))
    expected = reference.numeric_gradient(formula, KERNEL)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, **TOLERANCE["gradient"])


def test_advancing_moves_the_state_as_a_training_pass_does(storing, convolution):
    for layer in (storing, convolution):
        before = made.arrays(made.named_weights(layer))
        layer(X, training=True)
        by_pass = made.arrays(made.named_weights(layer))
        layer.u.assign(before["u"])
        layer.advance()
        for name, array in made.arrays(made.named_weights(layer)).items():
            np.testing.assert_array_equal(array, by_pass[name], err_msg=name)


def test_stored_vectors_start_as_different_unit_vectors():
    fresh = layers.Convolution(64, 3, spectral_norm=True, stores_v=True)
    fresh(X)
    assert made.raw(fresh.u).shape == [1, 64]
    assert made.raw(fresh.v).shape == [1, 18]
    for state in (fresh.u, fresh.v):
        np.testing.assert_allclose(np.linalg.norm(made.raw(state)), 1.0, **TOLERANCE["float32"])
        assert np.ptp(made.raw(state).numpy()) > 0.1
    assert len(fresh.trainable_weights) == 2
