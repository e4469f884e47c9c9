"""The class activation map: logits and attention against the official way of computing them."""

import numpy as np
import pytest
import tensorflow as tf

from tests import made, reference
from tests.tolerances import TOLERANCE
from ugatit_tf import layers

X = made.numbers(2, 3, 4, 5, seed=1)


def built(**options):
    layer = layers.CAM(**options)
    layer(X)
    return layer, made.filled(layer)


def twin(weights, x, kernel=None):
    kernel = weights["kernel"] if kernel is None else kernel
    names = "bias", "mixer/kernel", "mixer/bias"
    return reference.cam(np.float64(x), kernel, *(np.float64(weights[name]) for name in names))


def test_features_and_logits_match_the_formula(run):
    layer, weights = built()
    found, expected = run(layer, X), twin(weights, X)
    np.testing.assert_allclose(found.features, expected[0], **TOLERANCE["float32"])
    np.testing.assert_allclose(found.cam_logit, expected[1], **TOLERANCE["float32"])


@pytest.mark.parametrize("training", [True, False])
def test_a_normalized_head_is_used_in_both_places(training, run):
    layer, weights = built(spectral_norm=True)
    sigma, _ = reference.spectral_norm(weights["kernel"], weights["u"])
    found = run(layer, X, training=training)
    expected = twin(weights, X, weights["kernel"] / sigma)
    np.testing.assert_allclose(found.features, expected[0], **TOLERANCE["float32"])
    np.testing.assert_allclose(found.cam_logit, expected[1], **TOLERANCE["float32"])


def test_logits_of_1_2_3_4_by_hand(run):
    layer, _ = built()
    layer = layers.CAM()
    x = made.counting((1, 2, 2, 1))  # mean 2.5, maximum 4
    layer(x)
    layer.kernel.assign([[10.0]])
    layer.bias.assign([1.0])
    layer.mixer.kernel.assign(np.float32([1, 100]).reshape(1, 1, 2, 1))
    found = run(layer, x)
    np.testing.assert_allclose(found.cam_logit, [[26, 41]])
    np.testing.assert_allclose(found.features, 11 * 101 * x)  # weight plus bias, in both copies


def test_the_bias_is_part_of_the_attention(run):
    layer, weights = built()
    before = run(layer, X).features
    layer.bias.assign(weights["bias"] + 1)
    assert np.abs(run(layer, X).features - before).max() > 0.1


def test_gradients_match_central_differences():
    layer, weights = built()
    upstream = made.numbers(2, 3, 4, 5, seed=2), made.numbers(2, 2, seed=3)
    names = ["kernel", "bias", "mixer/kernel", "mixer/bias"]
    variables = made.named_weights(layer)
    with tf.GradientTape() as tape:
        inputs = tf.constant(X)
        tape.watch(inputs)
        value = sum(tf.reduce_sum(out * up) for out, up in zip(layer(inputs), upstream))
    found = tape.gradient(value, [inputs, *(variables[name] for name in names)])

    arguments = [np.float64(X), *(np.float64(weights[name]) for name in names)]
    for position, gradient in enumerate(found):

        def weighed(value, position=position):
            outputs = reference.cam(*arguments[:position], value, *arguments[position + 1 :])
            return sum((out * up).sum() for out, up in zip(outputs, upstream))

        expected = reference.numeric_gradient(weighed, arguments[position])
        np.testing.assert_allclose(
            gradient, expected, err_msg=f"{position}", **TOLERANCE["gradient"]
        )


def test_one_head_serves_both_branches():
    _, weights = built()
    assert {name: array.shape for name, array in weights.items()} == {
        "kernel": (5, 1),
        "bias": (1,),
        "mixer/kernel": (1, 1, 10, 5),
        "mixer/bias": (5,),
    }


TWO_HEADS = {"heads": 2, "bias": False}
RAW = {"raw_attention": True, "spectral_norm": True, "stores_v": True}
HEADS = ("kernel", "maximum_head/kernel")


def sigmas_of(weights, training):
    """The spectral norm of each head: in evaluation with the stored vectors."""
    found = []
    for head in ("", "maximum_head/"):
        kernel, u, v = (np.float64(weights[f"{head}{leaf}"]) for leaf in ("kernel", "u", "v"))
        if training:
            v, u = reference.power_iteration(kernel, u)
        found.append(reference.rayleigh(kernel, v, u))
    return found


def twin_of_two(weights, x, sigmas=(1.0, 1.0), *, raw):
    kernels = [np.float64(weights[name]) for name in HEADS]
    normalized = [kernel / sigma for kernel, sigma in zip(kernels, sigmas)]
    mixer = (np.float64(weights[name]) for name in ("mixer/kernel", "mixer/bias"))
    attention = kernels if raw else normalized
    return reference.cam_of_two_heads(np.float64(x), normalized, attention, *mixer)


def test_two_heads_without_bias_match_the_formula(run):
    layer, weights = built(**TWO_HEADS)
    assert set(weights) == {*HEADS, "mixer/kernel", "mixer/bias"}
    for found, expected in zip(run(layer, X), twin_of_two(weights, X, raw=False)):
        np.testing.assert_allclose(found, expected, **TOLERANCE["float32"])


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_only_the_logits_are_normalized_where_the_attention_is_raw(training, raw, run):
    layer, weights = built(**{**TWO_HEADS, **RAW, "raw_attention": raw})
    sigmas = sigmas_of(weights, training)
    assert min(abs(sigma - 1) for sigma in sigmas) > 0.1  # or raw and normalized are alike
    expected = twin_of_two(weights, X, sigmas, raw=raw)
    for one, other in zip(run(layer, X, training=training), expected):
        np.testing.assert_allclose(one, other, **TOLERANCE["float32"])


def test_each_head_has_spectral_states_of_its_own(run):
    layer, weights = built(**TWO_HEADS, **RAW)
    run(layer, X, training=True)
    after = made.arrays(made.named_weights(layer))
    for head in ("", "maximum_head/"):
        v, u = reference.power_iteration(weights[f"{head}kernel"], weights[f"{head}u"])
        np.testing.assert_allclose(after[f"{head}u"], u, **TOLERANCE["float32"])
        np.testing.assert_allclose(after[f"{head}v"], v, **TOLERANCE["float32"])
        np.testing.assert_array_equal(after[f"{head}kernel"], weights[f"{head}kernel"])


def test_gradients_of_two_raw_heads_match_central_differences():
    layer, weights = built(**TWO_HEADS, **RAW)
    upstream = made.numbers(2, 3, 4, 5, seed=2), made.numbers(2, 2, seed=3)
    names = [*HEADS, "mixer/kernel", "mixer/bias"]
    variables = made.named_weights(layer)
    with tf.GradientTape() as tape:
        outputs = layer(X)
        value = sum(tf.reduce_sum(out * up) for out, up in zip(outputs, upstream))
    for name, gradient in zip(names, tape.gradient(value, [variables[name] for name in names])):

        def weighed(array, name=name):
            changed = {**weights, name: array}
            outputs = twin_of_two(changed, X, sigmas_of(changed, False), raw=True)
            return sum((out * up).sum() for out, up in zip(outputs, upstream))

        expected = reference.numeric_gradient(weighed, weights[name])
        np.testing.assert_allclose(gradient, expected, err_msg=name, **TOLERANCE["gradient"])
