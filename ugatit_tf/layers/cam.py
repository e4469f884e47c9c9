"""The class activation map (CAM): which features tell the domains apart, and attention to them.

U-GAT-IT section 2.1.1, after Zhou et al., CVPR 2016, arXiv:1512.04150. As the official
TensorFlow code: one head for the average and the maximum branch, and a channel's weight in
the attention is the head's weight plus its bias.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ugatit_tf.layers.precision import MixedLayer, add_bias, float32, like
from ugatit_tf.layers.spectral import SpectralLayer


class CAMOutput(NamedTuple):
    features: tf.Tensor  # [batch, height, width, channels], before the activation
    cam_logit: tf.Tensor  # float32 [batch, 2]: of the average and of the maximum


class CAM(SpectralLayer):
    """Classifies pooled features, weighs every channel by its part in it, and mixes with 1x1.

        logit = [mean_hw(x) w + b, max_hw(x) w + b]
        features = concat(x * (w + b), x * (w + b)) K + c,  K: 1x1 convolution, 2C to C

    The official attention has one branch for the average and one for the maximum; with one
    head for both they are equal, so the two halves of K are added first and x is mixed once.

    Args:
        spectral_norm: bool. Divide w (not K) by its spectral norm; see `Convolution`.

    Call arguments:
        x: [batch, height, width, channels].
        training: bool. Whether the spectral state is updated.
    """

    def __init__(self, *, spectral_norm: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        self.spectral_norm = spectral_norm
        self.mixer = Mixer()

    def build(self, x_shape: object) -> None:
        self.kernel = self.add_kernel([x_shape[-1], 1])
        self.bias = self.add_trained("bias", [1])
        if self.spectral_norm:
            self.add_u(1)
        super().build(x_shape)

    def call(self, x: tf.Tensor, training: bool = False) -> CAMOutput:
        weight = tf.convert_to_tensor(self.kernel)  # [C, 1]
        if self.spectral_norm:
            weight = weight / self.sigma(training)
        average, maximum = tf.reduce_mean(float32(x), [1, 2]), float32(tf.reduce_max(x, [1, 2]))
        pooled = tf.stack([average, maximum], 1)  # [B, 2, C]
        cam_logit = tf.squeeze(tf.tensordot(pooled, weight, 1), -1) + self.bias  # [B, 2]
        return CAMOutput(self.mixer(x, weight + self.bias), cam_logit)

    def get_config(self) -> dict:
        return {**super().get_config(), "spectral_norm": self.spectral_norm}


class Mixer(MixedLayer):
    """The 1x1 convolution after the attention, from two equal weighted copies of x to C.

    Call arguments:
        x: [batch, height, width, channels].
        weight: [channels, 1]. What both copies of x are multiplied by.
    """

    def build(self, x_shape: object, weight_shape: object = None) -> None:
        channels = x_shape[-1]
        self.kernel = self.add_kernel([1, 1, 2 * channels, channels])
        self.bias = self.add_trained("bias", [channels])
        super().build(x_shape)

    def call(self, x: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        average, maximum = tf.split(tf.convert_to_tensor(self.kernel), 2, 2)  # [1, 1, C, C]
        kernel = like(x, weight * (average + maximum))
        return add_bias(tf.nn.conv2d(x, kernel, 1, "VALID"), tf.convert_to_tensor(self.bias))
