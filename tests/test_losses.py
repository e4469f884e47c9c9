"""Every loss against its formula, with numbers that can be checked by hand beside it."""

import numpy as np
import pytest
import tensorflow as tf

from tests import made, reference
from tests.tolerances import TOLERANCE
from ugatit_tf import losses

REAL, FAKE = made.numbers(2, 3, 3, 1, seed=1), made.numbers(2, 3, 3, 1, seed=2) * 2
ONES = np.ones([2, 2], np.float32)
LOG_2 = np.log(2.0)


@pytest.mark.parametrize("name", losses.ADVERSARIAL)
def test_adversarial_losses_match_the_formulas(name, run):
    of_discriminator, of_generator, *_ = losses.adversarial(name)
    expected = reference.ADVERSARIAL[name]
    real, fake = np.float64(REAL), np.float64(FAKE)
    found = run(of_discriminator, REAL, FAKE), run(of_generator, FAKE)
    np.testing.assert_allclose(found[0], expected[0](real, fake), **TOLERANCE["float32"])
    np.testing.assert_allclose(found[1], expected[1](fake), **TOLERANCE["float32"])


@pytest.mark.parametrize(
    ("name", "real", "fake", "of_discriminator", "of_generator"),
    [
        ("lsgan", 1, 0, 0, 1),
        ("lsgan", 0, 1, 2, 0),
        ("lsgan", 3, 2, 8, 1),
        ("gan", 0, 0, 2 * LOG_2, LOG_2),
        ("dragan", 0, 0, 2 * LOG_2, LOG_2),
        ("hinge", 1, -1, 0, 1),
        ("hinge", 0, 0, 2, 0),
        ("hinge", -2, 3, 7, -3),
        ("wgan-gp", 5, 3, -2, -3),
        ("wgan-lp", 5, 3, -2, -3),
    ],
)
def test_adversarial_losses_by_hand(name, real, fake, of_discriminator, of_generator):
    judge, fool, *_ = losses.adversarial(name)
    np.testing.assert_allclose(
        judge(real * ONES, fake * ONES), of_discriminator, **TOLERANCE["exact"]
    )
    np.testing.assert_allclose(fool(fake * ONES), of_generator, **TOLERANCE["exact"])


def test_the_losses_with_a_gradient_penalty_are_those_of_the_official_program():
    penalties = {name for name, loss in losses.ADVERSARIAL.items() if loss.penalty}
    assert penalties == {"wgan-gp", "wgan-lp", "dragan"}


def test_an_unknown_loss_is_refused_with_the_list():
    with pytest.raises(ValueError, match="'dragan', 'gan', 'hinge', 'lsgan', 'wgan-gp', 'wgan-lp'"):
        losses.adversarial("wgan")


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_cross_entropy_matches_the_formula(label, run):
    found = run(losses.cross_entropy, REAL, label=label)
    expected = reference.cross_entropy(np.float64(REAL), label)
    np.testing.assert_allclose(found, expected, **TOLERANCE["float32"])


def test_cross_entropy_of_large_logits_is_finite():
    np.testing.assert_allclose(losses.cross_entropy(tf.constant([1e4]), 0.0), 1e4)
    np.testing.assert_allclose(losses.cross_entropy(tf.constant([1e4]), 1.0), 0.0)


def test_cam_loss_wants_high_logits_for_the_source_and_low_ones_for_the_rest(run):
    source, other = made.numbers(3, 2, seed=3), made.numbers(3, 2, seed=4)
    expected = reference.cam_loss(np.float64(source), np.float64(other))
    np.testing.assert_allclose(
        run(losses.cam_loss, source, other), expected, **TOLERANCE["float32"]
    )
    right = 2 * np.log1p(np.exp(-9))
    for sure, expected in ((9, right), (-9, 18 + right)):
        found = losses.cam_loss(sure * ONES, -sure * ONES)
        np.testing.assert_allclose(found, expected, **TOLERANCE["float32"])


