"""Mixed precision: weights are float32, maps have the type of the layer's input."""

from __future__ import annotations

import collections
import inspect

import tensorflow as tf

from ugatit_tf import keras_settings
from ugatit_tf.layers.weights import ZERO, Role, Start

keras_settings.check_keras()  # before the first layer is defined


class MixedLayer(tf.keras.layers.Layer):
    """A layer that computes in the type of its input, whatever Keras' own settings are.

    The networks cast the image once, at their entry; from there on every map has that type.
    Weights stay float32, as do statistics, spectral norms and what the networks return.

    Attributes:
        RANK: int. Axes of the input of a layer that has weights of its own, which Keras checks, and
            the channels too once it is built. None: its layers check theirs.
    """

    RANK = None

    def __new__(cls, *args, **kwargs) -> MixedLayer:
        layer = super().__new__(cls, *args, **kwargs)
        object.__setattr__(layer, "_arguments", _arguments(cls, args, kwargs))  # Keras tracks dicts
        return layer

    def __init__(self, **kwargs) -> None:
        super().__init__(autocast=False, **{"dtype": "float32", **kwargs})
        if self.RANK:
            self.input_spec = tf.keras.layers.InputSpec(ndim=self.RANK)
        # Name of a weight -> its `Role`. Not a plain dict, which Keras would track.
        self.roles = collections.UserDict()

    def build(self, x_shape: object = None) -> None:
        if self.RANK:
            axes = {-1: x_shape[-1]}
            self.input_spec = tf.keras.layers.InputSpec(ndim=self.RANK, axes=axes)
        super().build(x_shape)

    def get_config(self) -> dict:
        """The arguments that make the same layer again."""
        return {**self._arguments, **super().get_config()}

    def add_trained(
        self,
        name: str,
        shape: list,
        *,
        start: Start = ZERO,
        decays: bool = False,
        clipped: tuple | None = None,
    ) -> tf.Variable:
        """Adds a weight that an optimizer updates. The arguments are those of `Role`."""
        return self._add(name, shape, Role(True, decays, clipped, start))

    def add_state(self, name: str, shape: list, start: Start) -> tf.Variable:
        """Adds a state, which the forward pass changes in training."""
        return self._add(name, shape, Role(trained=False, start=start))

    def _add(self, name, shape, role):
        self.roles[name] = role
        return self.add_weight(
            name=name, shape=shape, initializer=role.start, trainable=role.trained
        )


def _arguments(kind, args, kwargs):
    """name -> value of the arguments of a layer, with the defaults of its own class."""
    bound = inspect.signature(kind.__init__).bind(None, *args, **kwargs)
    bound.apply_defaults()
    _, *arguments = bound.arguments.items()  # the first is the layer itself
    values = dict(arguments)
    return {**values.pop("kwargs"), **values}


def like(x: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """`weight` as a tensor of the type of `x`."""
    return tf.cast(tf.convert_to_tensor(weight), x.dtype)


@tf.custom_gradient
def _add_bias(x: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    def gradient(upstream):
        return upstream, tf.reduce_sum(float32(upstream), [0, 1, 2])

    return tf.nn.bias_add(x, tf.cast(bias, x.dtype)), gradient


def add_bias(x: tf.Tensor, bias: tf.Variable | None) -> tf.Tensor:
    """x + bias, if there is one, with the bias' gradient summed in float32.

    A half number cannot count a map's pixels: adding 1 to 256 in bfloat16 gives 256.
    """
    return x if bias is None else _add_bias(x, tf.convert_to_tensor(bias))


@tf.custom_gradient
def scale_by(x: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """x * factor, a number, whose gradient is summed in float32 as that of `add_bias` is."""

    def gradient(upstream):
        to_factor = tf.reduce_sum(float32(upstream) * float32(x))
        return upstream * tf.cast(factor, x.dtype), to_factor

    return x * tf.cast(factor, x.dtype), gradient


def float32(x: tf.Tensor) -> tf.Tensor:
    return tf.cast(x, tf.float32)
