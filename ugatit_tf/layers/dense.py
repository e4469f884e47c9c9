"""A dense layer, as the generator's MLP has it."""

from __future__ import annotations

import tensorflow as tf

from ugatit_tf.layers.precision import MixedLayer


class Dense(MixedLayer):
    """x W + b, then a ReLU if wanted.

    Args:
        units: int. Channels of the output.
        relu: bool.

    Call arguments:
        x: float32 [batch, channels].
    """

    def __init__(self, units: int, *, relu: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.relu = relu

    def build(self, x_shape: object) -> None:
        self.kernel = self.add_kernel([x_shape[-1], self.units])
        self.bias = self.add_trained("bias", [self.units])
        super().build(x_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        kernel, bias = tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias)
        y = tf.nn.bias_add(tf.matmul(x, kernel), bias)
        return tf.nn.relu(y) if self.relu else y

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units, "relu": self.relu}
