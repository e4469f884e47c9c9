"""The bounds themselves: an error of one part in a thousand is over each of them."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests import (
    reference,
    test_cam,
    test_convolution,
    test_discriminator,
    test_generator,
    test_losses,
    test_normalization,
    test_optimizer,
    test_spectral,
    test_step,
)
from tests.tolerances import TOLERANCE, drift, of_loss, update
from ugatit_tf.losses import ADVERSARIAL

PLANTED = 1.001


def eagerly(function, *inputs, **options):
    """What the fixture `run` is in eager mode."""
    return tf.nest.map_structure(
        lambda x: x if x is None else x.numpy(),
        function(*map(tf.constant, inputs), **options),
    )


def scaled(function):
    """The same function with a planted error in the first, or only, thing that it returns."""

    @functools.wraps(function)
    def wrong(*args, **kwargs):
        found = function(*args, **kwargs)
        return (found[0] * PLANTED, *found[1:]) if isinstance(found, tuple) else found * PLANTED

    return wrong


@pytest.mark.parametrize("name", TOLERANCE)
def test_a_thousandth_of_numbers_of_order_1_is_over(name):
    with pytest.raises(AssertionError):
        np.testing.assert_allclose([0.5 * PLANTED, PLANTED], [0.5, 1.0], **TOLERANCE[name])


@pytest.mark.parametrize("gan_type", ADVERSARIAL)
def test_a_thousandth_of_any_loss_is_over(gan_type):
    """Of a Wasserstein term, which is real less fake and next to 0, it shows in their sum."""
    _, _, losses, _ = test_step.looked_at(gan_type)
    for tag, value in losses.items():
        if gan_type.startswith("wgan") and tag.startswith("discriminator"):
            continue
        with pytest.raises(AssertionError):
            np.testing.assert_allclose(PLANTED * value, value, err_msg=tag, **of_loss(tag))


@pytest.mark.parametrize("rate", [1e-4, 1e-2])
def test_a_thousandth_of_a_learning_rate_is_over(rate):
    """For weights up to 1, in which a step of 1e-4 is next to nothing."""
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(0.5 - rate * PLANTED, 0.5 - rate, **update(rate))


def test_two_runs_drift_by_two_steps_where_a_gradient_is_rounding():
    """Adam's steps along gradients of opposite noise, and the worst that a second one can be."""
    for gradients in ([1e-9, 1e-9], [1e-7, 2e-7], [1e-3, 2e-3]):
        ends = [reference.adam(0.0, sign * np.array(gradients), [1e-4] * 2) for sign in (1, -1)]
        assert 0 < ends[1] - ends[0] <= drift(1e-4, 2)
    assert ends[1] - ends[0] > 0.95 * drift(1e-4, 2)


# function of the witness -> a test that compares with it
COMPARISONS = {
    "convolution": lambda: test_convolution.test_a_convolution_matches_the_plain_one(
        3, 1, 1, eagerly
    ),
    "upsample_convolution": lambda: (
        test_convolution.test_upsampling_by_phases_matches_the_plain_way(4, 4, eagerly)
    ),
    "standardize": lambda: test_normalization.test_instance_normalization_matches_the_formula(
        (2, 3, 3, 4), eagerly
    ),
    "lin": lambda: test_normalization.test_lin_matches_the_formula((2, 3, 3, 4), eagerly),
    "adalin": lambda: test_normalization.test_adalin_matches_the_formula(0.25, True, eagerly),
    "cam": lambda: test_cam.test_features_and_logits_match_the_formula(eagerly),
    "spectral_norm": lambda: test_spectral.test_one_power_iteration_matches_the_formula(
        (4, 4, 3, 1), eagerly
    ),
    "rayleigh": lambda: test_spectral.test_the_gradient_of_sigma_is_that_with_both_vectors_held(
        eagerly
    ),
    "generator": lambda: test_generator.test_a_generator_matches_its_twin("grey", eagerly),
    "patch_network": lambda: test_discriminator.test_a_discriminator_matches_its_twin(
        3, True, eagerly
    ),
    "cross_entropy": lambda: test_losses.test_cross_entropy_matches_the_formula(1.0, eagerly),
    "l1": lambda: test_losses.test_l1_is_the_mean_distance(eagerly),
    "l2": lambda: test_losses.test_l2_is_half_the_sum_of_squares_and_not_a_mean(eagerly),
    "adam": lambda: test_optimizer.test_adam_matches_the_formula(
        2, {k: tf.Variable(v) for k, v in test_optimizer.START.items()}, eagerly
    ),
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_a_thousandth_of_what_a_function_returns_fails_the_test_of_it(name, monkeypatch):
    COMPARISONS[name]()
    monkeypatch.setattr(reference, name, scaled(getattr(reference, name)))
    with pytest.raises(AssertionError):
        COMPARISONS[name]()
