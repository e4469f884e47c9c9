"""One training iteration: translate, judge, weigh the losses, update. No files, no clock.

U-GAT-IT section 2.2, as the official TensorFlow code; docs/fidelity.md lists what differs.
"""

import contextlib
from typing import Callable, NamedTuple

import tensorflow as tf

from ugatit_tf.runtime import seed_of
from ugatit_tf.training import losses
from ugatit_tf.training.optimizer import Adam, learning_rate

WEIGHT_DECAY = 1e-4  # of all kernels, with its gradient through Adam


class Networks(NamedTuple):
    """The four networks as functions of images."""

    a2b: Callable
    b2a: Callable
    discriminator_a: Callable
    discriminator_b: Callable


class Halves(NamedTuple):
    """A network's output for two batches that went through it as one."""

    first: tuple
    second: tuple


class Trainer:
    """Trains `model` as `config` says.

    `step` changes the weights; `losses_and_gradients` only looks. Both take batches
    [batch, img_size, img_size, img_ch] in [-1, 1] of domain A and of domain B.
    """

    def __init__(self, model, config):
        self.model = model
        self.config = config
        self.discriminator_loss, self.generator_loss = losses.adversarial(config.gan_type)
        self.penalty = losses.PENALTY.get(config.gan_type)
        generator = _trainable(model.generator_weights())
        discriminator = _trainable(model.discriminator_weights())
        self.generator_optimizer = Adam(generator)
        self.discriminator_optimizer = Adam(discriminator)
        self.average = _copies(generator) if config.ema else {}
        self.steps_done = tf.Variable(0, dtype=tf.int64)
        self.num_traces = 0
        self._networks = self._traced_networks()
        self._step = tf.function(self._iteration)
        self._step_without_generators = tf.function(self._iteration_without_generators)

    def step(self, real_a, real_b, alpha=None, eps=None) -> dict:
        """Runs one iteration: discriminators, then in every n_critic-th one the generators.

        Args:
            alpha: number. The penalty's interpolation weight; None draws one for each sample.
            eps: number. DRAGAN's noise; None draws it.

        Returns:
            dict official tag -> scalar tensor. The discriminators' losses are those before
            their update; the generators' (where they are updated) those after it. And
            "finite": whether all losses and gradients were.
        """
        index = int(self.steps_done.numpy())
        rate = tf.constant(learning_rate(index, self.config), tf.float32)
        both = index % self.config.n_critic == 0
        update = self._step if both else self._step_without_generators
        return update(real_a, real_b, rate, alpha, eps)

    def losses_and_gradients(self, real_a, real_b, alpha=None, eps=None):
        """All losses and gradients at the present weights, without changing anything.

        Args:
            alpha, eps: as in `step`.

        Returns:
            (dict official tag -> scalar, dict path -> gradient), generators' and
            discriminators' together.
        """
        networks = Networks(
            self.model.a2b, self.model.b2a, self.model.discriminator_a, self.model.discriminator_b
        )
        with _watching(self.generator_optimizer) as tape:
            a2b, b2a = self._translate(networks, real_a, real_b)
            generator = self._generator_losses(networks, real_a, real_b, a2b, b2a)
        gradients = _gradients(tape, generator["Generator_loss"], self.generator_optimizer)
        fakes = b2a.first.image, a2b.first.image
        with _watching(self.discriminator_optimizer) as tape:
            discriminator = self._discriminator_losses(
                networks, real_a, real_b, *fakes, alpha=alpha, eps=eps
            )
        gradients.update(
            _gradients(tape, discriminator["Discriminator_loss"], self.discriminator_optimizer)
        )
        return {**discriminator, **generator}, gradients

    def state(self) -> dict:
        """name -> dict of tf.Variables: all that an iteration changes."""
        return {
            "weights": self.model.weights(),
            "generator_optimizer": self.generator_optimizer.state(),
            "discriminator_optimizer": self.discriminator_optimizer.state(),
            "progress": {"steps_done": self.steps_done},
            **({"average": self.average} if self.average else {}),
        }

    def start_average(self):
        """Lets the moving average, if one is kept, be the weights of now."""
        for path, average in self.average.items():
            average.assign(self.generator_optimizer.weights[path])

    def _iteration(self, real_a, real_b, rate, alpha, eps):
        self.num_traces += 1  # Python runs only while tracing
        networks = self._networks
        with _watching(self.generator_optimizer) as tape:
            a2b, b2a = self._translate(networks, real_a, real_b)
            with tape.stop_recording():
                fakes = b2a.first.image, a2b.first.image
                scalars = self._update_discriminators(real_a, real_b, *fakes, rate, alpha, eps)
            parts = self._generator_losses(networks, real_a, real_b, a2b, b2a)
        gradients = _gradients(tape, parts["Generator_loss"], self.generator_optimizer)
        self.generator_optimizer.apply(gradients, rate)
        self._update_average()
        self.steps_done.assign_add(1)
        finite = tf.logical_and(scalars["finite"], _finite(parts, gradients))
        return {**scalars, **parts, "finite": finite}

    def _iteration_without_generators(self, real_a, real_b, rate, alpha, eps):
        self.num_traces += 1
        fakes = self._networks.b2a(real_b).image, self._networks.a2b(real_a).image
        scalars = self._update_discriminators(real_a, real_b, *fakes, rate, alpha, eps)
        self.steps_done.assign_add(1)
        return scalars

    def _update_discriminators(self, real_a, real_b, fake_a, fake_b, rate, alpha, eps):
        with _watching(self.discriminator_optimizer) as tape:
            parts = self._discriminator_losses(
                self._networks, real_a, real_b, fake_a, fake_b, alpha=alpha, eps=eps
            )
        gradients = _gradients(tape, parts["Discriminator_loss"], self.discriminator_optimizer)
        self.discriminator_optimizer.apply(gradients, rate)
        return {**parts, "finite": _finite(parts, gradients)}

    def _translate(self, networks, real_a, real_b):
        """Translations and, if a loss needs it, identities: the halves of one larger batch.

        Returns:
            (of a2b: real_a and real_b, of b2a: real_b and real_a), `Halves` each.
        """
        if self.config.identity_weight or self.config.cam_weight:
            return _halves(networks.a2b, real_a, real_b), _halves(networks.b2a, real_b, real_a)
        return Halves(networks.a2b(real_a), None), Halves(networks.b2a(real_b), None)

    def _update_average(self):
        """average = ema * average + (1 - ema) * weight."""
        for path, average in self.average.items():
            weight = self.generator_optimizer.weights[path]
            average.assign_sub((1.0 - self.config.ema) * (average - weight))

    def _discriminator_losses(self, networks, real_a, real_b, fake_a, fake_b, *, alpha, eps):
        config, model = self.config, self.model
        sides = {
            "D_A_loss": (networks.discriminator_a, model.discriminator_a, real_a, fake_a),
            "D_B_loss": (networks.discriminator_b, model.discriminator_b, real_b, fake_b),
        }
        parts = {}
        for tag, (judge, discriminator, real, fake) in sides.items():
            real_half, fake_half = _halves(judge, real, tf.stop_gradient(fake))
            value = sum(map(self.discriminator_loss, _logits(real_half), _logits(fake_half)))
            if self.penalty:
                value += config.GP_ld * self._penalty(tag, discriminator, real, fake, alpha, eps)
            parts[tag] = config.adv_weight * value
        decay = WEIGHT_DECAY * losses.l2(_kernels(self.discriminator_optimizer))
        parts["Discriminator_loss"] = parts["D_A_loss"] + parts["D_B_loss"] + decay
        return parts

    def _penalty(self, tag, discriminator, real, fake, alpha, eps):
        if alpha is None:
            alpha = self._noise(f"{tag}/alpha", [tf.shape(real)[0], 1, 1, 1])
        if self.config.gan_type == "dragan":
            eps = self._noise(f"{tag}/eps", tf.shape(real)) if eps is None else eps
            fake = losses.perturb(real, eps)

        def outputs_of(images):
            return _logits(discriminator(images, training=False))

        images = losses.interpolate(real, fake, alpha)
        return losses.gradient_penalty(outputs_of, images, self.penalty)

    def _noise(self, name, shape):
        """Uniform [0, 1): a pure function of the run's seed, the step and `name`."""
        step = tf.cast(self.steps_done, tf.int32)
        seed = tf.constant(seed_of(self.config.seed, name)) + [step, 0]
        return tf.random.stateless_uniform(shape, seed)

    def _generator_losses(self, networks, real_a, real_b, a2b, b2a):
        """`a2b` holds the halves (of real_a, of real_b), `b2a` those (of real_b, of real_a)."""
        config = self.config
        fake_b, fake_a = a2b.first.image, b2a.first.image
        cycled_a, cycled_b = networks.b2a(fake_b).image, networks.a2b(fake_a).image
        judged_a, judged_b = networks.discriminator_a(fake_a), networks.discriminator_b(fake_b)
        sides = {  # the name of a side is the domain that it makes
            "G_A": (judged_a, cycled_b, real_b, b2a, real_a),
            "G_B": (judged_b, cycled_a, real_a, a2b, real_b),
        }
        parts, total = {}, 0.0
        for side, (judged, cycled, source, translated, target) in sides.items():
            of_source, of_target = translated
            weighted = {
                "gan": config.adv_weight * sum(map(self.generator_loss, _logits(judged))),
                "cycle": config.cycle_weight * losses.l1(cycled, source),
                "identity": tf.constant(0.0),
                "cam": tf.constant(0.0),
            }
            if config.identity_weight:
                weighted["identity"] = config.identity_weight * losses.l1(of_target.image, target)
            if config.cam_weight:
                told_apart = losses.cam_loss(of_source.cam_logit, of_target.cam_logit)
                weighted["cam"] = config.cam_weight * told_apart
            loss = sum(weighted.values())
            parts[f"{side}_loss"] = loss
            parts.update({f"{side}_{name}": value for name, value in weighted.items()})
            total += loss
        decay = WEIGHT_DECAY * losses.l2(_kernels(self.generator_optimizer))
        return {**parts, "Generator_loss": total + decay}

    def _traced_networks(self):
        """Each network as one traced function of any batch size: traced once, called often."""
        config = self.config
        images = tf.TensorSpec([None, config.img_size, config.img_size, config.img_ch])

        def traced(network, **kwargs):
            return tf.function(lambda x: network(x, **kwargs), input_signature=[images])

        return Networks(
            traced(self.model.a2b),
            traced(self.model.b2a),
            traced(self.model.discriminator_a, training=True),
            traced(self.model.discriminator_b, training=True),
        )


