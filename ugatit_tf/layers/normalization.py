"""Layer-instance normalization (LIN), its adaptive form (AdaLIN), and what the paper compares.

U-GAT-IT, Kim et al., ICLR 2020, section 2.1.1, arXiv:1907.10830. Each is `moments.normalize` with
coefficients of its own.
"""

from __future__ import annotations

import functools

import tensorflow as tf

from ugatit_tf.layers.moments import (
    group_coefficients,
    instance_coefficients,
    mixed_coefficients,
    normalize,
)
from ugatit_tf.layers.precision import MixedLayer


class _Normalization(MixedLayer):
    """What all have in common: epsilon, and weights of one number per channel."""

    def __init__(self, *, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def _add_gamma_and_beta(self, channels):
        self.gamma = self.add_trained("gamma", [channels], start=1.0)
        self.beta = self.add_trained("beta", [channels])

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


class InstanceNormalization(_Normalization):
    """Normalizes every channel of every sample, then scales and shifts it.

        y = gamma * x_I + beta
        x_I = (x - mean) / sqrt(variance + epsilon), over height and width

    gamma starts at 1, beta at 0. Reference: Ulyanov et al., 2016, arXiv:1607.08022.

    Args:
        epsilon: float. Added to the variance, inside the square root.

    Call arguments:
        x: [batch, height, width, channels].
    """

    def build(self, x_shape: object) -> None:
        self._add_gamma_and_beta(x_shape[-1])
        super().build(x_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        coefficients = functools.partial(instance_coefficients, epsilon=self.epsilon)
        return normalize(x, coefficients, self.gamma, self.beta)


class GroupNormalization(_Normalization):
    """Normalizes groups of channels of every sample, then scales and shifts every channel.

        y = gamma * x_G + beta
        x_G = (x - mean) / sqrt(variance + epsilon), over height, width and a group's channels

    gamma starts at 1, beta at 0. Reference: Wu and He, 2018, arXiv:1803.08494. One group is
    layer normalization as `contrib.layers` of TensorFlow 1 computes it.

    Args:
        groups: int. There are fewer where so many would not be equal, or of one channel each.
        epsilon: float. Added to the variance, inside the square root.

    Call arguments:
        x: [batch, height, width, channels].
    """

    def __init__(self, groups: int = 32, **kwargs) -> None:
        super().__init__(**kwargs)
        self.groups = groups

    def build(self, x_shape: object) -> None:
        self._add_gamma_and_beta(x_shape[-1])
        super().build(x_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        coefficients = functools.partial(
            group_coefficients, groups=self.groups_of(x.shape[-1]), epsilon=self.epsilon
        )
        return normalize(x, coefficients, self.gamma, self.beta)

    def groups_of(self, channels: int) -> int:
        """How many groups there are of so many channels."""
        fitting = (n for n in range(1, self.groups + 1) if channels % n == 0 and 2 * n <= channels)
        return max(fitting, default=1)

    def get_config(self) -> dict:
        return {**super().get_config(), "groups": self.groups}


class AdaIN(_Normalization):
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

    def build(self, *_) -> None:
        self.built = True

    def call(self, x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
        coefficients = functools.partial(instance_coefficients, epsilon=self.epsilon)
        return normalize(x, coefficients, gamma, beta)


class _Mixed(_Normalization):
    """What LIN and AdaLIN have in common: rho and the mix."""

    def __init__(self, *, rho, **kwargs):
        super().__init__(**kwargs)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"`rho` must lie in [0, 1]. Received: rho={rho}")
        self.start = rho  # `self.rho` is the weight

    def build(self, x_shape):
        self.rho = self.add_trained("rho", [x_shape[-1]], start=self.start, clipped=(0.0, 1.0))
        super().build(x_shape)

    def _mix(self, x, rho, gamma, beta):
        coefficients = functools.partial(mixed_coefficients, epsilon=self.epsilon)
        return normalize(x, coefficients, rho, gamma, beta)

    def get_config(self):
        return {**super().get_config(), "rho": self.start}


class LIN(_Mixed):
    """Layer-instance normalization with a learned scale and shift.

        y = gamma * (rho * x_I + (1 - rho) * x_L) + beta
        x_I = (x - mean) / sqrt(variance + epsilon), over height and width
        x_L = the same, over height, width and channels

    gamma starts at 1, beta at 0; rho is clipped to [0, 1] after each update.

    Args:
        rho: float in [0, 1]. Where the learned mix starts; 1 is pure instance normalization.
        epsilon: float. Added to the variance, inside the square root.

    Call arguments:
        x: [batch, height, width, channels].
    """

    def __init__(self, *, rho: float = 0.0, **kwargs) -> None:
        super().__init__(rho=rho, **kwargs)

    def build(self, x_shape: object) -> None:
        self._add_gamma_and_beta(x_shape[-1])
        super().build(x_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self._mix(x, self.rho, self.gamma, self.beta)


class AdaLIN(_Mixed):
    """Layer-instance normalization whose scale and shift come from the attention's MLP.

        y = gamma * (r * x_I + (1 - r) * x_L) + beta
        r = clip(rho - 0.1, 0, 1) with `smoothing`, else rho

    x_I and x_L as in `LIN`; rho is clipped to [0, 1] after each update.

    Args:
        rho: float in [0, 1]. Where the learned mix starts (TensorFlow code: 1.0).
        smoothing: bool. Never let the mix be instance normalization alone.
        epsilon: float. Added to the variance, inside the square root.

    Call arguments:
        x: [batch, height, width, channels].
        gamma, beta: [batch, channels].
    """

    def __init__(self, *, rho: float = 1.0, smoothing: bool = True, **kwargs) -> None:
        super().__init__(rho=rho, **kwargs)
        self.smoothing = smoothing

    def call(self, x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
        rho = tf.convert_to_tensor(self.rho)
        if self.smoothing:
            rho = tf.clip_by_value(rho - 0.1, 0.0, 1.0)
        return self._mix(x, rho, gamma, beta)

    def get_config(self) -> dict:
        return {**super().get_config(), "smoothing": self.smoothing}


ADAPTIVE = {"adalin": AdaLIN, "adain": AdaIN}  # scale and shift come from the attention's MLP
FIXED = {
    "in": InstanceNormalization,
    "ln": functools.partial(GroupNormalization, groups=1),
    "gn": GroupNormalization,
    "lin": LIN,
}
