"""A dense layer, as the generator's MLP has it."""

from __future__ import annotations

import tensorflow as tf

from ugatit_tf.layers.kernel import KernelLayer


class Dense(KernelLayer):
    """x W + b, then a ReLU if wanted.

    Args:
        units: int. Channels of the output.
        relu: bool.
        bias, start: as in `KernelLayer`.

    Call arguments:
        x: float32 [batch, channels].
    """

    RANK = 2

    def __init__(self, units: int, *, relu: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.relu = relu

    def build(self, x_shape: object) -> None:
        self.add_kernel([x_shape[-1], self.units])
        super().build(x_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        y = tf.matmul(x, tf.convert_to_tensor(self.kernel))
        if self.bias is not None:
            y = tf.nn.bias_add(y, tf.convert_to_tensor(self.bias))
        return tf.nn.relu(y) if self.relu else y