@contextlib.contextmanager
def _watching(optimizer):
    """A tape for the gradients of the optimizer's weights and of nothing else."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        for weight in optimizer.weights.values():
            tape.watch(weight)
        yield tape


def _gradients(tape, target, optimizer):
    values = tape.gradient(target, list(optimizer.weights.values()))
    return dict(zip(optimizer.weights, values))


def _halves(network, first, second):
    """Runs both batches through `network` as one larger batch: all statistics are per sample."""
    size = tf.shape(first)[0]
    output = network(tf.concat([first, second], 0))
    return Halves(
        tf.nest.map_structure(lambda x: x[:size], output),
        tf.nest.map_structure(lambda x: x[size:], output),
    )


def _finite(parts, gradients):
    """Whether all losses and all gradients are finite numbers."""
    # The sum of squares is one pass without a copy, and it is finite only if all terms are.
    sums = [tf.nn.l2_loss(gradient) for gradient in gradients.values()]
    return tf.reduce_all(tf.math.is_finite(tf.stack([*parts.values(), *sums])))


def _copies(weights):
    return {path: tf.Variable(weight) for path, weight in weights.items()}


def _logits(judgements):
    """The four logit tensors of a discriminator: patch and CAM, local and global."""
    return [logit for judged in judgements for logit in (judged.logit, judged.cam_logit)]


def _kernels(optimizer):
    return [w for path, w in optimizer.weights.items() if path.endswith("/kernel")]


def _trainable(weights):
    return {path: w for path, w in weights.items() if not path.endswith("/u")}
