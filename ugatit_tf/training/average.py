"""A moving average of weights, which usually gives better images than the weights of one step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import tensorflow as tf

from ugatit_tf.training import joined


class MovingAverage:
    """average = decay * average + (1 - decay) * weight, after every update; it may be off.

    Args:
        weights: dict path -> tf.Variable.
        decay: float in [0, 1). 0: no average is kept.
    """

    def __init__(self, weights: Mapping[str, tf.Variable], decay: float) -> None:
        self.weights = weights if decay else {}
        self.decay = decay
        self.values = {path: tf.Variable(weight) for path, weight in self.weights.items()}

    def start(self) -> None:
        """Lets the average be the weights of now."""
        for path, weight in self.weights.items():
            self.values[path].assign(weight)

    def update(self) -> None:
        """Moves the average on by one update of the weights."""
        small, large = joined.small_and_large(self.weights)
        averages = [self.values[path] for path in small]
        average, weight = joined.join(averages), joined.join([self.weights[path] for path in small])
        joined.assign(averages, average - (1.0 - self.decay) * (average - weight))
        for path in large:
            average = self.values[path]
            average.assign_sub((1.0 - self.decay) * (average - self.weights[path]))

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Within it the weights are their average, if one is kept."""
        own = {path: weight.numpy() for path, weight in self.weights.items()}
        try:
            for path, weight in self.weights.items():
                weight.assign(self.values[path])
            yield
        finally:
            for path, weight in self.weights.items():
                weight.assign(own[path])
