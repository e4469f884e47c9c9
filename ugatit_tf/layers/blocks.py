"""The generator's blocks: convolution, residual, adaptive residual, upsampling."""

from __future__ import annotations

import tensorflow as tf

from ugatit_tf.layers.convolution import Convolution, UpsampleConvolution
from ugatit_tf.layers.normalization import ADAPTIVE, FIXED, InstanceNormalization
from ugatit_tf.layers.precision import MixedLayer


class _Block(MixedLayer):
    """A layer made of layers, each of which builds itself when it is first called."""

    def build(self, *_) -> None:
        self.built = True


class ConvolutionBlock(_Block):
    """Convolution, instance normalization, ReLU.

    Args:
        channels: int. Channels of the output.
        kernel_size, stride, padding: as in `Convolution`.
        convolution_options, norm_options: dict. Further arguments of `Convolution` and of
            `InstanceNormalization`.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int | tuple = 0,
        convolution_options: dict | None = None,
        norm_options: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        options = {"stride": stride, "padding": padding, **(convolution_options or {})}
        self.convolution = Convolution(channels, kernel_size, **options)
        self.norm = InstanceNormalization(**(norm_options or {}))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(self.norm(self.convolution(x)))


class ResidualBlock(_Block):
    """x + N(conv(ReLU(N(conv(x))))), with 3x3 convolutions and no ReLU after the sum.

    Args:
        channels: int.
        norm: one of `normalization.FIXED`: what N is.
        convolution_options, norm_options: dict. Further arguments of `Convolution` and of N.
    """

    NORMS = FIXED

    def __init__(
        self,
        channels: int,
        *,
        norm: str = "in",
        convolution_options: dict | None = None,
        norm_options: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        options = {"padding": 1, **(convolution_options or {})}
        self.convolution_1 = Convolution(channels, 3, **options)
        self.norm_1 = self.NORMS[norm](**(norm_options or {}))
        self.convolution_2 = Convolution(channels, 3, **options)
        self.norm_2 = self.NORMS[norm](**(norm_options or {}))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self._with_residual(x)

    def _with_residual(self, x, *style):
        h = tf.nn.relu(self.norm_1(self.convolution_1(x), *style))
        return x + self.norm_2(self.convolution_2(h), *style)


class AdaptiveResidualBlock(ResidualBlock):
    """A residual block whose normalizations have the given scale and shift.

    Args:
        norm: one of `normalization.ADAPTIVE`.
        others: as in `ResidualBlock`.

    Call arguments:
        x: [batch, height, width, channels].
        gamma, beta: [batch, channels].
    """

    NORMS = ADAPTIVE

    def __init__(self, channels: int, *, norm: str = "adalin", **kwargs) -> None:
        super().__init__(channels, norm=norm, **kwargs)

    def call(self, x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
        return self._with_residual(x, gamma, beta)


class UpsampleBlock(_Block):
    """Twice the size by nearest neighbours, 3x3 convolution, normalization, ReLU.

    Args:
        channels: int. Channels of the output.
        norm: one of `normalization.FIXED`.
        convolution_options, norm_options: dict. Further arguments of `UpsampleConvolution` and of
            the normalization.
    """

    def __init__(
        self,
        channels: int,
        *,
        norm: str = "lin",
        convolution_options: dict | None = None,
        norm_options: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.convolution = UpsampleConvolution(channels, **(convolution_options or {}))
        self.norm = FIXED[norm](**(norm_options or {}))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(self.norm(self.convolution(x)))
