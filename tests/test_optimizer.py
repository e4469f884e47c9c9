"""Adam and the learning rate against the formulas, over several steps."""

import numpy as np
import pytest
import tensorflow as tf

from tests import made, reference
from tests.tolerances import OF_A_STEP, TOLERANCE, update
from ugatit_tf.training import joined
from ugatit_tf.training.optimizer import Adam, learning_rate

START = {
    "a2b/stem/kernel": made.numbers(3, 2, seed=1),
    "a2b/up/0/norm/rho": np.float32([0.0, 0.005, 0.5, 1.0]),
    "a2b/narrow": np.float32([0.0, 0.005, 0.5, 1.0]),  # no rho, though it looks like one
}
RATES = [0.01, 0.02, 0.005, 0.01, 0.003]


def gradients_of(index):
    return {path: made.numbers(*array.shape, seed=10 + index) for path, array in START.items()}


CLIPPED = {path: (0.0, 1.0) for path in START if path.endswith("/rho")}


@pytest.fixture(params=[0, joined.SMALL], ids=["each", "joined"])
def weights(request, monkeypatch):
    """They are all small; with 0 each has an update of its own, as large ones have."""
    monkeypatch.setattr(joined, "SMALL", request.param)
    return {path: tf.Variable(array) for path, array in START.items()}


@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_adam_matches_the_formula(num_steps, weights, run):
    optimizer = Adam(weights, CLIPPED)

    def apply(rate, *gradients):
        optimizer.apply(dict(zip(START, gradients)), rate)
        return rate

    for index in range(num_steps):
        run(apply, np.float32(RATES[index]), *gradients_of(index).values())
    for path, start in START.items():
        gradients = [gradients_of(index)[path] for index in range(num_steps)]
        clipped = path in CLIPPED
        expected = reference.adam(start, gradients, RATES[:num_steps], clipped=clipped)
        tolerance = update(*RATES[:num_steps])
        np.testing.assert_allclose(weights[path], expected, err_msg=path, **tolerance)


def test_the_first_step_is_one_learning_rate_against_the_sign(weights):
    Adam(weights, CLIPPED).apply(
        {path: 3.0 * tf.ones_like(w) for path, w in weights.items()}, tf.constant(0.01)
    )
    moved = weights["a2b/stem/kernel"] - START["a2b/stem/kernel"]
    np.testing.assert_allclose(moved, np.full([3, 2], -0.01), rtol=OF_A_STEP)


def test_epsilon_is_beside_the_root_and_not_corrected():
    """For a gradient of 1e-8: m = 0.5e-8, sqrt(v) = 3.16e-10, so epsilon rules the divisor."""
    weight = tf.Variable([0.0])
    Adam({"w": weight}).apply({"w": tf.constant([1e-8])}, tf.constant(1.0))
    root = np.sqrt(0.001)
    expected = -root / 0.5 * 0.5e-8 / (root * 1e-8 + 1e-8)
    np.testing.assert_allclose(weight, [expected], rtol=OF_A_STEP)


@pytest.mark.parametrize(("sign", "edge"), [(1, 0), (-1, 1)])
def test_rho_stops_at_the_edge_and_nothing_else_does(sign, edge, weights):
    optimizer = Adam(weights, CLIPPED)
    for _ in range(4):
        gradients = {path: sign * tf.ones_like(w) for path, w in weights.items()}
        optimizer.apply(gradients, tf.constant(0.3))
    moved = START["a2b/narrow"] - sign * 1.2
    np.testing.assert_allclose(weights["a2b/narrow"], moved, **update(*4 * [0.3]))
    np.testing.assert_array_equal(weights["a2b/up/0/norm/rho"], np.full([4], edge, np.float32))


def test_a_clipped_rho_comes_back():
    rho = tf.Variable([0.0])
    optimizer = Adam({"x/rho": rho}, {"x/rho": (0.0, 1.0)})
    optimizer.apply({"x/rho": tf.constant([1.0])}, tf.constant(0.1))
    assert rho.numpy() == 0
    for _ in range(8):
        optimizer.apply({"x/rho": tf.constant([-1.0])}, tf.constant(0.1))
    assert rho.numpy() > 0.1


def test_the_state_is_everything_that_an_update_changes(weights):
    optimizer = Adam(weights, CLIPPED)
    state = optimizer.state()
    assert set(state) == {"beta_1_power", "beta_2_power"} | {
        f"{slot}/{path}" for slot in "mv" for path in START
    }
    before = {name: variable.numpy() for name, variable in state.items()}
    assert all((array == 0).all() for name, array in before.items() if name[:2] in ("m/", "v/"))
    optimizer.apply(gradients_of(0), tf.constant(0.01))
    for name, variable in state.items():
        assert (variable.numpy() != before[name]).all(), name
    np.testing.assert_allclose(state["beta_1_power"], 0.25)
    np.testing.assert_allclose(state["beta_2_power"], 0.998001, **TOLERANCE["exact"])


def test_an_optimizer_with_the_state_of_another_goes_on_like_it(weights):
    first = Adam(weights, CLIPPED)
    first.apply(gradients_of(0), tf.constant(0.01))
    copies = {path: tf.Variable(weight) for path, weight in weights.items()}
    second = Adam(copies, CLIPPED)
    for name, variable in second.state().items():
        variable.assign(first.state()[name])
    for optimizer in (first, second):
        optimizer.apply(gradients_of(1), tf.constant(0.01))
    for path in START:
        np.testing.assert_array_equal(weights[path], copies[path])


