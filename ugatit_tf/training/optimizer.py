"""Adam as the official programs run it, and its learning rate."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from ugatit_tf.config import Config
from ugatit_tf.flavors import FLAVORS
from ugatit_tf.training import joined

BETA_1, BETA_2, EPSILON = 0.5, 0.999, 1e-8


class Adam:
    """Adam in the "epsilon hat" form, with the constraints of U-GAT-IT's rho.

        m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
        w = w - lr sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + e)

    with b1 = 0.5, b2 = 0.999, e = 1e-8 and t counted from 1. Reference: Kingma and Ba,
    arXiv:1412.6980, end of section 2; `tf.compat.v1.train.AdamOptimizer`, whose kernel updates
    each large weight; the same operations update all small ones at once.

    Args:
        weights: dict path -> float32 tf.Variable.
        clipped: dict path -> (lowest, highest) to which that weight is clipped after an update.
        exact_epsilon: bool. e = 1e-8 sqrt(1 - b2^t), which is Kingma and Ba's algorithm 1, and
            what PyTorch computes.
        weight_decay: float. Added to the gradient, times the weight.
    """

    def __init__(
        self,
        weights: dict,
        clipped: dict | None = None,
        *,
        exact_epsilon: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.weights = dict(weights)
        self.clipped = clipped or {}
        self.small, self.large = joined.small_and_large(self.weights)
        self.exact_epsilon = exact_epsilon
        self.weight_decay = weight_decay
        self.m = {path: tf.Variable(tf.zeros_like(w)) for path, w in self.weights.items()}
        self.v = {path: tf.Variable(tf.zeros_like(w)) for path, w in self.weights.items()}
        self.beta_1_power = tf.Variable(BETA_1)
        self.beta_2_power = tf.Variable(BETA_2)

    def apply(self, gradients: dict, learning_rate: tf.Tensor) -> None:
        """Updates all weights.

        Args:
            gradients: dict path -> tensor, of the same paths as the weights.
            learning_rate: float32 scalar tensor.
        """
        powers = self.beta_1_power.read_value(), self.beta_2_power.read_value()
        epsilon = EPSILON
        if self.exact_epsilon:
            epsilon *= tf.sqrt(1.0 - powers[1])
        self._apply_to_small(gradients, learning_rate, powers, epsilon)
        for path in self.large:
            weight, gradient = self.weights[path], gradients[path]
            if self.weight_decay:
                gradient += self.weight_decay * weight
            tf.raw_ops.ResourceApplyAdam(
                var=weight.handle,
                m=self.m[path].handle,
                v=self.v[path].handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=learning_rate,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=epsilon,
                grad=gradient,
            )
            if path in self.clipped:
                weight.assign(tf.clip_by_value(weight, *self.clipped[path]))
        self.beta_1_power.assign(powers[0] * BETA_1)
        self.beta_2_power.assign(powers[1] * BETA_2)

    def _apply_to_small(self, gradients, learning_rate, powers, epsilon):
        """The same for all small weights at once, as operations on one vector."""
        groups = self.weights, self.m, self.v
        variables = [[group[path] for path in self.small] for group in groups]
        weight, m, v = map(joined.join, variables)
        gradient = joined.join([gradients[path] for path in self.small])
        if self.weight_decay:
            gradient += self.weight_decay * weight
        m += (1.0 - BETA_1) * (gradient - m)
        v += (1.0 - BETA_2) * (tf.square(gradient) - v)
        rate = learning_rate * tf.sqrt(1.0 - powers[1]) / (1.0 - powers[0])
        weight -= rate * m / (tf.sqrt(v) + epsilon)
        weight = tf.clip_by_value(weight, *self._edges())
        for group, vector in zip(variables, (weight, m, v)):
            joined.assign(group, vector)

    def _edges(self):
        """The lowest and the highest value of each number of the small weights."""
        edges = [self.clipped.get(path, (-np.inf, np.inf)) for path in self.small]
        sizes = [self.weights[path].shape.num_elements() for path in self.small]
        return [np.repeat(np.float32(ends), sizes) for ends in zip(*edges)] if edges else (0, 0)

    def state(self) -> dict:
        """name -> tf.Variable of everything that an update changes besides the weights."""
        return {
            "beta_1_power": self.beta_1_power,
            "beta_2_power": self.beta_2_power,
            **{f"m/{path}": slot for path, slot in self.m.items()},
            **{f"v/{path}": slot for path, slot in self.v.items()},
        }


def learning_rate(step: int, config: Config, time_gone: float = 0.0) -> float:
    """The rate of step `step` (counted from 0): constant, then falling to 0.

    By whole epochs, or a little in every step; see `Flavor.gradual`. With `--minutes` by the time
    or by the steps, whichever is further on.

    Args:
        time_gone: the part of the time of `--minutes` that is used up, in [0, 1].
    """
    if config.minutes and config.decay_flag:
        gone = max(time_gone, step / config.total_steps)
        constant = min(1.0, config.decay_epoch / config.epoch)
        return config.lr * max(0.0, 1 - gone) / max(1 - gone, 1 - constant, 1e-9)
    if FLAVORS[config.flavor].gradual:
        start = config.decay_epoch * config.iteration
        if not config.decay_flag or step < start:
            return config.lr
        falling = max(1, config.total_steps - start)
        return config.lr * max(0.0, 1 - (step + 1 - start) / falling)
    epoch = step // config.iteration
    if not config.decay_flag or epoch < config.decay_epoch:
        return config.lr
    left = max(0, config.epoch - epoch)  # 0 only for a step beyond the last
    return config.lr * left / max(1, config.epoch - config.decay_epoch)
