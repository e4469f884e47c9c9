"""From a loss to new weights: gradients, loss scale, average over batches, Adam."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Callable

import tensorflow as tf

from ugatit_tf.flavors import TENSORFLOW, Flavor
from ugatit_tf.layers.weights import Role
from ugatit_tf.training import joined
from ugatit_tf.training.objective import WEIGHT_DECAY
from ugatit_tf.training.optimizer import Adam

ON_READ = tf.VariableSynchronization.ON_READ


class Learner:
    """The weights that one loss trains.

    Args:
        weights: dict path -> float32 tf.Variable.
        roles: dict path -> `Role`; weights that are not trained are left alone.
        scaled: bool. Scale the loss, which float16 needs.
        accumulate: int. Micro-batches whose gradients are averaged for one update.
        flavor: `Flavor`, which says how weights decay, among others.
        lr_multiplier: float. Its learning rate, as a multiple of the one that an update is given.

    Attributes:
        kernels: the weights in the L2 term of the loss; none where the optimizer lets all decay.
    """

    def __init__(
        self,
        weights: dict[str, tf.Variable],
        roles: dict[str, Role],
        *,
        scaled: bool = False,
        accumulate: int = 1,
        flavor: Flavor = TENSORFLOW,
        lr_multiplier: float = 1.0,
    ) -> None:
        weights = {path: weight for path, weight in weights.items() if roles[path].trained}
        clipped = {path: roles[path].clipped for path in weights if roles[path].clipped}
        in_optimizer = flavor.decay_in_optimizer
        options = {"exact_epsilon": flavor.exact_epsilon}
        options["weight_decay"] = WEIGHT_DECAY if in_optimizer else 0.0
        self.optimizer = Adam(weights, clipped, **options)
        decaying = [weight for path, weight in weights.items() if roles[path].decays]
        self.kernels = [] if in_optimizer else decaying
        self.scale = LossScale(enabled=scaled)
        self.accumulate = accumulate
        self.lr_multiplier = lr_multiplier
        self.sums = {}
        if accumulate > 1:
            # Of several replicas each sums its own
            each = {"synchronization": ON_READ, "aggregation": tf.VariableAggregation.SUM}
            self.sums = {p: tf.Variable(tf.zeros_like(w), **each) for p, w in weights.items()}

    @contextlib.contextmanager
    def watch(self) -> Iterator[tf.GradientTape]:
        """A tape for the gradients of these weights and of nothing else."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            for weight in self.optimizer.weights.values():
                tape.watch(weight)
            yield tape

    def gradients(self, tape: tf.GradientTape, loss: tf.Tensor) -> dict[str, tf.Tensor]:
        """path -> gradient of `loss`, which was computed under `tape`."""
        with tape:
            loss = self.scale.multiply(loss)
        weights = list(self.optimizer.weights.values())
        values = tape.gradient(loss, weights, unconnected_gradients="zero")  # loss weights of 0
        return dict(zip(self.optimizer.weights, self.scale.divide(values)))

    def accumulate_gradients(self, gradients: dict[str, tf.Tensor]) -> None:
        """Adds the gradients of one of several micro-batches."""
        for path, gradient in gradients.items():
            self.sums[path].assign_add(gradient / self.accumulate)

    def take_mean_gradients(self) -> dict[str, tf.Tensor]:
        """path -> the mean of the accumulated gradients; the next are added to 0."""
        means = {path: total.read_value() for path, total in self.sums.items()}
        for total in self.sums.values():
            total.assign(tf.zeros_like(total))
        return means

    def update(self, gradients: dict[str, tf.Tensor], rate: tf.Tensor) -> tf.Tensor:
        """Updates the weights.

        Returns:
            Whether the gradients were finite, or the loss scale has taken care of it.
        """
        # The sum of squares is one pass without a copy, and it is finite only if all terms are.
        vectors = [gradients[path] for path in self.optimizer.large]
        vectors.append(joined.join([gradients[path] for path in self.optimizer.small]))
        sums = [tf.nn.l2_loss(vector) for vector in vectors]
        finite = tf.reduce_all(tf.math.is_finite(tf.stack(sums)))
        rate *= self.lr_multiplier
        return self.scale.guard(finite, lambda: self.optimizer.apply(gradients, rate))


class LossScale:
    """Keeps small gradients above the smallest float16 number, 6e-8.

    The loss is multiplied by `scale` and the gradients are divided by it. Gradients that are not
    finite show that the scale is too large: it is halved and the update is skipped. After
    `PATIENCE` good updates in a row it is doubled. Micikevicius et al., ICLR 2018,
    arXiv:1710.03740.

    Args:
        enabled: bool. Without it the loss stays as it is and every update is made.
    """

    START, SMALLEST, LARGEST, PATIENCE = 2.0**15, 1.0, 2.0**24, 2000

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        if enabled:
            self.scale = tf.Variable(self.START)
            # int64, for which a GPU has the operations of a replica's variable
            self.good = tf.Variable(0, dtype=tf.int64)  # updates in a row
            self.skipped = tf.Variable(0, dtype=tf.int64)

    def multiply(self, loss: tf.Tensor) -> tf.Tensor:
        return loss * self.scale if self.enabled else loss

    def divide(self, gradients: list) -> list:
        return [gradient / self.scale for gradient in gradients] if self.enabled else gradients

    def guard(self, finite: tf.Tensor, update: Callable[[], None]) -> tf.Tensor:
        """Calls `update`, but not with gradients that are not finite, if the scale can be halved.

        Returns:
            Whether the gradients were finite, or the scale could be halved.
        """
        if not self.enabled:
            update()
            return finite

        def updated():
            update()
            return True

        tf.cond(finite, updated, lambda: False)
        return tf.logical_or(finite, self.follow(finite))

    def follow(self, finite: tf.Tensor) -> tf.Tensor:
        """Adapts the scale to an update. Returns whether it could still be halved."""
        larger = tf.minimum(2.0 * self.scale, self.LARGEST)
        could = self.scale > self.SMALLEST
        none = tf.zeros_like(self.good)
        good = tf.where(finite, self.good + 1, none)
        ripe = good >= self.PATIENCE
        smaller = tf.maximum(self.scale / 2.0, self.SMALLEST)
        scale = tf.where(finite, tf.where(ripe, larger, self.scale), smaller)
        self.skipped.assign_add(tf.cast(tf.logical_not(finite), tf.int64))
        self.good.assign(tf.where(ripe, none, good))
        self.scale.assign(scale)
        return could

    def state(self) -> dict[str, tf.Variable]:
        """name -> variable; empty where it is not enabled."""
        if not self.enabled:
            return {}
        return {"scale": self.scale, "good": self.good, "skipped": self.skipped}
