"""Half precision: maps are half, everything that is kept or summed is float32."""

import contextlib
import functools

import numpy as np
import pytest
import tensorflow as tf

from tests import made, reference, runs
from tests.test_layers import TABLE
from tests.test_step import BATCH, everything, trainer_of
from tests.tolerances import LAYER, TOLERANCE, drift, of_loss, rounding, update
from ugatit_tf import layers
from ugatit_tf.data import demo, folders, pipeline
from ugatit_tf.errors import Failure
from ugatit_tf.layers.precision import add_bias, scale_by
from ugatit_tf.layers.weights import Role, roles_of
from ugatit_tf.networks.discriminator import Discriminator
from ugatit_tf.networks.generator import Generator
from ugatit_tf.networks.model import build_model
from ugatit_tf.training.learner import Learner, LossScale
from ugatit_tf.training.step import Trainer

EPSILON = {"bfloat16": 2.0**-8, "float16": 2.0**-11}

# Roundings to a half number one after another: a block has two convolutions, two biases, two
# normalizations, an activation and a sum; a network about thirty maps. Gradients go back as well.
BLOCK, NETWORK = 8, 30
HALVES = pytest.mark.parametrize("precision", ["bfloat16", "float16"])
PLAIN = [name for name in TABLE if hasattr(layers, name)]


def difference(found, expected):
    """The largest, as a part of the largest number expected."""
    found, expected = (np.asarray(tf.cast(x, tf.float32)) for x in (found, expected))
    return np.abs(found - expected).max() / np.abs(expected).max()


def distance(found, expected):
    """Of two sets of gradients: the norm of the difference, as a part of the norm expected."""
    found, expected = (
        np.concatenate([np.asarray(tf.cast(x, tf.float32)).ravel() for x in tensors])
        for tensors in (found, expected)
    )
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@contextlib.contextmanager
def without_kinks():
    """ELU in the place of both ReLUs, and nothing else changed.

    A rounded number may fall on the other side of a ReLU's kink, where the gradient is another
    one: by a tenth and more, as chance has it. ELU's slope has no such jump.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.nn, "relu", tf.nn.elu)
        patch.setattr(tf.nn, "leaky_relu", lambda x, alpha: tf.nn.elu(x))
        yield


@made.needs_half
@HALVES
@pytest.mark.parametrize("name", PLAIN)
def test_a_layer_computes_in_the_type_of_its_input(name, precision):
    kind, options, (x, *style), _ = TABLE[name]
    layer = kind(**options)
    layer(x, *style)
    made.filled(layer)

    def run(x):
        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = tf.nest.flatten(layer(x, *style))
            # Not the sum of squares, which a normalization makes constant.
            total = tf.reduce_sum(tf.cast(outputs[0], tf.float32) * made.numbers(*outputs[0].shape))
        roles, weights = roles_of(layer), made.named_weights(layer)
        kernels = [w for path, w in weights.items() if roles[path].trained]
        return outputs[0], tape.gradient(total, [x, *kernels])

    half = tf.cast(x, precision)
    with without_kinks():
        expected, gradients = run(tf.cast(half, tf.float32))  # without the rounding of the input
        found, half_gradients = run(half)
    assert found.dtype == half_gradients[0].dtype == precision
    assert all(gradient.dtype == tf.float32 for gradient in half_gradients[1:])
    assert difference(found, expected) < rounding(BLOCK, precision)
    assert distance(half_gradients, gradients) < rounding(2 * BLOCK, precision)


def test_statistics_of_numbers_whose_squares_float16_cannot_hold_are_right():
    x = 1000 + 200 * made.numbers(1, 16, 16, 3)
    layer = layers.InstanceNormalization()
    found = layer(tf.constant(x, tf.float16))
    assert difference(found, layer(x)) < rounding(1000 / 200 + BLOCK, "float16")  # of the input too


@pytest.mark.parametrize(("function", "shape"), [(add_bias, [1]), (scale_by, [])])
def test_sums_over_half_maps_count_every_pixel(function, shape):
    """In bfloat16 itself 256 + 1 is 256."""
    x, weight = tf.ones([1, 64, 64, 1], tf.bfloat16), tf.ones(shape)
    with tf.GradientTape() as tape:
        tape.watch(weight)
        y = function(x, weight)
    gradient = tape.gradient(y, weight)
    assert (gradient.dtype, float(tf.squeeze(gradient))) == (tf.float32, 64 * 64)


@made.needs_half
@HALVES
def test_networks_take_and_return_float32_and_keep_float32_weights(precision):
    generator = Generator(ch=2, n_res=1, light=True, precision=precision)
    discriminator = Discriminator(ch=2, n_dis=2, precision=precision)
    x = tf.constant(made.images(1, 8, 8, 3))
    for output in tf.nest.flatten([generator(x), discriminator(x)]):
        assert output.dtype == tf.float32
    for network in (generator, discriminator):
        for path, weight in made.named_weights(network).items():
            assert weight.dtype == tf.float32, path


@functools.lru_cache(None)
def looked_at(kinks=True, **options):
    trainer = trainer_of(img_size=16, **options)
    for learner in (trainer.generators, trainer.discriminators):
        if learner.scale.enabled:  # the losses are large already
            learner.scale.scale.assign(1.0)
    with contextlib.nullcontext() if kinks else without_kinks():
        return trainer.losses_and_gradients(*images(), alpha=0.5, eps=0.5)


def images():
    return [tf.constant(made.images(2, 16, 16, 1, seed=seed)) for seed in (1, 2)]


@made.needs_half
@HALVES
@pytest.mark.parametrize("gan_type", ["lsgan", "wgan-gp"])
def test_losses_and_gradients_are_those_of_float32_up_to_rounding(precision, gan_type):
    expected, gradients = looked_at(kinks=False, gan_type=gan_type)
    found, half = looked_at(kinks=False, gan_type=gan_type, precision=precision)
    # Means over many rounded numbers: relative, and of a logit, where those of both signs cancel.
    tolerance = {"rtol": rounding(NETWORK, precision), "atol": rounding(BLOCK, precision)}
    for tag, value in expected.items():
        assert found[tag].dtype == tf.float32, tag
        np.testing.assert_allclose(found[tag], value, err_msg=tag, **tolerance)
    for kind in ("gen", "disc"):
        names = [n for n in gradients if (n[:4] == "disc") == (kind == "disc")]
        apart = distance([half[n] for n in names], [gradients[n] for n in names])
        assert apart < rounding(2 * NETWORK, precision), kind


def test_recomputing_changes_neither_losses_nor_gradients():
    expected, gradients = looked_at(gan_type="lsgan")
    found, again = looked_at(gan_type="lsgan", recompute=True)
    for tag, value in expected.items():
        np.testing.assert_allclose(found[tag], value, rtol=LAYER, err_msg=tag)
    assert set(again) == set(gradients)
    apart = distance([again[path] for path in gradients], gradients.values())
    assert apart < TOLERANCE["gradient"]["rtol"]


def assert_trains_like_the_default(base=(), **options):
    """The first two steps, traced, against the default's, or that of `base`, run eagerly."""
    plain, other = trainer_of(**dict(base)), trainer_of(**{**dict(base), **options})
    tf.config.run_functions_eagerly(True)
    expected = [plain.step(*BATCH) for _ in range(2)][-1]
    tf.config.run_functions_eagerly(False)
    found = [other.step(*BATCH) for _ in range(2)][-1]
    for tag, value in expected.items():
        tolerance = of_loss(tag, drift(plain.config.lr))
        np.testing.assert_allclose(found[tag], value, err_msg=tag, **tolerance)


