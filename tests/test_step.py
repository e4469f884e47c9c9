"""One iteration: its losses and gradients against the twin, and what it changes, in which order."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests import made, reference
from tests.tolerances import LAYER, OF_A_STEP, TOLERANCE, drift, of_loss, update
from ugatit_tf.losses import ADVERSARIAL
from ugatit_tf.networks.model import build_model
from ugatit_tf.training.replicas import Replicas
from ugatit_tf.training.step import Trainer, uniform

REAL_A, REAL_B = made.images(2, 8, 8, 1, seed=1), made.images(2, 8, 8, 1, seed=2)
REALS = np.float64(REAL_A), np.float64(REAL_B)
BATCH = tf.constant(REAL_A), tf.constant(REAL_B)
DISCRIMINATOR_TAGS = {"D_A_loss", "D_B_loss", "Discriminator_loss"}
DISCRIMINATOR_TAGS |= {"weight_decay/discriminators"}
PARTS = ("gan", "cycle", "identity", "cam")
GENERATOR_TAGS = {"Generator_loss"} | {
    f"G_{side}_{part}" for side in "AB" for part in (*PARTS, "loss")
}
GENERATOR_TAGS |= {"weight_decay/generators"}
GENERATOR_TAGS |= {
    f"{direction}/{term}"
    for direction in ("a2b", "b2a")
    for term in ("adversarial", "cycle", "identity", "cam")
}
DISCRIMINATOR_TAGS |= {
    f"discriminator_{domain}/{term}"
    for domain in "ab"
    for term in ("local", "local_cam", "global", "global_cam")
}
PENALTY_TAGS = {"discriminator_a/penalty", "discriminator_b/penalty"}
FIXED = {"alpha": 0.5, "eps": 0.5}
WEIGHTED = {"adv_weight": 2.0, "cycle_weight": 3.0, "identity_weight": 5.0, "cam_weight": 7.0}


def trainer_of(replicas=None, **options):
    """A trainer whose spectral states are those of a long training."""
    config, replicas = made.tiny_config(**options), replicas or Replicas()
    with replicas.scope():
        model = build_model(config)
        made.fill(model.weights())
        converge(model)
        return Trainer(model, config, replicas)


def converge(model):
    """Makes the spectral states those of a long training."""
    weights = model.weights()
    for path, state in weights.items():
        if path.endswith("/u"):
            kernel = weights[path[:-1] + "kernel"].numpy()
            of_rows, _, of_columns = np.linalg.svd(np.float64(kernel).reshape(-1, kernel.shape[-1]))
            state.assign(of_columns[:1])
            if f"{path[:-1]}v" in weights:
                weights[f"{path[:-1]}v"].assign(of_rows[:, :1].T)


def weights_of(trainer):
    return made.arrays(trainer.model.weights())


def everything(trainer):
    return {
        f"{group}/{name}": variable.numpy()
        for group, variables in trainer.state().items()
        for name, variable in variables.items()
    }


def tags_of(gan_type):
    penalized = gan_type in ("wgan-gp", "wgan-lp", "dragan")
    return DISCRIMINATOR_TAGS | GENERATOR_TAGS | (PENALTY_TAGS if penalized else set())


def changed(before, after):
    return {name for name, array in before.items() if (array != after[name]).any()}


@functools.lru_cache(None)
def looked_at(gan_type):
    """(config, weights, losses, gradients); shared, for a look changes nothing."""
    trainer = trainer_of(gan_type=gan_type, **WEIGHTED)
    return trainer.config, weights_of(trainer), *trainer.losses_and_gradients(*BATCH, **FIXED)


@pytest.fixture(scope="module")
def two_to_one():
    """(trainer, state before and after each of four steps, their scalars), with n_critic 2."""
    trainer = trainer_of(n_critic=2)
    states, scalars, traces = [everything(trainer)], [], []
    for _ in range(4):
        scalars.append(trainer.step(*BATCH))
        states.append(everything(trainer))
        traces.append(trainer.num_traces)
    return trainer, states, scalars, traces


@pytest.mark.parametrize("gan_type", ADVERSARIAL)
def test_losses_match_the_twin(gan_type):
    config, weights, found, _ = looked_at(gan_type)
    expected = {
        **reference.discriminator_losses(weights, *REALS, config, **FIXED),
        **reference.generator_losses(weights, *REALS, config),
    }
    assert set(found) == set(expected) == tags_of(gan_type)
    for tag, value in expected.items():
        np.testing.assert_allclose(found[tag], value, err_msg=tag, **of_loss(tag))


@pytest.mark.parametrize("gan_type", ["lsgan", "hinge", "wgan-gp", "dragan"])
def test_gradients_match_the_twin_along_a_direction(gan_type):
    """Central differences of the twin; with u converged, holding u is not felt."""
    config, weights, _, gradients = looked_at(gan_type)

    def generator_loss(weights):
        return reference.generator_losses(weights, *REALS, config)["Generator_loss"]

    def discriminator_loss(weights):
        losses = reference.discriminator_losses(weights, *REALS, config, **FIXED)
        return losses["Discriminator_loss"]

    for loss, of_discriminators in ((generator_loss, False), (discriminator_loss, True)):
        group = {
            k: np.float64(g)
            for k, g in gradients.items()
            if k.startswith("disc") == of_discriminators
        }
        norm = np.sqrt(sum((g**2).sum() for g in group.values()))

        def moved(distance, group=group, norm=norm):
            return {
                k: np.float64(w) + distance * group.get(k, 0.0) / norm for k, w in weights.items()
            }

        # Along the gradient itself the slope is the gradient's norm: no part of it can hide.
        # The steps are short, for there are kinks all along the way.
        slope = (loss(moved(1e-6)) - loss(moved(-1e-6))) / 2e-6
        np.testing.assert_allclose(norm, slope, **TOLERANCE["slope"])


def test_the_total_is_the_sum_of_its_parts():
    _, weights, losses, _ = looked_at("lsgan")
    scalars = {tag: float(value) for tag, value in losses.items()}

    def decay(kind):
        kernels = [
            w for k, w in weights.items() if k.endswith("/kernel") and k.startswith("disc") == kind
        ]
        return 1e-4 * reference.l2(kernels)

    for side in ("G_A", "G_B"):
        parts = sum(scalars[f"{side}_{part}"] for part in PARTS)
        assert scalars[f"{side}_loss"] == pytest.approx(parts)
    total = scalars["G_A_loss"] + scalars["G_B_loss"] + decay(False)
    assert scalars["Generator_loss"] == pytest.approx(total)
    total = scalars["D_A_loss"] + scalars["D_B_loss"] + decay(True)
    assert scalars["Discriminator_loss"] == pytest.approx(total)
    assert decay(True) > 1e-3
    assert decay(False) > 1e-3


def test_looking_changes_nothing():
    trainer = trainer_of(gan_type="dragan")
    before = everything(trainer)
    first, _ = trainer.losses_and_gradients(*BATCH)
    assert not changed(before, everything(trainer))
    second, _ = trainer.losses_and_gradients(*BATCH)
    assert {k: float(v) for k, v in first.items()} == {k: float(v) for k, v in second.items()}


def test_every_weight_but_u_has_a_gradient():
    _, weights, _, gradients = looked_at("wgan-gp")
    assert set(gradients) == {path for path in weights if not path.endswith("/u")}
    for path, gradient in gradients.items():
        assert gradient is not None, path
        assert np.isfinite(gradient).all(), path
        assert gradient.shape == weights[path].shape, path


@pytest.mark.parametrize("gan_type", ADVERSARIAL)
def test_a_step_with_any_loss_is_finite(gan_type, untraced):
    trainer = trainer_of(gan_type=gan_type)
    scalars = dict(trainer.step(*BATCH))
    assert bool(scalars.pop("finite"))
    assert set(scalars) == tags_of(gan_type)
    for tag, value in scalars.items():
        assert value.shape == [], tag
        assert np.isfinite(value), tag
    for name, array in everything(trainer).items():
        assert np.isfinite(array).all(), name


def test_all_change_in_a_full_step_and_only_discriminators_between(two_to_one):
    _, states, scalars, _ = two_to_one
    for index, (before, after) in enumerate(zip(states, states[1:])):
        moved = changed(before, after)
        generator_names = ("weights/a2b", "weights/b2a", "generator_optimizer")
        of_generators = {name for name in moved if name.startswith(generator_names)}
        full = index % 2 == 0
        assert bool(of_generators) == full, index
        tags = DISCRIMINATOR_TAGS | (GENERATOR_TAGS if full else set())
        assert set(scalars[index]) == tags | {"finite"}
        assert "progress/steps_done" in moved
        powers = {
            f"{kind}_optimizer/beta_{i}_power"
            for kind in ("generator", "discriminator")
            for i in (1, 2)
        }
        assert moved & powers == {p for p in powers if full or p.startswith("disc")}
        layers = {
            name.rsplit("/", 1)[0]
            for name in before
            if name.startswith("weights/") and name.endswith("/kernel")
        }
        expected = {layer for layer in layers if full or layer.startswith("weights/disc")}
        assert {layer for layer in layers if f"{layer}/kernel" in moved} == expected


def test_steps_are_counted(two_to_one):
    _, states, _, _ = two_to_one
    assert [int(state["progress/steps_done"]) for state in states] == [0, 1, 2, 3, 4]


def test_each_of_the_two_kinds_of_step_is_traced_once(two_to_one):
    _, _, _, traces = two_to_one
    assert traces == [1, 2, 2, 2]


def test_rho_stays_in_the_unit_interval(two_to_one):
    _, states, _, _ = two_to_one
    rhos = [array for name, array in states[-1].items() if "/rho" in name and "weights" in name]
    assert len(rhos) == 2 * (2 + 2)  # adaptive and upsampling, in both generators
    assert all(array.min() >= 0 and array.max() <= 1 for array in rhos)


def test_a_traced_step_is_an_eager_step(two_to_one, untraced):
    eager = trainer_of(n_critic=2)
    _, _, scalars, _ = two_to_one
    for index in range(3):
        expected = eager.step(*BATCH)
        assert set(scalars[index]) == set(expected)
        for tag, value in expected.items():
            tolerance = of_loss(tag, drift(eager.config.lr, index + 1))
            np.testing.assert_allclose(scalars[index][tag], value, err_msg=tag, **tolerance)


def test_discriminators_are_updated_before_generators(untraced):
    """The generators' loss is that of the old generators before the new discriminators."""
    trainer = trainer_of(sn=False, lr=0.01, **WEIGHTED)
    start = weights_of(trainer)
    losses, gradients = trainer.losses_and_gradients(*BATCH)
    scalars = trainer.step(*BATCH)
    after = weights_of(trainer)
    np.testing.assert_allclose(
        scalars["Discriminator_loss"], losses["Discriminator_loss"], **TOLERANCE["objective"]
    )
    assert abs(scalars["Generator_loss"] / losses["Generator_loss"] - 1) > 1e-3
    assert_moved(start, after, gradients, trainer.discriminator_optimizer, 0.01)

    for path, weight in trainer.model.generator_weights().items():
        weight.assign(start[path])
    losses, gradients = trainer.losses_and_gradients(*BATCH)
    np.testing.assert_allclose(
        scalars["Generator_loss"], losses["Generator_loss"], **TOLERANCE["objective"]
    )
    assert_moved(start, after, gradients, trainer.generator_optimizer, 0.01)


