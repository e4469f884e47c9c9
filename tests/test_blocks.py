"""The generator's blocks against their NumPy twins."""

import numpy as np
import pytest

from tests import made, reference
from tests.reference import relu
from tests.tolerances import TOLERANCE
from ugatit_tf import layers

X = made.numbers(2, 6, 4, 3, seed=1)
GAMMA, BETA = made.numbers(2, 3, seed=2), made.numbers(2, 3, seed=3)


def built(layer, *inputs):
    layer(*inputs)
    return layer, made.filled(layer)


def conv(weights, name, x, **kwargs):
    return reference.convolution(x, weights[f"{name}/kernel"], weights[f"{name}/bias"], **kwargs)


def norm(weights, name, x):
    return reference.instance_norm(x, weights[f"{name}/gamma"], weights[f"{name}/beta"])


@pytest.mark.parametrize(("size", "stride", "padding"), [(7, 1, 3), (3, 2, 1)])
def test_a_convolution_block_matches_the_formula(size, stride, padding, run):
    layer = layers.ConvolutionBlock(5, size, stride=stride, padding=padding)
    layer, weights = built(layer, X)
    expected = conv(weights, "convolution", X, stride=stride, padding=padding)
    expected = relu(norm(weights, "norm", expected))
    np.testing.assert_allclose(run(layer, X), expected, **TOLERANCE["network"])


def test_a_residual_block_matches_the_formula(run):
    layer, weights = built(layers.ResidualBlock(3), X)
    h = relu(norm(weights, "norm_1", conv(weights, "convolution_1", X, padding=1)))
    expected = X + norm(weights, "norm_2", conv(weights, "convolution_2", h, padding=1))
    np.testing.assert_allclose(run(layer, X), expected, **TOLERANCE["network"])
    assert expected.min() < -1  # no ReLU after the sum


@pytest.mark.parametrize("smoothing", [True, False])
def test_an_adaptive_residual_block_matches_the_formula(smoothing, run):
    layer, weights = built(
        layers.AdaptiveResidualBlock(3, norm_options={"smoothing": smoothing}), X, GAMMA, BETA
    )

    def adaptive(part, x):
        x, rho = conv(weights, f"convolution_{part}", x, padding=1), weights[f"norm_{part}/rho"]
        return reference.adalin(x, GAMMA, BETA, rho=rho, smoothing=smoothing)

    expected = X + adaptive(2, relu(adaptive(1, X)))
    np.testing.assert_allclose(run(layer, X, GAMMA, BETA), expected, **TOLERANCE["network"])


def test_an_upsample_block_matches_the_formula(run):
    layer, weights = built(layers.UpsampleBlock(5), X)
    h = reference.upsample_convolution(
        X, weights["convolution/kernel"], weights["convolution/bias"]
    )
    rho, gamma, beta = (weights[f"norm/{name}"] for name in ("rho", "gamma", "beta"))
    expected = relu(reference.lin(h, rho, gamma, beta))
    assert expected.shape == (2, 12, 8, 5)
    np.testing.assert_allclose(run(layer, X), expected, **TOLERANCE["network"])
