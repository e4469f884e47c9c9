"""One training iteration: two objectives, their gradients, two updates. No files, no clock.

U-GAT-IT section 2.2, as the official TensorFlow code; docs/fidelity.md lists what differs.
"""

import contextlib

import tensorflow as tf

from ugatit_tf.runtime import seed_of
from ugatit_tf.training.objective import Networks, Objective
from ugatit_tf.training.optimizer import Adam, learning_rate


class Trainer:
    """Trains `model` as `config` says.

    `step` changes the weights; `losses_and_gradients` only looks. Both take batches
    [batch, img_size, img_size, img_ch] in [-1, 1] of domain A and of domain B.
    """

    def __init__(self, model, config):
        self.model = model
        self.config = config
        self.objective = Objective(config, self._noise)
        generator = _trainable(model.generator_weights())
        discriminator = _trainable(model.discriminator_weights())
        self.generator_optimizer = Adam(generator)
        self.discriminator_optimizer = Adam(discriminator)
        self.average = _copies(generator) if config.ema else {}
        self.steps_done = tf.Variable(0, dtype=tf.int64)
        self.num_traces = 0
        self._plain = Networks(
            model.a2b, model.b2a, model.a2b.attend, model.b2a.attend,
            model.discriminator_a, model.discriminator_b,
        )  # fmt: skip
        self._networks = self._traced_networks()
        self._step = tf.function(self._iteration)
        self._step_without_generators = tf.function(self._iteration_without_generators)

    def step(self, real_a, real_b, alpha=None, eps=None) -> dict:
        """Runs one iteration: discriminators, then in every n_critic-th one the generators.

        Args:
            alpha: number. The penalty's interpolation weight; None draws one for each sample.
            eps: number. DRAGAN's noise; None draws it.

        Returns:
            dict tag -> scalar tensor, with the official and the readable tags of `objective`.
            The discriminators' losses are those before their update; the generators' (where
            they are updated) those after it. And "finite": whether all losses and gradients were.
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
            (dict tag -> scalar, dict path -> gradient), generators' and
            discriminators' together.
        """
        kernels = _kernels(self.generator_optimizer)
        with _watching(self.generator_optimizer) as tape:
            translated = self.objective.translate(self._plain, real_a, real_b)
            generator = self.objective.generators(
                self._plain, (real_a, real_b), *translated, kernels
            )
        gradients = _gradients(tape, generator["Generator_loss"], self.generator_optimizer)
        fakes = _fakes(translated)
        with _watching(self.discriminator_optimizer) as tape:
            discriminator = self._judge(self._plain, (real_a, real_b), fakes, alpha, eps)
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
        kernels = _kernels(self.generator_optimizer)
        with _watching(self.generator_optimizer) as tape:
            translated = self.objective.translate(self._networks, real_a, real_b)
            with tape.stop_recording():
                reals, fakes = (real_a, real_b), _fakes(translated)
                scalars = self._update_discriminators(reals, fakes, rate, alpha, eps)
            parts = self.objective.generators(self._networks, reals, *translated, kernels)
        gradients = _gradients(tape, parts["Generator_loss"], self.generator_optimizer)
        self.generator_optimizer.apply(gradients, rate)
        self._update_average()
        self.steps_done.assign_add(1)
        finite = tf.logical_and(scalars["finite"], _finite(parts, gradients))
        return {**scalars, **parts, "finite": finite}

    def _iteration_without_generators(self, real_a, real_b, rate, alpha, eps):
        self.num_traces += 1
        fakes = self._networks.b2a(real_b).image, self._networks.a2b(real_a).image
        scalars = self._update_discriminators((real_a, real_b), fakes, rate, alpha, eps)
        self.steps_done.assign_add(1)
        return scalars

    def _update_discriminators(self, reals, fakes, rate, alpha, eps):
        with _watching(self.discriminator_optimizer) as tape:
            parts = self._judge(self._networks, reals, fakes, alpha, eps)
        gradients = _gradients(tape, parts["Discriminator_loss"], self.discriminator_optimizer)
        self.discriminator_optimizer.apply(gradients, rate)
        return {**parts, "finite": _finite(parts, gradients)}

    def _judge(self, networks, reals, fakes, alpha, eps):
        of_penalty = self._plain.discriminator_a, self._plain.discriminator_b
        kernels = _kernels(self.discriminator_optimizer)
        return self.objective.discriminators(
            networks, of_penalty, reals, fakes, kernels, alpha, eps
        )

    def _update_average(self):
        """average = ema * average + (1 - ema) * weight."""
        for path, average in self.average.items():
            weight = self.generator_optimizer.weights[path]
            average.assign_sub((1.0 - self.config.ema) * (average - weight))

    def _noise(self, name, shape):
        """Uniform [0, 1): a pure function of the run's seed, the step and `name`."""
        step = tf.cast(self.steps_done, tf.int32)
        seed = tf.constant(seed_of(self.config.seed, name)) + [step, 0]
        return tf.random.stateless_uniform(shape, seed)

    def _traced_networks(self):
        """Each network as one traced function of any batch size: traced once, called often."""
        config = self.config
        images = tf.TensorSpec([None, config.img_size, config.img_size, config.img_ch])

        def traced(network, **kwargs):
            return tf.function(lambda x: network(x, **kwargs), input_signature=[images])

        model, training = self.model, {"training": True}
        return Networks(
            a2b=traced(model.a2b),
            b2a=traced(model.b2a),
            attend_a2b=traced(model.a2b.attend),
            attend_b2a=traced(model.b2a.attend),
            discriminator_a=traced(model.discriminator_a, **training),
            discriminator_b=traced(model.discriminator_b, **training),
        )


@contextlib.contextmanager
def _watching(optimizer):
    """A tape for the gradients of the optimizer's weights and of nothing else."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        for weight in optimizer.weights.values():
            tape.watch(weight)
        yield tape


def _fakes(translated):
    """(of domain A, of domain B)."""
    of_a2b, of_b2a = translated
    return of_b2a.fake, of_a2b.fake


def _gradients(tape, target, optimizer):
    weights = list(optimizer.weights.values())
    values = tape.gradient(target, weights, unconnected_gradients="zero")  # loss weights of 0
    return dict(zip(optimizer.weights, values))


def _finite(parts, gradients):
    """Whether all losses and all gradients are finite numbers."""
    # The sum of squares is one pass without a copy, and it is finite only if all terms are.
    sums = [tf.nn.l2_loss(gradient) for gradient in gradients.values()]
    return tf.reduce_all(tf.math.is_finite(tf.stack([*parts.values(), *sums])))


def _copies(weights):
    return {path: tf.Variable(weight) for path, weight in weights.items()}


def _kernels(optimizer):
    return [w for path, w in optimizer.weights.items() if path.endswith("/kernel")]


def _trainable(weights):
    return {path: w for path, w in weights.items() if not path.endswith("/u")}