def test_l1_is_the_mean_distance(run):
    found = run(losses.l1, np.float32([[1, 2], [3, 4]]), np.float32([[1, 0], [7, 4]]))
    assert found == 1.5
    expected = reference.l1(np.float64(REAL), np.float64(FAKE))
    np.testing.assert_allclose(run(losses.l1, REAL, FAKE), expected, **TOLERANCE["float32"])


def test_l2_is_half_the_sum_of_squares_and_not_a_mean(run):
    assert run(lambda *kernels: losses.l2(kernels), np.float32([1, 2]), np.float32([[3]])) == 7.0
    found = run(lambda *kernels: losses.l2(kernels), REAL, FAKE)
    np.testing.assert_allclose(found, reference.l2([REAL, FAKE]), **TOLERANCE["float32"])


@pytest.mark.parametrize(
    ("norms", "two_sided", "one_sided"),
    [([1], 0, 0), ([3], 4, 4), ([0], 1, 0), ([0, 3], 2.5, 2), ([0.5, 1.5], 0.25, 0.125)],
)
def test_a_slope_below_1_is_punished_by_the_two_sided_penalty_alone(norms, two_sided, one_sided):
    norms = tf.constant(norms, tf.float32)
    assert losses.two_sided(norms) == two_sided
    assert losses.one_sided(norms) == one_sided


@pytest.mark.parametrize("name", ["wgan-gp", "wgan-lp", "dragan"])
def test_the_penalty_of_known_slopes(name, run):
    """The slope of w.x is w; that of x.x / 2 is x: one norm for each sample and output."""
    x = made.numbers(3, 2, 2, 1, seed=5)
    w = made.numbers(2, 2, 1, seed=6)

    def penalty(images):
        def outputs_of(x):
            return [tf.reduce_sum(x * w, [1, 2, 3]), tf.square(x) / 2]

        return losses.gradient_penalty(outputs_of, images, losses.ADVERSARIAL[name].penalty)

    shape = reference.PENALTY[name]
    norms = np.sqrt((np.float64(x) ** 2).sum((1, 2, 3)))
    expected = shape(np.full([3], np.linalg.norm(np.float64(w).ravel()))) + shape(norms)
    np.testing.assert_allclose(run(penalty, x), expected, **TOLERANCE["float32"])


def test_the_penalty_has_a_gradient_of_its_own():
    """For the output s * sum(x), the slope has the norm 2 s at 4 pixels: d (2 s - 1)^2 / ds."""
    s = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        value = losses.gradient_penalty(lambda x: [s * x], tf.ones([1, 2, 2, 1]), losses.two_sided)
    assert value == 9.0
    assert tape.gradient(value, s) == 12.0


def test_interpolation_goes_from_real_to_fake(run):
    real, fake = np.float32([[1, 2]]), np.float32([[5, 0]])
    for alpha, expected in ((0, [[1, 2]]), (0.5, [[3, 1]]), (1, [[5, 0]])):
        np.testing.assert_array_equal(run(losses.interpolate, real, fake, alpha=alpha), expected)
    each = np.float32([0, 1]).reshape(2, 1, 1, 1)
    mixed = run(
        losses.interpolate,
        np.zeros([2, 2, 2, 1], np.float32),
        np.ones([2, 2, 2, 1], np.float32),
        each,
    )
    np.testing.assert_array_equal(mixed, np.broadcast_to(each, [2, 2, 2, 1]))


def test_dragan_moves_by_half_the_deviation(run):
    real = np.float32([0, 2, 0, 2]).reshape(2, 2, 1, 1)
    np.testing.assert_allclose(run(losses.perturb, real, 0.5, 1.0), real + 0.25)
    noise = made.images(2, 2, 1, 1)
    np.testing.assert_allclose(
        run(losses.perturb, real, noise, 2.0), real + noise, **TOLERANCE["float32"]
    )
