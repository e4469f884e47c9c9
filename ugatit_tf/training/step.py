"""One training iteration: two objectives, their gradients, two updates. No files, no clock.

U-GAT-IT section 2.2, as the official TensorFlow code; docs/fidelity.md lists what differs.
"""

import contextlib

import tensorflow as tf

from ugatit_tf.seeds import seed_of
from ugatit_tf.training.learner import Learner
from ugatit_tf.training.objective import Networks, Objective
from ugatit_tf.training.optimizer import learning_rate
from ugatit_tf.training.replicas import Replicas
from ugatit_tf.training.traced import advance_u, traced_networks


class Trainer:
    """Trains `model` as `config` says.

    `step` changes the weights; `losses_and_gradients` only looks. Both take batches
    [batch, img_size, img_size, img_ch] in [-1, 1] of domain A and of domain B.

    Args:
        replicas: `Replicas`, in whose scope `model` and this are made; None is one device. `step`
            then takes the batches of all replicas of this process.
    """

    def __init__(self, model, config, replicas=None):
        self.model = model
        self.config = config
        self.replicas = replicas or Replicas()
        self.objective = Objective(config, self._noise, self.replicas.mean)
        options = {"scaled": config.precision == "float16", "accumulate": config.accumulate}
        roles = model.roles()
        self.generators = Learner(model.generator_weights(), roles, **options)
        self.discriminators = Learner(model.discriminator_weights(), roles, **options)
        self.generator_optimizer = self.generators.optimizer
        self.discriminator_optimizer = self.discriminators.optimizer
        self.average = _copies(self.generator_optimizer.weights) if config.ema else {}
        self.steps_done = tf.Variable(0, dtype=tf.int64)
        self.num_traces = 0
        self._part = tf.Variable(0, dtype=tf.int64)  # of the batches of an update of several
        self._plain = Networks(
            model.a2b, model.b2a, model.a2b.attend, model.b2a.attend,
            model.discriminator_a, model.discriminator_b,
        )  # fmt: skip
        self._networks = traced_networks(model, config, self.replicas)
        traced = self.replicas.function
        self._step = traced(self._iteration)
        self._step_without_generators = traced(self._iteration_without_generators)
        self._add_discriminators = traced(self._batch_of_discriminators)
        self._add_generators = traced(self._batch_of_generators)
        self._end_batches_of_discriminators = traced(self._end_of_discriminators, batches=0)
        self._end_batches_of_generators = traced(self._end_of_generators, batches=0)

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
        if self.config.accumulate > 1:
            return self._step_of_parts(real_a, real_b, rate, both, alpha, eps)
        update = self._step if both else self._step_without_generators
        return update(real_a, real_b, rate, alpha, eps)

    def losses_and_gradients(self, real_a, real_b, alpha=None, eps=None):
        """All losses and gradients at the present weights, without changing anything.

        Args:
            alpha, eps: as in `step`.

        Returns:
            (dict tag -> scalar, dict path -> gradient), generators' and discriminators' together.
        """
        reals = real_a, real_b
        generator, gradients, fakes = self._look_at_generators(self._plain, reals)
        discriminator, more = self._look_at_discriminators(self._plain, reals, fakes, alpha, eps)
        return {**discriminator, **generator}, {**gradients, **more}

    def state(self) -> dict:
        """name -> dict of tf.Variables: all that an iteration changes."""
        return {
            "weights": self.model.weights(),
            "generator_optimizer": self.generator_optimizer.state(),
            "discriminator_optimizer": self.discriminator_optimizer.state(),
            "progress": {"steps_done": self.steps_done},
            **({"average": self.average} if self.average else {}),
            **({"loss_scale": self._scales()} if self.generators.scale else {}),
        }

    def start_average(self):
        """Lets the moving average, if one is kept, be the weights of now."""
        for path, average in self.average.items():
            average.assign(self.generator_optimizer.weights[path])

    @contextlib.contextmanager
    def averaged(self):
        """Within it the generators have their moving average, if one is kept."""
        weights = {path: self.generator_optimizer.weights[path] for path in self.average}
        own = {path: weight.numpy() for path, weight in weights.items()}
        try:
            for path, weight in weights.items():
                weight.assign(self.average[path])
            yield
        finally:
            for path, weight in weights.items():
                weight.assign(own[path])

    # One batch for each update: the discriminators are updated in the middle of the generators'
    # pass, so that the translations are computed once.

    def _iteration(self, real_a, real_b, rate, alpha, eps):
        self.num_traces += 1  # Python runs only while tracing
        reals = real_a, real_b
        with self.generators.watch() as tape:
            translated = self.objective.translate(self._networks, *reals)
            with tape.stop_recording():
                scalars = self._train_discriminators(reals, _fakes(translated), rate, alpha, eps)
            kernels = self.generators.kernels
            parts = self.objective.generators(self._networks, reals, *translated, kernels)
        gradients = self.generators.gradients(tape, parts["Generator_loss"])
        parts, gradients = self.replicas.mean((parts, gradients))
        updated = self.replicas.update(self.generators.update, gradients, rate)
        finite = _all_finite(parts, scalars.pop("finite"), updated)
        self.replicas.update(self._end_step_of_all)
        return {**scalars, **parts, **self._told_of_scales(), "finite": finite}

    def _iteration_without_generators(self, real_a, real_b, rate, alpha, eps):
        self.num_traces += 1
        fakes = self._networks.b2a(real_b).image, self._networks.a2b(real_a).image
        scalars = self._train_discriminators((real_a, real_b), fakes, rate, alpha, eps)
        self.replicas.update(self._count_step)
        return {**scalars, **self._told_of_scales()}

    def _train_discriminators(self, reals, fakes, rate, alpha, eps):
        found = self._look_at_discriminators(self._networks, reals, fakes, alpha, eps)
        parts, gradients = self.replicas.mean(found)
        finite = self.replicas.update(self.discriminators.update, gradients, rate)
        return {**parts, "finite": _all_finite(parts, finite)}

    def _look_at_discriminators(self, networks, reals, fakes, alpha, eps):
        of_penalty = self._plain.discriminator_a, self._plain.discriminator_b
        with self.discriminators.watch() as tape:
            parts = self.objective.discriminators(
                networks, of_penalty, reals, fakes, self.discriminators.kernels, alpha, eps
            )
        return parts, self.discriminators.gradients(tape, parts["Discriminator_loss"])

    def _look_at_generators(self, networks, reals):
        with self.generators.watch() as tape:
            translated = self.objective.translate(networks, *reals)
            parts = self.objective.generators(networks, reals, *translated, self.generators.kernels)
        gradients = self.generators.gradients(tape, parts["Generator_loss"])
        return parts, gradients, _fakes(translated)

    # Several batches for each update: the generators must wait for the discriminators, so the
    # translations are computed twice rather than kept for all batches.

    def _step_of_parts(self, real_a, real_b, rate, both, alpha, eps):
        parts = list(zip(*(tf.split(x, self.config.accumulate) for x in (real_a, real_b))))
        told = [self._add_discriminators(*part, alpha, eps) for part in parts]
        finite = [scalars.pop("finite") for scalars in told]
        finite.append(self._end_batches_of_discriminators(rate))
        scalars = _mean(told)
        if both:
            told = [self._add_generators(*part) for part in parts]
            finite += [scalars.pop("finite") for scalars in told]
            finite.append(self._end_batches_of_generators(rate))
            scalars.update(_mean(told))
        (self._end_step_of_all if both else self._count_step)()
        return {**scalars, **self._told_of_scales(), "finite": tf.reduce_all(finite)}

    def _batch_of_discriminators(self, real_a, real_b, alpha, eps):
        self.num_traces += 1
        fakes = self._networks.b2a(real_b).image, self._networks.a2b(real_a).image
        reals = real_a, real_b
        parts, gradients = self._look_at_discriminators(self._networks, reals, fakes, alpha, eps)
        self.discriminators.add(gradients)
        self.replicas.update(lambda: self._part.assign_add(1))
        parts = self.replicas.mean(parts)
        return {**parts, "finite": _all_finite(parts)}

    def _batch_of_generators(self, real_a, real_b):
        self.num_traces += 1
        parts, gradients, _ = self._look_at_generators(self._networks, (real_a, real_b))
        self.generators.add(gradients)
        parts = self.replicas.mean(parts)
        return {**parts, "finite": _all_finite(parts)}

    def _end_of_discriminators(self, rate):
        gradients = self.replicas.mean(self.discriminators.taken())
        self.replicas.update(self._advance_u)
        return self.replicas.update(self.discriminators.update, gradients, rate)

    def _end_of_generators(self, rate):
        gradients = self.replicas.mean(self.generators.taken())
        self.replicas.update(self._advance_u)
        return self.replicas.update(self.generators.update, gradients, rate)

    def _advance_u(self):
        return advance_u(self.model.discriminator_a, self.model.discriminator_b)

    def _end_step_of_all(self):
        """average = ema * average + (1 - ema) * weight, if there is one; counts the step."""
        for path, average in self.average.items():
            weight = self.generator_optimizer.weights[path]
            average.assign_sub((1.0 - self.config.ema) * (average - weight))
        return self._count_step()

    def _count_step(self):
        self._part.assign(0)
        return self.steps_done.assign_add(1)

    def _scales(self):
        return {
            f"{name}/{part}": variable
            for name in ("generators", "discriminators")
            for part, variable in getattr(self, name).scale.state().items()
        }

    def _told_of_scales(self):
        """The loss scales and the number of skipped updates, where there are any."""
        if not self.generators.scale:
            return {}
        told = {name: value for name, value in self._scales().items() if "good" not in name}
        return {f"loss_scale/{k}": tf.cast(v.read_value(), tf.float32) for k, v in told.items()}

    def _noise(self, name, shape):
        """Uniform [0, 1): a pure function of the run's seed, the step, the part and `name`.

        Replicas draw it for the whole batch, so that theirs is what one device would draw.
        """
        moved = tf.cast(tf.stack([self.steps_done, self._part]), tf.int32)
        seed = tf.constant(seed_of(self.config.seed, name)) + moved
        whole = tf.concat([[shape[0] * self.replicas.count], shape[1:]], 0)
        return self.replicas.own(tf.random.stateless_uniform(whole, seed))


def _fakes(translated):
    """(of domain A, of domain B)."""
    of_a2b, of_b2a = translated
    return of_b2a.fake, of_a2b.fake


def _all_finite(parts, *others):
    """Whether all losses are finite numbers, and what was found of others."""
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite([*parts.values()])), *others])


def _mean(scalars):
    return {tag: tf.add_n([s[tag] for s in scalars]) / len(scalars) for tag in scalars[0]}


def _copies(weights):
    return {path: tf.Variable(weight) for path, weight in weights.items()}
