"""Two schedules of one step: both updates from one batch at once, or from several micro-batches.

A schedule is a function (real_a, real_b, rate, both, alpha, eps) to a dict tag -> scalar; `both`
is whether the generators are updated too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
    from ugatit_tf.training.step import Trainer

Scalars = dict  # tag -> scalar tensor


class AtOnce:
    """One batch for each update.

    The discriminators are updated in the middle of the generators' pass, so that the translations
    are computed once.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self._both = trainer.function(self._update_both)
        self._discriminators = trainer.function(self._update_discriminators)

    def __call__(
        self,
        real_a: tf.Tensor,
        real_b: tf.Tensor,
        rate: tf.Tensor,
        both: bool,
        alpha: float | None,
        eps: float | None,
    ) -> Scalars:
        return (self._both if both else self._discriminators)(real_a, real_b, rate, alpha, eps)

    def lowered(self, real_a: tf.Tensor, real_b: tf.Tensor, rate: tf.Tensor, stage: str) -> str:
        """See `Trainer.lowered`."""
        return self._both.experimental_get_compiler_ir(real_a, real_b, rate, None, None)(stage)

    def _update_both(self, real_a, real_b, rate, alpha, eps):
        trainer, reals, scalars = self.trainer, (real_a, real_b), {}
        trainer.num_traces += 1  # Python runs only while tracing

        def train_discriminators(fakes):
            scalars.update(self._train_discriminators(reals, fakes, rate, alpha, eps))

        losses, gradients, _ = trainer.passes.generators(
            trainer.networks, reals, train_discriminators
        )
        losses, gradients = trainer.replicas.mean((losses, gradients))
        updated = trainer.update(trainer.generators.update, gradients, rate)
        finite = all_finite(losses, scalars.pop("finite"), updated)
        trainer.update(trainer.end_step, True)
        return {**scalars, **losses, **trainer.scale_metrics(), "finite": finite}

    def _update_discriminators(self, real_a, real_b, rate, alpha, eps):
        trainer = self.trainer
        trainer.num_traces += 1
        fakes = trainer.fakes(real_a, real_b)
        scalars = self._train_discriminators((real_a, real_b), fakes, rate, alpha, eps)
        trainer.update(trainer.end_step, False)
        return {**scalars, **trainer.scale_metrics()}

    def _train_discriminators(self, reals, fakes, rate, alpha, eps):
        trainer = self.trainer
        losses, gradients = trainer.replicas.mean(
            trainer.passes.discriminators(trainer.networks, reals, fakes, alpha, eps)
        )
        finite = trainer.update(trainer.discriminators.update, gradients, rate)
        return {**losses, "finite": all_finite(losses, finite)}


class Accumulated:
    """Several micro-batches for each update, whose gradients are averaged.

    The generators must wait for the discriminators, so the translations are computed twice rather
    than kept for all micro-batches.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        function = trainer.function
        self._discriminators = function(self._accumulate_discriminators)
        self._generators = function(self._accumulate_generators)
        self._update_discriminators = function(self._apply_to_discriminators, batches=0)
        self._update_generators = function(self._apply_to_generators, batches=0)
        self._advance = function(self._advance_spectral_states, batches=0)

    def __call__(
        self,
        real_a: tf.Tensor,
        real_b: tf.Tensor,
        rate: tf.Tensor,
        both: bool,
        alpha: float | None,
        eps: float | None,
    ) -> Scalars:
        trainer = self.trainer
        parts = (tf.split(real, trainer.config.accumulate) for real in (real_a, real_b))
        micro_batches = [(*reals, alpha, eps) for reals in zip(*parts)]
        scalars = self._update(
            self._discriminators, self._update_discriminators, micro_batches, rate
        )
        finite = scalars.pop("finite")
        if both:
            reals = [batch[:2] for batch in micro_batches]
            more = self._update(self._generators, self._update_generators, reals, rate)
            finite = tf.logical_and(finite, more.pop("finite"))
            scalars.update(more)
        trainer.end_step(both)
        return {**scalars, **trainer.scale_metrics(), "finite": finite}

    def _update(self, accumulate, update, micro_batches, rate):
        """One update from all micro-batches; returns the means of their losses, and "finite"."""
        if self.trainer.flavor.stores_v:  # see `traced_networks`
            self._advance()
        losses = [accumulate(*batch) for batch in micro_batches]
        if not self.trainer.flavor.stores_v:
            self._advance()
        finite = [scalars.pop("finite") for scalars in losses]
        finite.append(update(rate))
        means = {tag: tf.add_n([one[tag] for one in losses]) / len(losses) for tag in losses[0]}
        return {**means, "finite": tf.reduce_all(finite)}

    def _accumulate_discriminators(self, real_a, real_b, alpha, eps):
        trainer = self.trainer
        trainer.num_traces += 1
        fakes = trainer.fakes(real_a, real_b)
        losses, gradients = trainer.passes.discriminators(
            trainer.networks, (real_a, real_b), fakes, alpha, eps
        )
        trainer.discriminators.accumulate_gradients(gradients)
        trainer.update(trainer.end_micro_batch)
        losses = trainer.replicas.mean(losses)
        return {**losses, "finite": all_finite(losses)}

    def _accumulate_generators(self, real_a, real_b):
        trainer = self.trainer
        trainer.num_traces += 1
        losses, gradients, _ = trainer.passes.generators(trainer.networks, (real_a, real_b))
        trainer.generators.accumulate_gradients(gradients)
        losses = trainer.replicas.mean(losses)
        return {**losses, "finite": all_finite(losses)}

    def _apply_to_discriminators(self, rate):
        return self._apply(self.trainer.discriminators, rate)

    def _apply_to_generators(self, rate):
        return self._apply(self.trainer.generators, rate)

    def _apply(self, learner, rate):
        gradients = self.trainer.replicas.mean(learner.take_mean_gradients())
        return self.trainer.update(learner.update, gradients, rate)

    def _advance_spectral_states(self):
        return self.trainer.update(self.trainer.advance_spectral_states)


def all_finite(losses: Scalars, *others: tf.Tensor) -> tf.Tensor:
    """Whether all losses are finite numbers, and whether others are."""
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite([*losses.values()])), *others])