def test_recomputing_works_where_a_step_is_traced():
    """Of a whole step the generator alone recomputes: as a traced function in a traced one."""
    x, weight = tf.constant(made.images(1, 16, 16, 1)), made.numbers(1, 16, 16, 1)

    def look(**options):
        generator = Generator(ch=2, n_res=1, light=True, img_ch=1, **options)
        generator(x)
        made.filled(generator)
        weights = made.named_weights(generator)
        network = tf.function(generator)

        @tf.function
        def traced(x):
            with tf.GradientTape() as tape:
                out = network(x)
                loss = tf.reduce_sum(weight * out.image) + tf.reduce_sum(out.cam_logit)
            return loss, tape.gradient(loss, weights)

        return traced(x)

    (expected, gradients), (found, again) = look(), look(recompute=True)
    np.testing.assert_allclose(found, expected, rtol=LAYER)
    apart = distance([again[path] for path in gradients], gradients.values())
    assert apart < TOLERANCE["gradient"]["rtol"]


@pytest.mark.parametrize(
    ("options", "noise"),
    [
        ({}, {}),
        ({"gan_type": "wgan-gp", "n_critic": 2, "ema": 0.9}, {"alpha": 0.5}),
        pytest.param({"flavor": "pytorch"}, {}, marks=pytest.mark.slow),
    ],
    ids=["lsgan", "wgan-gp", "pytorch"],
)
def test_two_batches_for_one_update_are_one_batch_of_twice_the_size(options, noise, untraced):
    whole = trainer_of(batch_size=2, **options)
    parts = trainer_of(batch_size=1, accumulate=2, **options)
    rate = whole.config.lr
    for step in range(2):
        expected, found = (trainer.step(*BATCH, **noise) for trainer in (whole, parts))
        assert set(found) == set(expected)
        for tag, value in expected.items():
            tolerance = of_loss(tag, drift(rate, step + 1))
            np.testing.assert_allclose(found[tag], value, err_msg=tag, **tolerance)
    before, after = everything(whole), everything(parts)
    assert set(after) == set(before)
    for name, array in before.items():
        if name.startswith(("weights", "average")):
            atol = drift(rate, 2)
            np.testing.assert_allclose(after[name], array, rtol=LAYER, atol=atol, err_msg=name)
    for moment in ("generator_optimizer/m", "discriminator_optimizer/v"):
        one, other = (
            np.concatenate([x.ravel() for name, x in state.items() if name.startswith(moment)])
            for state in (before, after)
        )
        # A weight of order 1 that has drifted takes its gradients along by as much of their size.
        assert np.linalg.norm(other - one) < 2 * drift(rate, 2) * np.linalg.norm(one)


