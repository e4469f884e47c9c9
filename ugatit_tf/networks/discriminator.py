"""The discriminator: a shallow (local) and a deep (global) patch network with attention.

U-GAT-IT section 2.1.2 and appendix, as the official code of a flavor builds it.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ugatit_tf.flavors import FLAVORS
from ugatit_tf.layers.cam import CAM
from ugatit_tf.layers.convolution import Convolution
from ugatit_tf.layers.precision import MixedLayer, float32
from ugatit_tf.networks.network import Network
from ugatit_tf.networks.shapes import check_images
from ugatit_tf.sizes import smallest_image


class DiscriminatorOutput(NamedTuple):
    logit: tf.Tensor  # [batch, h, w, 1], one for each patch; high where it looks real
    # Both None without a class activation map.
    cam_logit: tf.Tensor | None  # [batch, 2]
    heatmap: tf.Tensor | None  # [batch, h, w], not scaled


class PatchNetwork(MixedLayer):
    """Judges patches of an image.

    Args:
        ch: int. Channels of the first layer; each further one doubles them.
        depth: int. Layers of stride 2 after the first; the logits are at 1 / 2^(depth + 1).
        spectral_norm: bool. On all layers but the 1x1 convolution.
        cam: bool. Without it nothing weighs the features before the logits.
        flavor: one of `flavors.FLAVORS`.
        precision: the type of the maps; the weights and what is returned are float32.

    Call arguments:
        x: [batch, height, width, img_ch] in [-1, 1].
        training: bool. Whether the spectral states are updated.
    """

    def __init__(
        self,
        *,
        ch: int,
        depth: int,
        spectral_norm: bool = True,
        cam: bool = True,
        flavor: str = "tensorflow",
        precision: str = "float32",
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.spectral_norm = spectral_norm
        self.precision = precision
        f = FLAVORS[flavor]
        halving = [ch * 2**i for i in range(depth + 1)]
        options = {"spectral_norm": spectral_norm, "stores_v": f.stores_v, "start": f.start}
        self.convolutions = [Convolution(c, 4, stride=2, padding=1, **options) for c in halving]
        self.last = Convolution(2 * halving[-1], 4, padding=f.patch_padding, **options)
        self.cam = None
        if cam:
            heads = {"heads": f.cam_heads, "bias": f.cam_bias, "raw_attention": f.raw_attention}
            self.cam = CAM(**heads, **options)
        self.to_logit = Convolution(1, 4, padding=f.patch_padding, bias=f.logit_bias, **options)

    def build(self, *_) -> None:
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> DiscriminatorOutput:
        x = tf.cast(x, self.precision)
        for convolution in (*self.convolutions, self.last):
            x = _activate(convolution(x, training=training))
        cam_logit = heatmap = None
        if self.cam:
            attended, cam_logit = self.cam(x, training=training)
            x = _activate(attended)
            heatmap = tf.reduce_sum(float32(x), -1)
        return DiscriminatorOutput(float32(self.to_logit(x, training=training)), cam_logit, heatmap)


@tf.keras.utils.register_keras_serializable(package="ugatit_tf")
class Discriminator(Network):
    """The two patch networks of one domain.

    Args:
        ch: int. Channels of the first layers.
        n_dis: int. The global network halves the image n_dis - 1 times, the local one
            n_dis - 3 times (and at least once).
        sn: bool. Spectral normalization.
        cam, flavor, precision: as in `PatchNetwork`.

    Call arguments:
        x: [batch, height, width, img_ch] in [-1, 1].
        training: bool. Whether the spectral states are updated.

    Returns:
        (local, global), a `DiscriminatorOutput` each.

    Raises:
        ValueError: `x` has another shape, or a side below `config.smallest_image(n_dis)`.
    """

    def __init__(
        self,
        *,
        ch: int = 64,
        n_dis: int = 6,
        sn: bool = True,
        cam: bool = True,
        flavor: str = "tensorflow",
        precision: str = "float32",
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.n_dis = n_dis
        options = {"spectral_norm": sn, "cam": cam, "flavor": flavor, "precision": precision}
        self.local_network = PatchNetwork(ch=ch, depth=max(0, n_dis - 4), **options)
        self.global_network = PatchNetwork(ch=ch, depth=n_dis - 2, **options)

    def __call__(self, x, *args, **kwargs):
        # Not in `call`, where Keras would wrap the message.
        name = f"The discriminator with n_dis={self.n_dis}"
        x = check_images(x, name, smallest=smallest_image(self.n_dis))
        return super().__call__(x, *args, **kwargs)

    def call(self, x: tf.Tensor, training: bool = False) -> tuple:
        return self.local_network(x, training=training), self.global_network(x, training=training)


def _activate(x):
    return tf.nn.leaky_relu(x, 0.2)
