"""Mixed precision: weights are float32, maps have the type of the layer's input."""

from __future__ import annotations

import collections

import tensorflow as tf

from ugatit_tf import keras_settings
from ugatit_tf.layers.weights import Role

keras_settings.check_keras()  # before the first layer is defined


class MixedLayer(tf.keras.layers.Layer):
    """A layer that computes in the type of its input, whatever Keras' own settings are.

    The networks cast the image once, at their entry; from there on every map has that type.
    Weights stay float32, as do statistics, spectral norms and what the networks return.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(autocast=False, **{"dtype": "float32", **kwargs})
        # Name of a weight -> its `Role`. Not a plain dict, which Keras would track.
        self.roles = collections.UserDict()

    def add_trained(
        self,
        name: str,
        shape: list,
        *,
        start: float = 0.0,
        deviation: float = 0.0,
        decays: bool = False,
        clipped: tuple | None = None,
    ) -> tf.Variable:
        """Adds a weight that an optimizer updates.

        Args:
            start: number. Its first value.
            deviation: float. Standard deviation of a random first value around 0, instead.
            decays, clipped: as in `Role`.
        """
        self.roles[name] = Role(True, decays, clipped, deviation)
        return self._add(name, shape, start, deviation, trainable=True)

    def add_kernel(self, shape: list) -> tf.Variable:
        """Adds the weight that most layers have: random at the start, and it decays."""
        return self.add_trained("kernel", shape, deviation=0.02, decays=True)

    def add_state(self, name: str, shape: list, *, deviation: float) -> tf.Variable:
        """Adds a random state, which the forward pass changes in training."""
        self.roles[name] = Role(trained=False, deviation=deviation)
        return self._add(name, shape, 0.0, deviation, trainable=False)

    def _add(self, name, shape, start, deviation, *, trainable):
        initializer = (
            tf.keras.initializers.RandomNormal(0.0, deviation)  # one for each: it draws once
            if deviation
            else tf.keras.initializers.Constant(start)
        )
        return self.add_weight(name=name, shape=shape, initializer=initializer, trainable=trainable)


def like(x: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """`weight` as a tensor of the type of `x`."""
    return tf.cast(tf.convert_to_tensor(weight), x.dtype)


@tf.custom_gradient
def add_bias(x: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """x + bias, with the bias' gradient summed in float32.

    A half number cannot count a map's pixels: adding 1 to 256 in bfloat16 gives 256.
    """

    def gradient(upstream):
        return upstream, tf.reduce_sum(float32(upstream), [0, 1, 2])

    return tf.nn.bias_add(x, tf.cast(bias, x.dtype)), gradient


@tf.custom_gradient
def scale_by(x: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """x * factor, a number, whose gradient is summed in float32 as that of `add_bias` is."""

    def gradient(upstream):
        to_factor = tf.reduce_sum(float32(upstream) * float32(x))
        return upstream * tf.cast(factor, x.dtype), to_factor

    return x * tf.cast(factor, x.dtype), gradient


def float32(x: tf.Tensor) -> tf.Tensor:
    return tf.cast(x, tf.float32)
