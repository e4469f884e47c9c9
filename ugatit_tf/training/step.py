"""One training iteration: two objectives, their gradients, two updates. No files, no clock.

U-GAT-IT section 2.2, as the official TensorFlow code; docs/fidelity.md lists what differs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from ugatit_tf.config import Config
from ugatit_tf.flavors import FLAVORS
from ugatit_tf.networks.model import UGATIT
from ugatit_tf.seeds import seed_of
from ugatit_tf.training.learner import Learner
from ugatit_tf.training.objective import Networks, Objective
from ugatit_tf.training.optimizer import learning_rate
from ugatit_tf.training.replicas import Replicas
from ugatit_tf.training.traced import advance_spectral_states, traced_networks


class Trainer:
    """Trains `model` as `config` says.

    `step` changes the weights; `losses_and_gradients` only looks. Both take batches
    [batch, img_size, img_size, img_ch] in [-1, 1] of domain A and of domain B.

    Args:
        replicas: `Replicas`, in whose scope `model` and this are made; None is one device. `step`
            then takes the batches of all replicas of this process.
    """

    def __init__(self, model: UGATIT, config: Config, replicas: Replicas | None = None) -> None:
        self.model = model
        self.config = config
        self.replicas = replicas or Replicas()
        self.objective = Objective(config, self._noise, self.replicas.mean)
        options = {"scaled": config.precision == "float16", "accumulate": config.accumulate}
        options["flavor"] = flavor = FLAVORS[config.flavor]
        self._advances_first = flavor.stores_v  # see `traced_networks`
        roles = model.roles()
        self.generators = Learner(model.generator_weights(), roles, **options)
        self.discriminators = Learner(model.discriminator_weights(), roles, **options)
        self.generator_optimizer = self.generators.optimizer
        self.discriminator_optimizer = self.discriminators.optimizer
        self.average = _copies(self.generator_optimizer.weights) if config.ema else {}
        self.steps_done = tf.Variable(0, dtype=tf.int64)
        self.num_traces = 0
        self._micro_batch = tf.Variable(0, dtype=tf.int64)  # of the batches of an update of several
        self._plain = Networks(
            model.a2b, model.b2a, model.a2b.attend, model.b2a.attend,
            model.discriminator_a, model.discriminator_b,
        )  # fmt: skip
        self._networks = traced_networks(model, config, self.replicas)
        traced = self.replicas.function
        self._step = traced(self._full_step)
        self._step_without_generators = traced(self._discriminator_step)
        self._discriminator_micro_batch = traced(self._accumulate_discriminators)
        self._generator_micro_batch = traced(self._accumulate_generators)
        self._advance = traced(self._advance_spectral_states, batches=0)
        self._update_discriminators = traced(self._apply_to_discriminators, batches=0)
        self._update_generators = traced(self._apply_to_generators, batches=0)

    def step(
        self,
        real_a: tf.Tensor,
        real_b: tf.Tensor,
        alpha: float | None = None,
        eps: float | None = None,
    ) -> dict:
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
            return self._accumulated_step(real_a, real_b, rate, both, alpha, eps)
        update = self._step if both else self._step_without_generators
        return update(real_a, real_b, rate, alpha, eps)

    def losses_and_gradients(
        self,
        real_a: tf.Tensor,
        real_b: tf.Tensor,
        alpha: float | None = None,
        eps: float | None = None,
    ) -> tuple:
        """All losses and gradients at the present weights, without changing anything.

        Args:
            alpha, eps: as in `step`.

        Returns:
            (dict tag -> scalar, dict path -> gradient), generators' and discriminators' together.
        """
        reals = real_a, real_b
        generator, gradients, fakes = self._generator_gradients(self._plain, reals)
        discriminator, more = self._discriminator_gradients(self._plain, reals, fakes, alpha, eps)
        return {**discriminator, **generator}, {**gradients, **more}

    def state(self) -> dict:
        """name -> dict of tf.Variables: all that an iteration changes."""
        return {
            "weights": self.model.weights(),
            "generator_optimizer": self.generator_optimizer.state(),
            "discriminator_optimizer": self.discriminator_optimizer.state(),
            "progress": {"steps_done": self.steps_done},
            **({"average": self.average} if self.average else {}),
            **({"loss_scale": self._scales()} if self.generators.scale.enabled else {}),
        }

    def start_average(self) -> None:
        """Lets the moving average, if one is kept, be the weights of now."""
        for path, average in self.average.items():
            average.assign(self.generator_optimizer.weights[path])

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
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

    def _full_step(self, real_a, real_b, rate, alpha, eps):
        self.num_traces += 1  # Python runs only while tracing
        reals = real_a, real_b
        with self.generators.watch() as tape:
            translated = self.objective.translate(self._networks, *reals)
            with tape.stop_recording():
                scalars = self._train_discriminators(reals, _fakes(translated), rate, alpha, eps)
            kernels = self.generators.kernels
            losses = self.objective.generators(self._networks, reals, *translated, kernels)
        gradients = self.generators.gradients(tape, losses["Generator_loss"])
        losses, gradients = self.replicas.mean((losses, gradients))
        updated = self.replicas.update(self.generators.update, gradients, rate)
        finite = _all_finite(losses, scalars.pop("finite"), updated)
        self.replicas.update(self._end_full_step)
        return {**scalars, **losses, **self._scale_metrics(), "finite": finite}

    def _discriminator_step(self, real_a, real_b, rate, alpha, eps):
        self.num_traces += 1
        fakes = self._networks.b2a(real_b).image, self._networks.a2b(real_a).image
        scalars = self._train_discriminators((real_a, real_b), fakes, rate, alpha, eps)
        self.replicas.update(self._count_step)
        return {**scalars, **self._scale_metrics()}

    def _train_discriminators(self, reals, fakes, rate, alpha, eps):
        losses, gradients = self.replicas.mean(
            self._discriminator_gradients(self._networks, reals, fakes, alpha, eps)
        )
        finite = self.replicas.update(self.discriminators.update, gradients, rate)
        return {**losses, "finite": _all_finite(losses, finite)}

    def _discriminator_gradients(self, networks, reals, fakes, alpha, eps):
        of_penalty = self._plain.discriminator_a, self._plain.discriminator_b
        with self.discriminators.watch() as tape:
            losses = self.objective.discriminators(
                networks, of_penalty, reals, fakes, self.discriminators.kernels, alpha, eps
            )
        return losses, self.discriminators.gradients(tape, losses["Discriminator_loss"])

    def _generator_gradients(self, networks, reals):
        with self.generators.watch() as tape:
            translated = self.objective.translate(networks, *reals)
            losses = self.objective.generators(
                networks, reals, *translated, self.generators.kernels
            )
        gradients = self.generators.gradients(tape, losses["Generator_loss"])
        return losses, gradients, _fakes(translated)

    # Several batches for each update: the generators must wait for the discriminators, so the
    # translations are computed twice rather than kept for all batches.

    def _accumulated_step(self, real_a, real_b, rate, both, alpha, eps):
        micro_batches = list(zip(*(tf.split(x, self.config.accumulate) for x in (real_a, real_b))))
        if self._advances_first:
            self._advance()
        losses = [self._discriminator_micro_batch(*one, alpha, eps) for one in micro_batches]
        finite = [scalars.pop("finite") for scalars in losses]
        finite.append(self._update_discriminators(rate))
        scalars = _mean(losses)
        if both:
            if self._advances_first:
                self._advance()
            losses = [self._generator_micro_batch(*one) for one in micro_batches]
            finite += [scalars.pop("finite") for scalars in losses]
            finite.append(self._update_generators(rate))
            scalars.update(_mean(losses))
        (self._end_full_step if both else self._count_step)()
        return {**scalars, **self._scale_metrics(), "finite": tf.reduce_all(finite)}

    def _accumulate_discriminators(self, real_a, real_b, alpha, eps):
        self.num_traces += 1
        fakes = self._networks.b2a(real_b).image, self._networks.a2b(real_a).image
        reals = real_a, real_b
        losses, gradients = self._discriminator_gradients(self._networks, reals, fakes, alpha, eps)
        self.discriminators.accumulate_gradients(gradients)
        self.replicas.update(lambda: self._micro_batch.assign_add(1))
        losses = self.replicas.mean(losses)
        return {**losses, "finite": _all_finite(losses)}

    def _accumulate_generators(self, real_a, real_b):
        self.num_traces += 1
        losses, gradients, _ = self._generator_gradients(self._networks, (real_a, real_b))
        self.generators.accumulate_gradients(gradients)
        losses = self.replicas.mean(losses)
        return {**losses, "finite": _all_finite(losses)}

    def _apply_to_discriminators(self, rate):
        gradients = self.replicas.mean(self.discriminators.take_mean_gradients())
        if not self._advances_first:
            self._advance_spectral_states()
        return self.replicas.update(self.discriminators.update, gradients, rate)

    def _apply_to_generators(self, rate):
        gradients = self.replicas.mean(self.generators.take_mean_gradients())
        if not self._advances_first:
            self._advance_spectral_states()
        return self.replicas.update(self.generators.update, gradients, rate)

    def _advance_spectral_states(self):
        discriminators = self.model.discriminator_a, self.model.discriminator_b
        return self.replicas.update(lambda: advance_spectral_states(*discriminators))

    def _end_full_step(self):
        """average = ema * average + (1 - ema) * weight, if there is one; counts the step."""
        for path, average in self.average.items():
            weight = self.generator_optimizer.weights[path]
            average.assign_sub((1.0 - self.config.ema) * (average - weight))
        return self._count_step()

    def _count_step(self):
        self._micro_batch.assign(0)
        return self.steps_done.assign_add(1)

    def _scales(self):
        return {
            f"{name}/{key}": variable
            for name in ("generators", "discriminators")
            for key, variable in getattr(self, name).scale.state().items()
        }

    def _scale_metrics(self):
        """The loss scales and the number of skipped updates, if the loss is scaled."""
        scales = {name: value for name, value in self._scales().items() if "good" not in name}
        return {f"loss_scale/{k}": tf.cast(v.read_value(), tf.float32) for k, v in scales.items()}

    def _noise(self, name, shape):
        """Uniform [0, 1): a pure function of the run's seed, the step, the part and `name`.

        Replicas draw it for the whole batch, so that theirs is what one device would draw.
        """
        moved = tf.cast(tf.stack([self.steps_done, self._micro_batch]), tf.int32)
        seed = tf.constant(seed_of(self.config.seed, name)) + moved
        whole = tf.concat([[shape[0] * self.replicas.count], shape[1:]], 0)
        return self.replicas.own(tf.random.stateless_uniform(whole, seed))


def _fakes(translated):
    """(of domain A, of domain B)."""
    of_a2b, of_b2a = translated
    return of_b2a.fake, of_a2b.fake


def _all_finite(losses, *others):
    """Whether all losses are finite numbers, and whether others are."""
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite([*losses.values()])), *others])


def _mean(scalars):
    return {tag: tf.add_n([s[tag] for s in scalars]) / len(scalars) for tag in scalars[0]}


def _copies(weights):
    return {path: tf.Variable(weight) for path, weight in weights.items()}
