"""How many numbers the networks hold, from the options alone.

The count is needed before the networks are built, at the start of almost every command. Building
them only to count takes seconds, even in a `tf.Graph` (1.6 s with Keras 3, 4.3 s with Keras 2, on
2 cores). A test holds these formulas equal to the built networks for every kind of architecture.
"""

from __future__ import annotations

from ugatit_tf.config import Config
from ugatit_tf.flavors import FLAVORS
from ugatit_tf.norms import DECODER_NORMS, LIN_WEIGHTS


def num_weights(config: Config) -> int:
    """Returns how many numbers the four networks hold, the states of spectral norm included."""
    return num_generator_weights(config) + num_discriminator_weights(config)


def num_generator_weights(config: Config) -> int:
    """Returns how many numbers both generators hold."""
    flavor = FLAVORS[config.flavor]
    ch, wide, img_ch = config.ch, 4 * config.ch, config.img_ch
    # (side of the kernel, channels before, channels after)
    layers = [(7, img_ch, ch), (3, ch, 2 * ch), (3, 2 * ch, wide)]
    layers += 4 * config.n_res * [(3, wide, wide)]
    layers += [(3, wide, 2 * ch), (3, 2 * ch, ch), (7, ch, img_ch)]
    others = 2 * 7 * ch + 4 * config.n_res * wide if flavor.affine else 0  # of the encoder
    if config.generator_cam:
        others += _num_cam_weights(wide, flavor)
    norm = DECODER_NORMS[config.decoder_norm]
    if norm.is_adaptive:
        positions = 1 if config.light else (config.img_size // 4) ** 2  # inputs of the MLP
        layers += [(1, positions * wide, wide), *3 * [(1, wide, wide)]]
    others += 2 * config.n_res * wide * norm.weights
    others += 3 * ch * (LIN_WEIGHTS if norm.is_adaptive else norm.weights)
    return 2 * (_num_convolution_weights(layers, bias=flavor.generator_bias) + others)


def num_discriminator_weights(config: Config) -> int:
    """Returns how many numbers both discriminators hold."""
    flavor, total = FLAVORS[config.flavor], 0
    for depth in (max(0, config.n_dis - 4), config.n_dis - 2):
        *_, last = channels = [config.img_ch, *(config.ch * 2**i for i in range(depth + 2))]
        layers = [(4, *pair) for pair in zip(channels, channels[1:])]
        to_logit = [(4, last, 1)]
        total += _num_convolution_weights(layers)
        total += _num_convolution_weights(to_logit, bias=flavor.logit_bias)
        heads = []
        if config.discriminator_cam:
            total += _num_cam_weights(last, flavor)
            heads = flavor.cam_heads * [(1, last, 1)]
        if config.sn:
            total += sum(_num_states(layer, flavor) for layer in (*layers, *to_logit, *heads))
    return 2 * total


def _num_convolution_weights(layers, bias=True):
    """Kernels and biases."""
    return sum(side**2 * before * after + bias * after for side, before, after in layers)


def _num_cam_weights(channels, flavor):
    """The heads of a class activation map, and its 1x1 convolution."""
    heads = flavor.cam_heads * [(1, channels, 1)]
    mixer = [(1, 2 * channels, channels)]
    return _num_convolution_weights(heads, bias=flavor.cam_bias) + _num_convolution_weights(mixer)


def _num_states(layer, flavor):
    """u of spectral normalization, one for each output; and v, one for each row of the kernel."""
    side, before, after = layer
    return after + side**2 * before * flavor.stores_v