def test_the_loss_scale_is_halved_at_once_and_doubled_after_long_success(monkeypatch):
    monkeypatch.setattr(LossScale, "PATIENCE", 3)
    scale = LossScale(enabled=True)
    seen = []
    for finite in (True, False, True, True, True, True, False, False):
        assert bool(scale.follow(tf.constant(finite)))
        seen.append((float(scale.scale) / LossScale.START, int(scale.skipped)))
    assert seen == [
        (1.0, 0), (0.5, 1), (0.5, 1), (0.5, 1), (1.0, 1), (1.0, 1), (0.5, 2), (0.25, 3),
    ]  # fmt: skip


def test_at_the_smallest_scale_nothing_is_left_to_try():
    scale = LossScale(enabled=True)
    scale.scale.assign(LossScale.SMALLEST)
    assert not bool(scale.follow(tf.constant(False)))
    assert float(scale.scale) == LossScale.SMALLEST


@pytest.fixture
def overflowing(untraced):
    """A trainer and its state before and after a step whose scaled gradients are infinite."""
    trainer = trainer_of(precision="float16")
    for learner in (trainer.generators, trainer.discriminators):
        learner.scale.scale.assign(1e30)
    before = everything(trainer)
    scalars = trainer.step(*BATCH)
    return trainer, before, everything(trainer), scalars


@made.needs_half
def test_an_overflow_skips_the_update_and_is_counted_and_saved(overflowing):
    _, before, after, scalars = overflowing
    moved = {name for name in before if (before[name] != after[name]).any()}
    assert {name for name in moved if not name.endswith("/u")} == {
        "progress/steps_done",
        *(
            f"loss_scale/{kind}/{part}"
            for kind in ("generators", "discriminators")
            for part in ("scale", "skipped")
        ),
    }
    assert bool(scalars["finite"])  # the scale takes care of it; the run goes on
    for kind in ("generators", "discriminators"):
        assert float(scalars[f"loss_scale/{kind}/skipped"]) == 1
        assert after[f"loss_scale/{kind}/scale"] == pytest.approx(5e29)


@pytest.mark.parametrize("gradient", [0.5, np.inf, np.nan])
def test_a_traced_update_is_left_out_where_a_gradient_is_not_finite(gradient):
    start, gradients, rates = np.float32([1, 2]), np.float32([gradient, 0.25]), [0.1, 0.1]
    weight = tf.Variable(start)
    learner = Learner({"weight": weight}, {"weight": Role()}, scaled=True)
    untouched = made.arrays(learner.optimizer.state())
    traced = tf.function(learner.update)
    for rate in rates:
        assert bool(traced({"weight": tf.constant(gradients)}, tf.constant(rate)))
    scale, skipped = float(learner.scale.scale), int(learner.scale.skipped)
    if np.isfinite(gradient):
        expected = reference.adam(start, [gradients] * 2, rates, clipped=False)
        np.testing.assert_allclose(weight, expected, **update(*rates))
        assert (scale, skipped) == (LossScale.START, 0)
    else:
        np.testing.assert_array_equal(weight, start)
        np.testing.assert_equal(made.arrays(learner.optimizer.state()), untouched)
        assert (scale, skipped) == (LossScale.START / 4, 2)


@made.needs_half
def test_a_loss_that_is_not_finite_stops_a_float16_run_too(untraced):
    trainer = trainer_of(precision="float16")
    bias = trainer.model.weights()["a2b/to_image/bias"]
    bias.assign(np.full(bias.shape, np.nan))
    assert not bool(trainer.step(*BATCH)["finite"])


@made.needs_half
def test_a_float16_step_equals_a_float32_step_up_to_rounding(untraced):
    half, full = trainer_of(precision="float16"), trainer_of()
    for _ in range(2):
        found, expected = half.step(*BATCH), full.step(*BATCH)
    for tag, value in expected.items():
        # A rounded map passes a kink here and there, and Adam's steps are as long for any gradient.
        atol = rounding(NETWORK, "float16") + 4 * drift(half.config.lr, 2)
        tolerance = {"rtol": rounding(NETWORK, "float16"), "atol": atol}
        np.testing.assert_allclose(found[tag], value, err_msg=tag, **tolerance)