def assert_moved(start, after, gradients, optimizer, rate):
    """One Adam step from `start` along `gradients`, where they are more than rounding noise."""
    for path in optimizer.weights:
        gradient = gradients[path].numpy()
        felt = np.abs(gradient) > 1e-3 * max(np.abs(g).max() for g in gradients.values())
        expected = reference.adam(start[path], [gradient], [rate], clipped=path.endswith("/rho"))
        np.testing.assert_allclose(after[path][felt], expected[felt], err_msg=path, **update(rate))


def test_each_update_moves_u_by_one_iteration(untraced):
    trainer = trainer_of(lr=1e-12)
    path = "discriminator_a/global_network/last"
    state, kernel = (trainer.model.weights()[f"{path}/{leaf}"] for leaf in ("u", "kernel"))
    u = made.numbers(*state.shape)
    state.assign(u)
    trainer.step(*BATCH)
    for _ in range(2):  # one of the discriminators' update, one of the generators'
        _, u = reference.spectral_norm(kernel.numpy(), u)
    np.testing.assert_allclose(state, u, **TOLERANCE["float32"])


@pytest.mark.parametrize(("epoch", "part"), [(0, 1.0), (2, 1.0), (4, 0.75), (6, 0.25)])
def test_the_rate_follows_the_schedule(epoch, part, untraced):
    """The first Adam step is as long as the rate, wherever the gradient is not tiny."""
    trainer = trainer_of(lr=0.01)  # 7 epochs of 11 steps; the rate falls from epoch 3 on
    before = weights_of(trainer)
    trainer.steps_done.assign(11 * epoch)
    trainer.step(*BATCH)
    for path in ("a2b/to_image/kernel", "discriminator_b/local_network/last/kernel"):
        moved = np.abs(weights_of(trainer)[path] - before[path]).max()
        assert moved == pytest.approx(0.01 * part, rel=OF_A_STEP), path


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize(("epoch", "part"), [(0, 1.0), (4, 0.75)])
def test_the_discriminators_may_have_a_rate_of_their_own(epoch, part, accumulate, untraced):
    rates = {"a2b/to_image/kernel": 0.01, "discriminator_b/local_network/last/kernel": 0.04}
    trainer = trainer_of(lr=0.01, discriminator_lr=0.04, accumulate=accumulate)
    before = weights_of(trainer)
    trainer.steps_done.assign(11 * epoch)
    trainer.step(*BATCH)
    for path, rate in rates.items():
        moved = np.abs(weights_of(trainer)[path] - before[path]).max()
        assert moved == pytest.approx(rate * part, rel=OF_A_STEP), path


