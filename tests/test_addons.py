"""Against TensorFlow Addons itself; collected only on the stack that has it (see conftest)."""

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

from tests import made, reference
from tests.tolerances import NETWORK, TOLERANCE
from ugatit_tf import layers

X = made.numbers(2, 6, 5, 3, seed=1) * 2 + 1
KERNEL, U = made.numbers(3, 3, 3, 4, seed=2), made.numbers(1, 4, seed=3)


def instance_normalizations():
    ours, theirs = layers.InstanceNormalization(), tfa.layers.InstanceNormalization(epsilon=1e-5)
    ours(X), theirs(X)
    gamma, beta = made.numbers(3, seed=4), made.numbers(3, seed=5)
    for layer in (ours, theirs):
        layer.gamma.assign(gamma)
        layer.beta.assign(beta)
    return ours, theirs


def spectral_convolutions():
    ours = layers.Convolution(4, 3, spectral_norm=True)
    theirs = tfa.layers.SpectralNormalization(tf.keras.layers.Conv2D(4, 3))
    ours(X), theirs(X)
    ours.kernel.assign(KERNEL)
    theirs.layer.kernel.assign(KERNEL)
    ours.u.assign(U)
    theirs.u.assign(U)
    return ours, theirs


def kernel_gradient(layer, kernel):
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(layer(X, training=True) * made.numbers(2, 4, 3, 4, seed=6))
    return tape.gradient(value, kernel).numpy()


def test_instance_normalization_is_that_of_addons(run):
    ours, theirs = instance_normalizations()
    np.testing.assert_allclose(run(ours, X), run(theirs, X), **TOLERANCE["addons"])


def test_gradients_of_instance_normalization_are_those_of_addons():
    upstream = made.numbers(*X.shape, seed=7)
    found = []
    for layer in instance_normalizations():
        with tf.GradientTape() as tape:
            inputs = tf.constant(X)
            tape.watch(inputs)
            value = tf.reduce_sum(layer(inputs) * upstream)
        found.append(tape.gradient(value, [inputs, layer.gamma, layer.beta]))
    for ours, theirs in zip(*found):
        np.testing.assert_allclose(ours, theirs, **TOLERANCE["gradient"])


def test_spectral_normalization_of_addons_computes_the_same_map():
    ours, theirs = spectral_convolutions()
    found, expected = ours(X, training=True), theirs(X, training=True)
    np.testing.assert_allclose(found, expected, **TOLERANCE["float32"])


def test_spectral_normalization_of_addons_overwrites_the_kernel_and_ours_does_not():
    ours, theirs = spectral_convolutions()
    ours(X, training=True), theirs(X, training=True)
    np.testing.assert_array_equal(ours.kernel, KERNEL)
    sigma, _ = reference.spectral_norm(KERNEL, U)
    np.testing.assert_allclose(theirs.layer.kernel, KERNEL / sigma, **TOLERANCE["float32"])
    assert abs(sigma - 1) > 0.5  # so the two differ


def test_spectral_normalization_of_addons_drops_the_gradient_through_sigma():
    """Scaling W leaves W / sigma as it is: the gradient has next to nothing along W itself."""
    ours, theirs = spectral_convolutions()
    v, u = reference.power_iteration(KERNEL, U)
    for _ in range(50):
        v, u = reference.power_iteration(KERNEL, u)
    for state in (ours.u, theirs.u):
        state.assign(u)
    along = [
        (kernel_gradient(layer, kernel) * KERNEL).sum()
        for layer, kernel in ((ours, ours.kernel), (theirs, theirs.layer.kernel))
    ]
    assert abs(along[0]) < NETWORK * abs(along[1])