@made.needs_half
@pytest.mark.slow
def test_bfloat16_learns_the_built_in_faces_as_float32_does(tmp_path):
    """Three hundred steps: the curves of all terms lie together, and fall alike."""
    folder = str(tmp_path / "dataset" / "demo")
    demo.write_dataset(folder, size=32, train=24, test=1)
    curves = {}
    for precision in ("float32", "bfloat16"):
        config = runs.config_in(
            tmp_path, dataset="demo", img_size=32, ch=8, n_dis=4, lr=4e-4, precision=precision
        )
        parts = [folders.examine(f"{folder}/{name}").paths for name in folders.TRAIN]
        trainer = Trainer(build_model(config), config)
        told = [
            {tag: float(value) for tag, value in trainer.step(*batch).items() if "/" in tag}
            for batch in pipeline.batches(*parts, config).take(300)
        ]
        curves[precision] = {tag: np.array([t[tag] for t in told]) for tag in told[0]}
    # Means over fifty steps. The two sides' game leaves any path soon: of float32 runs whose
    # weights start 2^-9 or 2^-8 larger or smaller, the farthest is 0.61 from float32 in these
    # terms, and 0.13 in the others; bfloat16 is 0.58 and 0.12.
    for tag, curve in curves["float32"].items():
        of_game = "adversarial" in tag or tag.startswith("discriminator")
        means, others = (c.reshape(6, 50).mean(1) for c in (curve, curves["bfloat16"][tag]))
        np.testing.assert_allclose(others, means, rtol=0.8 if of_game else 0.2, err_msg=tag)
        if tag.endswith(("cycle", "identity", "cam")) and not of_game:
            assert others[-1] < 0.95 * others[0], tag


@pytest.mark.slow
@pytest.mark.parametrize(
    "base",
    [{"flavor": "pytorch"}, {"gan_type": "dragan", "recompute": True, "ema": 0.9}],
    ids=["pytorch", "dragan"],
)
def test_a_step_compiled_with_xla_trains_alike(base):
    """As a whole: networks, losses, gradients, noise, both updates, states and the average."""
    assert_trains_like_the_default(base, xla=True)


@pytest.mark.slow
@pytest.mark.parametrize("gan_type", ["wgan-gp", "wgan-lp", "dragan"])
def test_a_penalty_compiled_with_xla_is_that_of_the_same_noise_and_trains_alike(gan_type):
    """In an update of the discriminators alone, which compiles sooner than a whole step."""

    def trained(**options):
        trainer = trainer_of(gan_type=gan_type, n_critic=2, **options)
        trainer.steps_done.assign(1)
        return trainer.step(*BATCH), trainer.discriminator_optimizer.state()

    tf.config.run_functions_eagerly(True)
    expected, gradients = trained()
    tf.config.run_functions_eagerly(False)
    found, compiled = trained(xla=True)
    assert set(found) == set(expected) > {"discriminator_a/penalty", "discriminator_b/penalty"}
    for tag, value in expected.items():
        np.testing.assert_allclose(found[tag], value, err_msg=tag, **of_loss(tag))
    means = [name for name in gradients if name.startswith("m/")]  # half of the gradients
    apart = distance([compiled[name] for name in means], [gradients[name] for name in means])
    assert apart < TOLERANCE["gradient"]["rtol"]


@pytest.mark.slow
@made.needs_half
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_half_step_compiled_with_xla_is_as_near_to_float32_as_one_that_is_not(precision):
    """XLA rounds to half numbers at fewer places; neither may be further off than they are."""
    half = {"precision": precision}
    steps = [{}, half, {**half, "xla": True}]
    told = [trainer_of(**options).step(*BATCH) for options in steps]
    apart = {
        tag: [abs(float(other[tag]) - float(value)) for other in told[1:]]
        for tag, value in told[0].items()
    }
    for tag, (plain, compiled) in apart.items():
        size = abs(float(told[0][tag]))
        assert compiled <= 2 * plain + 4 * EPSILON[precision] * size, tag


def test_a_step_that_xla_cannot_compile_is_said_with_the_way_out(untraced, monkeypatch):
    def refuse(*_):
        raise tf.errors.UnimplementedError(None, None, "no such kernel")

    for xla, error, message in (
        (True, Failure, "XLA cannot compile the training step: no such kernel. Use --xla False"),
        (False, tf.errors.UnimplementedError, "no such kernel"),
    ):
        trainer = trainer_of(xla=xla)
        monkeypatch.setattr(trainer, "_schedule", refuse)
        with pytest.raises(error, match=message):
            trainer.step(*BATCH)
