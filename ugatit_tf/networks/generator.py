"""The generator: encoder, class activation map, gamma and beta from it, AdaLIN decoder.

U-GAT-IT section 2.1.1 and appendix, as the official code of a flavor builds it, and the variants
that the paper's ablation compares with it.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ugatit_tf.flavors import FLAVORS
from ugatit_tf.layers.blocks import (
    AdaptiveResidualBlock,
    ConvolutionBlock,
    ResidualBlock,
    UpsampleBlock,
)
from ugatit_tf.layers.cam import CAM, CAMOutput
from ugatit_tf.layers.convolution import Convolution
from ugatit_tf.layers.dense import Dense
from ugatit_tf.layers.normalization import ADAPTIVE
from ugatit_tf.layers.precision import float32
from ugatit_tf.networks.network import Network
from ugatit_tf.networks.shapes import check_images
from ugatit_tf.sizes import MULTIPLE, SMALLEST


class Translation(NamedTuple):
    image: tf.Tensor  # [batch, height, width, img_ch] in [-1, 1]
    # Both None without a class activation map.
    cam_logit: tf.Tensor | None  # [batch, 2]; high where the input looks like the source domain
    heatmap: tf.Tensor | None  # [batch, height / 4, width / 4], not scaled


@tf.keras.utils.register_keras_serializable(package="ugatit_tf")
class Generator(Network):
    """Translates images of one domain into the other.

    Args:
        ch: int. Channels of the first layer; the bottleneck has 4 ch.
        n_res: int. Residual blocks, and as many adaptive ones.
        img_ch: int. 1 or 3.
        light: bool. Average the features over the image before the MLP: any size that is a
            multiple of 4 (and at least 8). Without it the weights belong to one size.
        smoothing: bool, as in `AdaLIN`.
        norm: of the decoder: "adalin" or "adain", whose scale and shift the MLP makes (their
            upsampling has LIN); or "in", "ln" or "gn" in all of the decoder, which then has no
            MLP and takes any size.
        cam: bool. Without it nothing weighs the features between encoder and decoder.
        flavor: one of `flavors.FLAVORS`.
        precision: the type of the maps; the weights, the MLP and what is returned are float32.
        recompute: bool. Keep only the inputs of blocks for the gradient and compute the rest
            again: less memory, more time.

    Call arguments:
        x: [batch, height, width, img_ch] in [-1, 1].

    Raises:
        ValueError: `x` has another shape, or sides that do not fit.
    """

    def __init__(
        self,
        *,
        ch: int = 64,
        n_res: int = 4,
        img_ch: int = 3,
        light: bool = False,
        smoothing: bool = True,
        norm: str = "adalin",
        cam: bool = True,
        flavor: str = "tensorflow",
        precision: str = "float32",
        recompute: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.ch = ch
        self.img_ch = img_ch
        self.light = light
        self.norm = norm
        self.precision = precision
        self.recompute = recompute
        f, wide = FLAVORS[flavor], 4 * ch
        plain = {"bias": f.generator_bias, "start": f.start}
        lin = {"unbiased": f.unbiased}
        adalin = {**lin, "rho": f.rho, "smoothing": smoothing}
        encoder = {"convolution_options": plain, "norm_options": {"affine": f.affine}}
        self.stem = ConvolutionBlock(ch, 7, padding=3, **encoder)
        # Of an even image, padding after its end would reach no output.
        halving = {"kernel_size": 3, "stride": 2, "padding": (1, 0), **encoder}
        self.down = [ConvolutionBlock(channels, **halving) for channels in (2 * ch, wide)]
        self.residual = [ResidualBlock(wide, **encoder) for _ in range(n_res)]
        self.cam = CAM(heads=f.cam_heads, bias=f.cam_bias, start=f.start) if cam else None
        if norm in ADAPTIVE:
            self.mlp = [Dense(wide, relu=True, **plain) for _ in range(2)]
            self.gamma_head = Dense(wide, **plain)
            self.beta_head = Dense(wide, **plain)
            decoder = {"norm": norm, "norm_options": adalin if norm == "adalin" else {}}
            up = {"norm": "lin", "norm_options": lin}
        else:
            decoder = up = {"norm": norm}
        block = AdaptiveResidualBlock if norm in ADAPTIVE else ResidualBlock
        blocks = [block(wide, convolution_options=plain, **decoder) for _ in range(n_res)]
        if norm in ADAPTIVE:
            self.adaptive = blocks
        else:
            self.fixed = blocks
        self.up = [UpsampleBlock(c, convolution_options=plain, **up) for c in (2 * ch, ch)]
        self.to_image = Convolution(img_ch, 7, padding=3, **plain)

    def __call__(self, x, *args, **kwargs):
        # Not in `call`, where Keras would wrap the message.
        options = {"smallest": SMALLEST, "multiple": MULTIPLE, "channels": self.img_ch}
        x = check_images(x, "The generator", **options)
        if self.norm in ADAPTIVE and not self.light:
            self._check_size(x)
        return super().__call__(x, *args, **kwargs)

    def call(self, x: tf.Tensor) -> Translation:
        features, cam_logit = self._encode(x)
        h = tf.nn.relu(features)
        heatmap = tf.reduce_sum(float32(h), -1) if self.cam else None
        style = self._style(float32(h)) if self.norm in ADAPTIVE else ()
        for block in self.adaptive if self.norm in ADAPTIVE else self.fixed:
            h = self._run(block, h, *style)
        for block in self.up:
            h = self._run(block, h)  # [B, H, W, ch] at the end
        return Translation(tf.tanh(float32(self.to_image(h))), cam_logit, heatmap)

    def attend(self, x: tf.Tensor) -> tf.Tensor | None:
        """The CAM logit of `call`, for half of its work."""
        return self._encode(x).cam_logit

    def _encode(self, x):
        h = tf.cast(x, self.precision)
        for block in (self.stem, *self.down, *self.residual):
            h = self._run(block, h)  # [B, H/4, W/4, 4 ch] at the end
        return self.cam(h) if self.cam else CAMOutput(h, None)

    def _run(self, block, *inputs):
        return (tf.recompute_grad(block) if self.recompute else block)(*inputs)

    def _style(self, h):
        if self.light:
            h = tf.reduce_mean(h, [1, 2])
        else:
            h = tf.reshape(h, [-1, h.shape[1] * h.shape[2] * h.shape[3]])
        for dense in self.mlp:
            h = dense(h)
        return self.gamma_head(h), self.beta_head(h)  # [B, 4 ch] each

    def _check_size(self, x):
        """Raises ValueError where a full generator has no weights for images of this size."""
        height, width = x.shape[1:3]
        if None in (height, width):
            raise ValueError("A full generator must know the size of its images when it is traced.")
        if self.mlp[0].built:
            pixels = self.mlp[0].kernel.shape[0] * MULTIPLE**2 // (4 * self.ch)
            if height * width != pixels:
                raise ValueError(
                    f"This full generator takes images of {pixels} pixels only, the size that it "
                    f"was built with: its first dense layer has a weight for each. "
                    f"Received: {height} x {width}"
                )
