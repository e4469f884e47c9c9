"""One training iteration: two objectives, their gradients, two updates. No files, no clock.

U-GAT-IT section 2.2, as the official code of a flavor; docs/fidelity.md lists what differs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Callable

import tensorflow as tf

from ugatit_tf.config import Config
from ugatit_tf.flavors import FLAVORS
from ugatit_tf.networks import xla
from ugatit_tf.networks.model import UGATIT
from ugatit_tf.seeds import seed_of
from ugatit_tf.training import rewriting
from ugatit_tf.training.average import MovingAverage
from ugatit_tf.training.learner import Learner
from ugatit_tf.training.objective import Objective
from ugatit_tf.training.optimizer import learning_rate
from ugatit_tf.training.passes import Passes
from ugatit_tf.training.replicas import Replicas
from ugatit_tf.training.schedules import Accumulated, AtOnce
from ugatit_tf.training.several import SeveralSteps
from ugatit_tf.training.traced import advance_spectral_states, traced_networks


class Trainer:
    """Trains `model` as `config` says.

    `step` changes the weights; `losses_and_gradients` only looks. Both take batches
    [batch, side, side, img_ch] in [-1, 1] of domain A and of domain B, where the side is
    `config.training_size`.

    Args:
        replicas: `Replicas`, in whose scope `model` and this are made; None is one device. `step`
            then takes the batches of all replicas of this process.
    """

    def __init__(self, model: UGATIT, config: Config, replicas: Replicas | None = None) -> None:
        self.model = model
        self.config = config
        self.replicas = replicas or Replicas()
        self.flavor = FLAVORS[config.flavor]
        options = {"scaled": config.precision == "float16", "accumulate": config.accumulate}
        roles, options["flavor"] = model.roles(), self.flavor
        self.generators = Learner(model.generator_weights(), roles, **options)
        # Two time scales: Heusel et al., NeurIPS 2017, arXiv:1706.08500
        options["lr_multiplier"] = (config.discriminator_lr or config.lr) / config.lr
        self.discriminators = Learner(model.discriminator_weights(), roles, **options)
        self.generator_optimizer = self.generators.optimizer
        self.discriminator_optimizer = self.discriminators.optimizer
        self.average = MovingAverage(self.generator_optimizer.weights, config.ema)
        self.steps_done = tf.Variable(0, dtype=tf.int64)
        self.time_gone = 0.0  # part of the time of --minutes; the loop sets it
        self.num_traces = 0
        self._micro_batch = tf.Variable(0, dtype=tf.int64)  # of the batches of an update of several
        objective = Objective(config, self._noise, self.replicas.mean)
        self.passes = Passes(model, objective, self.generators, self.discriminators)
        self.networks = traced_networks(model, config, self.replicas)
        self._schedule = (Accumulated if config.accumulate > 1 else AtOnce)(self)
        self._several = SeveralSteps(self)

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

        Raises:
            Failure: XLA cannot compile it, with `config.xla`.
        """
        index = int(self.steps_done.numpy())
        rate = tf.constant(learning_rate(index, self.config, self.time_gone), tf.float32)
        both = index % self.config.n_critic == 0
        with self.computing():
            return self.run((real_a, real_b), rate, both, alpha, eps)

    def steps(self, batches: tf.data.Iterator, count: int) -> list[dict]:
        """Runs several iterations in one call. On one device the results are bit for bit `step`'s.

        Args:
            batches: iterator over a `tf.data.Dataset` of (real_a, real_b).
            count: int, from 1 to `config.steps_per_call`.

        Returns:
            For each iteration what `step` returns, in NumPy's numbers.

        Raises:
            Failure: as `step`.
        """
        return self._several(batches, count)

    def lowered(self, real_a: tf.Tensor, real_b: tf.Tensor, stage: str) -> str:
        """The program that XLA makes of an iteration on one device, without `accumulate`.

        Args:
            stage: "hlo" as TensorFlow writes it, or "optimized_hlo" as this device runs it.
        """
        rate = tf.constant(learning_rate(int(self.steps_done.numpy()), self.config), tf.float32)
        return self._schedule.lowered(real_a, real_b, rate, stage)

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
        generator, gradients, fakes = self.passes.generators(self.passes.plain, reals)
        discriminator, more = self.passes.discriminators(
            self.passes.plain, reals, fakes, alpha, eps
        )
        return {**discriminator, **generator}, {**gradients, **more}

    def state(self) -> dict:
        """name -> dict of tf.Variables: all that an iteration changes."""
        return {
            "weights": self.model.weights(),
            "generator_optimizer": self.generator_optimizer.state(),
            "discriminator_optimizer": self.discriminator_optimizer.state(),
            "progress": {"steps_done": self.steps_done},
            **({"average": self.average.values} if self.average.values else {}),
            **({"loss_scale": self._scales()} if self.generators.scale.enabled else {}),
        }

    def start_average(self) -> None:
        """Lets the moving average, if one is kept, be the weights of now."""
        self.average.start()

    def averaged(self) -> contextlib.AbstractContextManager:
        """Within it the generators have their moving average, if one is kept."""
        return self.average.applied()

    # What the schedules and several steps call

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """In which the graphs of a step run: with the rewriting and the errors that are ours."""
        with rewriting.only_for_gpu(), xla.refusal_explained(self.config.xla, "the training step"):
            yield

    def run(
        self,
        batch: tuple,
        rate: tf.Tensor,
        both: bool,
        alpha: float | None = None,
        eps: float | None = None,
    ) -> dict:
        """One iteration with this learning rate; `both`: the generators are updated too."""
        return self._schedule(*batch, rate, both, alpha, eps)

    def function(self, body: Callable, batches: int = 2) -> Callable:
        """`body` as a graph; with `config.xla` as one compiled program. See `Replicas.function`."""
        return self.replicas.function(body, batches, xla=self.config.xla)

    def update(self, function: Callable, *values) -> tf.Tensor:
        """Calls a function that changes variables. See `Replicas.update`."""
        return self.replicas.update(function, *values, xla=self.config.xla)

    def fakes(self, real_a: tf.Tensor, real_b: tf.Tensor) -> tuple:
        """The translations (of domain A, of domain B)."""
        return self.networks.b2a(real_b).image, self.networks.a2b(real_a).image

    def end_micro_batch(self) -> tf.Tensor:
        """Counts a micro-batch, so that the next one has other noise."""
        return self._micro_batch.assign_add(1)

    def end_step(self, both: bool) -> tf.Tensor:
        """Updates the average, if the generators were updated, and counts the step."""
        if both:
            self.average.update()
        self._micro_batch.assign(0)
        return self.steps_done.assign_add(1)

    def advance_spectral_states(self) -> tf.Tensor:
        return advance_spectral_states(self.model.discriminator_a, self.model.discriminator_b)

    def scale_metrics(self) -> dict:
        """The loss scales and the number of skipped updates, if the loss is scaled."""
        scales = {name: value for name, value in self._scales().items() if "good" not in name}
        return {f"loss_scale/{k}": tf.cast(v.read_value(), tf.float32) for k, v in scales.items()}

    def _scales(self):
        return {
            f"{name}/{key}": variable
            for name in ("generators", "discriminators")
            for key, variable in getattr(self, name).scale.state().items()
        }

    def _noise(self, name, shape):
        """Uniform [0, 1): a pure function of the run's seed, the step, the part and `name`.

        Replicas draw it for the whole batch, so that theirs is what one device would draw.
        """
        moved = tf.cast(tf.stack([self.steps_done, self._micro_batch]), tf.int32)
        seed = tf.constant(seed_of(self.config.seed, name)) + moved
        whole = tf.concat([[shape[0] * self.replicas.count], shape[1:]], 0)
        return self.replicas.own(uniform(whole, seed))


def uniform(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """`tf.random.stateless_uniform` in [0, 1), with the same numbers where XLA compiles it.

    TensorFlow's kernel makes a number of the lowest 23 of 32 random bits, XLA of the highest.
    """
    bits = tf.random.stateless_uniform(shape, seed, None, None, tf.int32, alg="philox")
    return tf.cast(bits & (2**23 - 1), tf.float32) * 2.0**-23