def test_penalties_draw_from_the_seed_and_the_step():
    trainer = trainer_of(gan_type="dragan")

    def drawn(name="D_A_loss/alpha", trainer=trainer):
        return trainer._noise(name, [4, 1, 1, 1]).numpy()

    first = drawn()
    assert ((first >= 0) & (first < 1)).all()
    others = [drawn("D_B_loss/alpha"), drawn("D_A_loss/eps"), drawn(trainer=trainer_of(seed=1))]
    trainer.steps_done.assign_add(1)
    others.append(drawn())
    assert len(np.unique([first, *others])) == 4 * 5
    trainer.steps_done.assign_sub(1)
    np.testing.assert_array_equal(drawn(), first)


@pytest.mark.parametrize("shape", [[1], [2, 1, 1, 1], [2, 5, 7, 3]])
def test_noise_is_bit_for_bit_that_of_tensorflow_also_where_xla_compiles_it(shape):
    for seed in ([1, 2], [-123456789, 2**31 - 1]):
        expected = tf.random.stateless_uniform(shape, seed, alg="philox")
        for compiled in (False, True):
            drawn = tf.function(lambda seed: uniform(shape, seed), jit_compile=compiled)
            np.testing.assert_array_equal(drawn(tf.constant(seed)), expected)


def test_given_noise_is_used_instead_of_drawn_noise():
    trainer = trainer_of(gan_type="dragan")

    def loss(**options):
        return float(trainer.losses_and_gradients(*BATCH, **options)[0]["D_A_loss"])

    assert loss(alpha=0.0) == pytest.approx(loss(alpha=0.0, eps=0.9), rel=LAYER)
    assert loss(alpha=1.0, eps=0.1) != pytest.approx(loss(alpha=1.0, eps=0.9), rel=LAYER)