def test_two_optimizers_share_nothing(weights):
    first, second = Adam(weights, CLIPPED), Adam(weights, CLIPPED)
    first.apply(gradients_of(0), tf.constant(0.01))
    assert second.beta_1_power.numpy() == 0.5
    assert all((slot.numpy() == 0).all() for slot in (*second.m.values(), *second.v.values()))


def test_the_rate_is_constant_and_then_falls_by_whole_epochs():
    config = made.tiny_config(epoch=7, iteration=11, decay_epoch=3, lr=0.04)
    for epoch in range(7):
        expected = reference.learning_rate(epoch, lr=0.04, num_epochs=7, decay_epoch=3)
        for step in (0, 1, 10):
            assert learning_rate(11 * epoch + step, config) == pytest.approx(expected), (
                epoch,
                step,
            )
    assert learning_rate(3 * 11, config) == 0.04  # 4 / 4 of it
    assert learning_rate(4 * 11, config) == pytest.approx(0.03)
    assert learning_rate(config.total_steps - 1, config) == pytest.approx(0.01)


def test_the_official_schedule_at_its_landmarks():
    config = made.tiny_config(epoch=100, iteration=10_000, decay_epoch=50, lr=1e-4)
    landmarks = {0: 1e-4, 499_999: 1e-4, 510_000: 0.98e-4, 750_000: 0.5e-4, 999_999: 0.02e-4}
    for step, rate in landmarks.items():
        assert learning_rate(step, config) == pytest.approx(rate), step


def test_with_minutes_the_rate_falls_with_the_time_or_the_steps_whichever_is_further_on():
    config = made.tiny_config(epoch=10, iteration=100, decay_epoch=6, lr=0.04, minutes=5)
    by_time = {0.0: 0.04, 0.6: 0.04, 0.7: 0.03, 0.9: 0.01, 1.0: 0.0}
    for gone, rate in by_time.items():
        assert learning_rate(3, config, gone) == pytest.approx(rate), gone
    assert learning_rate(800, config, 0.1) == pytest.approx(0.02)
    assert learning_rate(800, config, 0.9) == pytest.approx(0.01)


@pytest.mark.parametrize("minutes", [0, 5])
@pytest.mark.parametrize(
    "options", [{"decay_flag": False}, {"decay_epoch": 7}, {"decay_epoch": 100}]
)
def test_the_rate_never_falls_without_decay_or_with_a_late_one(options, minutes):
    config = made.tiny_config(lr=0.04, minutes=minutes, **options)
    rates = [learning_rate(step, config, 0.5) for step in range(config.total_steps)]
    assert rates == pytest.approx([0.04] * config.total_steps)


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_adam_with_an_exact_epsilon_and_decay_is_that_of_torch(weight_decay, weights, run):
    optimizer = Adam(weights, CLIPPED, exact_epsilon=True, weight_decay=weight_decay)

    def apply(rate, *gradients):
        optimizer.apply(dict(zip(START, gradients)), rate)
        return rate

    for index in range(3):
        run(apply, np.float32(RATES[index]), *gradients_of(index).values())
    for path in set(START) - set(CLIPPED):
        gradients = [gradients_of(index)[path] for index in range(3)]
        expected = reference.torch_adam(
            START[path], gradients, RATES[:3], weight_decay=weight_decay
        )
        tolerance = update(*RATES[:3])
        np.testing.assert_allclose(weights[path], expected, err_msg=path, **tolerance)


def test_an_exact_epsilon_is_added_to_the_root_of_the_corrected_moment():
    """For gradients of 1e-8, where epsilon and the root are alike."""
    weight = tf.Variable([0.0])
    optimizer = Adam({"w": weight}, exact_epsilon=True)
    gradients = [1e-8, 2e-8, -1e-8]
    for number in range(1, 4):
        optimizer.apply({"w": tf.constant(gradients[number - 1 : number])}, tf.constant(1.0))
        expected = reference.torch_adam(0.0, gradients[:number], [1.0] * number)
        np.testing.assert_allclose(weight, [expected], rtol=OF_A_STEP)
    np.testing.assert_allclose(reference.torch_adam(0.0, [1e-8], [1.0]), -0.5)


def test_a_weight_without_gradient_decays_by_steps_of_a_rate():
    weights = {"w": tf.Variable([2.0, -2.0, 0.0])}
    Adam(weights, weight_decay=1e-4, exact_epsilon=True).apply(
        {"w": tf.zeros([3])}, tf.constant(0.01)
    )
    np.testing.assert_allclose(weights["w"], [1.99, -1.99, 0.0], **update(0.01))


def test_the_gradual_rate_is_the_official_one_at_its_landmarks():
    """Steps counted from 0 here, from 1 in the official program: it falls after half of them."""
    options = {"epoch": 100, "iteration": 10_000, "decay_epoch": 50, "lr": 1e-4}
    config = made.tiny_config(flavor="pytorch", **options)
    half = 500_000
    landmarks = {
        0: 1e-4,
        half - 1: 1e-4,  # step 500,000: not beyond half
        half: 1e-4 * (1 - 1 / half),
        750_000 - 1: 0.5e-4,
        999_998: 1e-4 / half,
        999_999: 0.0,
    }
    for step, rate in landmarks.items():
        assert learning_rate(step, config) == pytest.approx(rate, rel=1e-9, abs=1e-15), step
    assert learning_rate(half - 1, config) == 1e-4
    assert learning_rate(half, config) < 1e-4
    assert learning_rate(1_000_005, config) == 0.0


def test_the_gradual_rate_never_falls_without_decay():
    config = made.tiny_config(flavor="pytorch", lr=0.04, decay_flag=False)
    assert {learning_rate(step, config) for step in range(config.total_steps)} == {0.04}
