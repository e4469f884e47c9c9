"""The layers, each usable alone."""

from ugatit_tf.layers.blocks import (
    AdaptiveResidualBlock,
    ConvolutionBlock,
    ResidualBlock,
    UpsampleBlock,
)
from ugatit_tf.layers.cam import CAM
from ugatit_tf.layers.convolution import Convolution, UpsampleConvolution
from ugatit_tf.layers.normalization import (
    LIN,
    AdaIN,
    AdaLIN,
    GroupNormalization,
    InstanceNormalization,
)

__all__ = [
    "CAM",
    "LIN",
    "AdaIN",
    "AdaLIN",
    "AdaptiveResidualBlock",
    "Convolution",
    "ConvolutionBlock",
    "GroupNormalization",
    "InstanceNormalization",
    "ResidualBlock",
    "UpsampleBlock",
    "UpsampleConvolution",
]
