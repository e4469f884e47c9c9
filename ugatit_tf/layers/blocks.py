"""The generator's blocks: convolution, residual, adaptive residual, upsampling."""

from __future__ import annotations

import tensorflow as tf

from ugatit_tf.layers.convolution import Convolution, UpsampleConvolution
from ugatit_tf.layers.normalization import ADAPTIVE, FIXED, InstanceNormalization
from ugatit_tf.layers.precision import MixedLayer


class _Block(MixedLayer):
    """A layer made of layers, each of which builds itself when it is first called."""

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels

    def build(self, *_):
        self.built = True

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}


class ConvolutionBlock(_Block):
    """Convolution, instance normalization, ReLU.

    Args:
        channels: int. Channels of the output.
        kernel_size, stride, padding: as in `Convolution`.
    """

    def __init__(
        self, channels: int, kernel_size: int, *, stride: int = 1, padding: int = 0, **kwargs
    ) -> None:
        super().__init__(channels, **kwargs)
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.convolution = Convolution(channels, kernel_size, stride=stride, padding=padding)
        self.norm = InstanceNormalization()

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(self.norm(self.convolution(x)))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "padding": self.padding,
        }


class ResidualBlock(_Block):
    """x + N(conv(ReLU(N(conv(x))))), with 3x3 convolutions and no ReLU after the sum.

    Args:
        channels: int.
        norm: one of `normalization.FIXED`: what N is.
    """

    def __init__(self, channels: int, *, norm: str = "in", **kwargs) -> None:
        super().__init__(channels, **kwargs)
        self.norm = norm
        self.convolution_1 = Convolution(channels, 3, padding=1)
        self.norm_1 = FIXED[norm]()
        self.convolution_2 = Convolution(channels, 3, padding=1)
        self.norm_2 = FIXED[norm]()

    def call(self, x: tf.Tensor) -> tf.Tensor:
        h = tf.nn.relu(self.norm_1(self.convolution_1(x)))
        return x + self.norm_2(self.convolution_2(h))

    def get_config(self) -> dict:
        return {**super().get_config(), "norm": self.norm}


class AdaptiveResidualBlock(_Block):
    """A residual block whose normalizations have the given scale and shift.

    Args:
        channels: int.
        norm: one of `normalization.ADAPTIVE`.
        smoothing: bool, as in `AdaLIN`.

    Call arguments:
        x: [batch, height, width, channels].
        gamma, beta: [batch, channels].
    """

    def __init__(
        self, channels: int, *, norm: str = "adalin", smoothing: bool = True, **kwargs
    ) -> None:
        super().__init__(channels, **kwargs)
        self.norm = norm
        self.smoothing = smoothing
        options = {"smoothing": smoothing} if norm == "adalin" else {}
        self.convolution_1 = Convolution(channels, 3, padding=1)
        self.norm_1 = ADAPTIVE[norm](**options)
        self.convolution_2 = Convolution(channels, 3, padding=1)
        self.norm_2 = ADAPTIVE[norm](**options)

    def call(self, x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
        h = tf.nn.relu(self.norm_1(self.convolution_1(x), gamma, beta))
        return x + self.norm_2(self.convolution_2(h), gamma, beta)

    def get_config(self) -> dict:
        return {**super().get_config(), "norm": self.norm, "smoothing": self.smoothing}


class UpsampleBlock(_Block):
    """Twice the size by nearest neighbours, 3x3 convolution, normalization, ReLU.

    Args:
        channels: int. Channels of the output.
        norm: one of `normalization.FIXED`.
    """

    def __init__(self, channels: int, *, norm: str = "lin", **kwargs) -> None:
        super().__init__(channels, **kwargs)
        self.kind = norm  # `self.norm` is the layer
        self.convolution = UpsampleConvolution(channels)
        self.norm = FIXED[norm]()

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(self.norm(self.convolution(x)))

    def get_config(self) -> dict:
        return {**super().get_config(), "norm": self.kind}
