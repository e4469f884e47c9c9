"""The class activation map (CAM): which features tell the domains apart, and attention to them.

U-GAT-IT section 2.1.1, after Zhou et al., CVPR 2016, arXiv:1512.04150. As the official TensorFlow
code: one head for the average and the maximum branch, and a channel's weight in the attention is
the head's weight plus its bias. Or as the official PyTorch code: a head for each branch.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ugatit_tf.layers.kernel import KernelLayer
from ugatit_tf.layers.precision import add_bias, float32, like
from ugatit_tf.layers.spectral import SpectralLayer


class CAMOutput(NamedTuple):
    features: tf.Tensor  # [batch, height, width, channels], before the activation
    cam_logit: tf.Tensor  # float32 [batch, 2]: of the average and of the maximum


class Head(SpectralLayer):
    """The weight of each channel in the decision between the domains."""

    def build(self, x_shape: object) -> None:
        self.add_kernel([x_shape[-1], 1])
        super().build(x_shape)

    def weight(self, training: bool) -> tf.Tensor:
        """[channels, 1], divided by its spectral norm if it has one."""
        weight = tf.convert_to_tensor(self.kernel)
        return weight / self.sigma(training) if self.spectral_norm else weight

    def attention(self, weight: tf.Tensor, raw: bool) -> tf.Tensor:
        """[channels, 1], by which the features are multiplied."""
        weight = tf.convert_to_tensor(self.kernel) if raw else weight
        return weight if self.bias is None else weight + self.bias


class CAM(Head):
    """Classifies pooled features, weighs every channel by its part in it, and mixes with 1x1.

        logit = [mean_hw(x) w + b, max_hw(x) w' + b']
        features = concat(x * (w + b), x * (w' + b')) K + c,  K: 1x1 convolution, 2C to C

    With one head for both branches, w' = w and b' = b. The weights are multiplied into the two
    halves of K, which are added before they meet x: it is mixed once, at half the operations.

    Args:
        heads: 1 or 2. This layer is the head of the average, and of the maximum if there is one.
        raw_attention: bool. Multiply x by w as it is, not divided by its spectral norm.
        spectral_norm, stores_v: as in `SpectralLayer`, of w (not of K).
        bias: bool, of the heads.
        start: as in `KernelLayer`.

    Call arguments:
        x: [batch, height, width, channels].
        training: bool. Whether the spectral state is updated.
    """

    def __init__(self, *, heads: int = 1, raw_attention: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        self.raw_attention = raw_attention
        options = {"bias": self.has_bias, "start": self.start}
        spectral = {"spectral_norm": self.spectral_norm, "stores_v": self.stores_v}
        self.maximum_head = Head(**options, **spectral) if heads == 2 else None
        self.mixer = Mixer(start=self.start)

    def build(self, x_shape: object) -> None:
        if self.maximum_head:
            self.maximum_head.build(x_shape)
        super().build(x_shape)

    def call(self, x: tf.Tensor, training: bool = False) -> CAMOutput:
        heads = [self, self.maximum_head] if self.maximum_head else [self]
        weights = [head.weight(training) for head in heads]  # [C, 1] each
        average, maximum = tf.reduce_mean(float32(x), [1, 2]), float32(tf.reduce_max(x, [1, 2]))
        of_average, of_maximum = tf.matmul(average, weights[0]), tf.matmul(maximum, weights[-1])
        cam_logit = tf.concat([of_average, of_maximum], 1)  # [B, 2]
        if self.bias is not None:
            cam_logit += tf.concat([head.bias for head in heads], 0)
        attention = [head.attention(w, self.raw_attention) for head, w in zip(heads, weights)]
        return CAMOutput(self.mixer(x, tf.concat(attention, 1)), cam_logit)


class Mixer(KernelLayer):
    """The 1x1 convolution after the attention, from two weighted copies of x to C.

    Call arguments:
        x: [batch, height, width, channels].
        weights: [channels, 1 or 2]. What the copies of x are multiplied by: both alike, or each.
    """

    def build(self, x_shape: object, weights_shape: object = None) -> None:
        channels = x_shape[-1]
        self.add_kernel([1, 1, 2 * channels, channels])
        super().build(x_shape)

    def call(self, x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        average, maximum = tf.split(tf.convert_to_tensor(self.kernel), 2, 2)  # [1, 1, C, C]
        of_average, of_maximum = weights[:, :1], weights[:, -1:]
        if weights.shape[-1] == 1:
            kernel = of_average * (average + maximum)
        else:
            kernel = of_average * average + of_maximum * maximum
        return add_bias(tf.nn.conv2d(x, like(x, kernel), 1, "VALID"), self.bias)
