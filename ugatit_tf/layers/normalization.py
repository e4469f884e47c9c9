"""Layer-instance normalization (LIN), its adaptive form (AdaLIN), and what the paper compares.

U-GAT-IT, Kim et al., ICLR 2020, section 2.1.1, arXiv:1907.10830. Each is `moments.normalize` with
coefficients of its own.
"""

from __future__ import annotations

import functools

import tensorflow as tf

from ugatit_tf.layers.moments import (
    by_tape,
    group_coefficients,
    instance_coefficients,
    mixed_coefficients,
    normalize,
    pixels_of,
)
from ugatit_tf.layers.precision import MixedLayer
from ugatit_tf.layers.weights import Start


class _Normalization(MixedLayer):
    """What all have in common: epsilon, and a scale and shift of each channel that are learned.

    Args:
        epsilon: float. Added to the variance, inside the square root.
        affine: bool. Without it gamma is 1 and beta is 0, and both are no weights.
    """

    RANK = 4

    def __init__(self, *, epsilon: float = 1e-5, affine: bool = True, **kwargs) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.affine = affine

    def build(self, x_shape: object) -> None:
        self._add_weights(x_shape[-1])
        super().build(x_shape)

    def _add_weights(self, channels):
        self.gamma, self.beta = 1.0, 0.0
        if self.affine:
            self.gamma = self.add_trained("gamma", [channels], start=Start("constant", 1.0))
            self.beta = self.add_trained("beta", [channels])

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self._normalized(x, self.gamma, self.beta)

    def _normalized(self, x, gamma, beta):
        """y from a scale and a shift, [channels] or [batch, channels]."""
        raise NotImplementedError


class _Adaptive:
    """A normalization whose scale and shift are given with each call."""

    def __init__(self, **kwargs) -> None:
        super().__init__(affine=False, **kwargs)

    def call(self, x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
        return self._normalized(x, gamma, beta)


class InstanceNormalization(_Normalization):
    """Normalizes every channel of every sample, then scales and shifts it.

        y = gamma * x_I + beta
        x_I = (x - mean) / sqrt(variance + epsilon), over height and width

    gamma starts at 1, beta at 0. Reference: Ulyanov et al., 2016, arXiv:1607.08022.

    Args:
        epsilon: float. Added to the variance, inside the square root.
        affine: bool. Without it gamma is 1 and beta is 0, and both are no weights.

    Call arguments:
        x: [batch, height, width, channels].
    """

    def _normalized(self, x, gamma, beta):
        coefficients = functools.partial(instance_coefficients, epsilon=self.epsilon)
        return normalize(x, coefficients, gamma, beta)


class AdaIN(_Adaptive, InstanceNormalization):
    """Instance normalization whose scale and shift come from the attention's MLP.

        y = gamma * x_I + beta

    `AdaLIN` with rho fixed at 1 and without smoothing. Reference: Huang and Belongie, 2017,
    arXiv:1703.06868.

    Args:
        epsilon: float. Added to the variance, inside the square root.

    Call arguments:
        x: [batch, height, width, channels].
        gamma, beta: [batch, channels].
    """


class GroupNormalization(_Normalization):
    """Normalizes groups of channels of every sample, then scales and shifts every channel.

        y = gamma * x_G + beta
        x_G = (x - mean) / sqrt(variance + epsilon), over height, width and a group's channels

    gamma starts at 1, beta at 0. Reference: Wu and He, 2018, arXiv:1803.08494. One group is
    layer normalization as `contrib.layers` of TensorFlow 1 computes it.

    Args:
        groups: int. There are fewer where so many would not be equal, or of one channel each.
        epsilon, affine: as in `InstanceNormalization`.

    Call arguments:
        x: [batch, height, width, channels].
    """

    def __init__(self, groups: int = 32, **kwargs) -> None:
        super().__init__(**kwargs)
        self.groups = groups

    def _normalized(self, x, gamma, beta):
        groups = self.groups_of(x.shape[-1])
        options = {"groups": groups, "epsilon": self.epsilon}
        coefficients = by_tape(functools.partial(group_coefficients, **options))
        return normalize(x, coefficients, gamma, beta)

    def groups_of(self, channels: int) -> int:
        """How many groups there are of so many channels."""
        fitting = (n for n in range(1, self.groups + 1) if channels % n == 0 and 2 * n <= channels)
        return max(fitting, default=1)


class LIN(_Normalization):
    """Layer-instance normalization with a learned scale and shift.

        y = gamma * (rho * x_I + (1 - rho) * x_L) + beta
        x_I = (x - mean) / sqrt(variance + epsilon), over height and width
        x_L = the same, over height, width and channels

    gamma starts at 1, beta at 0; rho is clipped to [0, 1] after each update.

    Args:
        rho: float in [0, 1]. Where the learned mix starts; 1 is pure instance normalization.
        unbiased: bool. Divide the variances of n numbers by n - 1 rather than n.
        epsilon, affine: as in `InstanceNormalization`.

    Call arguments:
        x: [batch, height, width, channels].

    Raises:
        ValueError: rho is not in [0, 1].
    """

    def __init__(self, *, rho: float = 0.0, unbiased: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"`rho` must lie in [0, 1]. Received: rho={rho}")
        self.initial_rho = rho
        self.unbiased = unbiased

    def _add_weights(self, channels):
        super()._add_weights(channels)
        start = Start("constant", self.initial_rho)
        self.rho = self.add_trained("rho", [channels], start=start, clipped=(0.0, 1.0))

    def _mix(self):
        """How much of x_I there is in y: [channels], in [0, 1]."""
        return self.rho

    def _normalized(self, x, gamma, beta):
        pixels = pixels_of(x) if self.unbiased else None
        options = {"epsilon": self.epsilon, "unbiased_of": pixels}
        coefficients = functools.partial(mixed_coefficients, **options)
        return normalize(x, coefficients, self._mix(), gamma, beta)


class AdaLIN(_Adaptive, LIN):
    """Layer-instance normalization whose scale and shift come from the attention's MLP.

        y = gamma * (r * x_I + (1 - r) * x_L) + beta
        r = clip(rho - 0.1, 0, 1) with `smoothing`, else rho

    x_I and x_L as in `LIN`; rho is clipped to [0, 1] after each update.

    Args:
        rho: float in [0, 1]. Where the learned mix starts (TensorFlow code: 1.0, PyTorch: 0.9).
        smoothing: bool. Never let the mix be instance normalization alone.
        unbiased: as in `LIN`.
        epsilon: float. Added to the variance, inside the square root.

    Call arguments:
        x: [batch, height, width, channels].
        gamma, beta: [batch, channels].

    Raises:
        ValueError: rho is not in [0, 1].
    """

    def __init__(self, *, rho: float = 1.0, smoothing: bool = True, **kwargs) -> None:
        super().__init__(rho=rho, **kwargs)
        self.smoothing = smoothing

    def _mix(self):
        rho = tf.convert_to_tensor(self.rho)
        return tf.maximum(rho - 0.1, 0.0) if self.smoothing else rho  # rho is at most 1


ADAPTIVE = {"adalin": AdaLIN, "adain": AdaIN}  # scale and shift come from the attention's MLP
FIXED = {
    "in": InstanceNormalization,
    "ln": functools.partial(GroupNormalization, groups=1),
    "gn": GroupNormalization,
    "lin": LIN,
}