def test_a_weight_that_is_not_a_number_shows_in_the_same_step(untraced):
    trainer = trainer_of()
    bias = trainer.model.weights()["a2b/to_image/bias"]
    bias.assign(np.full(bias.shape, np.nan))
    assert not bool(trainer.step(*BATCH)["finite"])


def test_a_moving_average_follows_the_generators_and_starts_at_their_weights(untraced):
    trainer = trainer_of(ema=0.75)
    before = {path: w.numpy() for path, w in trainer.generator_optimizer.weights.items()}
    assert set(trainer.state()["average"]) == set(before)
    trainer.step(*BATCH)
    for path, weight in trainer.generator_optimizer.weights.items():
        expected = 0.75 * before[path] + 0.25 * weight.numpy()
        np.testing.assert_allclose(trainer.average.values[path], expected, **TOLERANCE["float32"])
    trainer.start_average()
    for path, weight in trainer.generator_optimizer.weights.items():
        np.testing.assert_array_equal(trainer.average.values[path].numpy(), weight.numpy())


def test_without_a_moving_average_none_is_kept(untraced):
    assert "average" not in trainer_of().state()


GENERATORS, ATTENDED = ("a2b", "b2a"), ("attend_a2b", "attend_b2a")
NO_IDENTITY = {"identity_weight": 0.0}


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        # Translation with identity, then the cycle.
        ({}, [("a2b", 2), ("b2a", 2), ("b2a", 1), ("a2b", 1)]),
        ({"cam_weight": 0.0}, [("a2b", 2), ("b2a", 2), ("b2a", 1), ("a2b", 1)]),
        ({"cycle_weight": 0.0}, [("a2b", 2), ("b2a", 2)]),
        # Without identity the map of the other domain needs the encoder alone.
        (
            NO_IDENTITY,
            [("a2b", 1), ("attend_a2b", 1), ("b2a", 1), ("attend_b2a", 1), ("b2a", 1), ("a2b", 1)],
        ),
        ({**NO_IDENTITY, "cam_weight": 0.0}, [("a2b", 1), ("b2a", 1), ("b2a", 1), ("a2b", 1)]),
    ],
    ids=["all", "no cam", "no cycle", "no identity", "neither"],
)
def test_losses_without_weight_do_not_cost_a_pass(untraced, weights, expected):
    trainer = trainer_of(**weights)
    calls = []

    def counted(name, network):
        def call(images):
            calls.append((name, int(images.shape[0])))
            return network(images)

        return call

    networks = trainer.networks._asdict()
    named = {n: counted(n, networks[n]) for n in (*GENERATORS, *ATTENDED)}
    trainer.networks = trainer.networks._replace(**named)
    scalars = trainer.step(BATCH[0][:1], BATCH[1][:1])
    assert calls == expected
    for term in ("identity", "cam", "cycle"):
        off = f"{term}_weight" in weights
        assert (float(scalars[f"G_A_{term}"]) == 0.0) == off, term
        assert (f"b2a/{term}" not in scalars) == off, term


@functools.lru_cache(None)
def losses_with_all_terms():
    return trainer_of().losses_and_gradients(*BATCH)[0]


@pytest.mark.parametrize("off", ["adv", "cycle", "identity", "cam"])
def test_a_term_without_weight_leaves_the_others_as_they_were(off):
    trainer = trainer_of(**{f"{off}_weight": 0.0})
    found, gradients = trainer.losses_and_gradients(*BATCH)
    expected = losses_with_all_terms()
    for direction in ("a2b", "b2a"):
        for term in ("adversarial", "cycle", "identity", "cam"):
            tag = f"{direction}/{term}"
            if off == term[:3] or off == term:
                assert tag not in found
            else:
                np.testing.assert_allclose(found[tag], expected[tag], err_msg=tag, **of_loss(tag))
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())


def test_a_penalty_without_weight_is_not_computed():
    losses, _ = trainer_of(gan_type="wgan-gp", GP_ld=0.0).losses_and_gradients(*BATCH)
    assert not PENALTY_TAGS & set(losses)
