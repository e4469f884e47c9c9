"""Floating-point operations of a training iteration, counted from the layers' shapes.

    python -m benchmarks.flops --img_size 256 --light True

A multiplication and an addition are two operations. Convolutions and dense layers are counted:
each takes as many operations forward as for the gradient of its input and for that of its
kernel. Normalization, activations, spectral norm, Adam and the class activation heads are not:
they are a small part of the operations, though not of the time.
"""

import sys
from typing import NamedTuple

from benchmarks import measure
from ugatit_tf.config import Config
from ugatit_tf.layers import target
from ugatit_tf.layers.convolution import FEW
from ugatit_tf.losses import ADVERSARIAL


class Product(NamedTuple):
    """A convolution or a dense layer, and its operations in one forward pass of one image."""

    name: str
    operations: int


class GPU(NamedTuple):
    """The maker's peak rates in TFLOP/s, dense, as the tensor cores sum in float32."""

    name: str
    float32: float
    half: float  # bfloat16, or float16 where there is no bfloat16


GPUS = [
    GPU("T4", 8.1, 65.0),
    GPU("V100 SXM2", 15.7, 125.0),
    GPU("L4", 30.3, 121.0),
    GPU("RTX 3090", 35.6, 71.0),
    GPU("RTX 4090", 82.6, 165.2),
    GPU("A100 SXM", 19.5, 312.0),
    GPU("H100 SXM", 66.9, 989.4),
]


class Iteration(NamedTuple):
    """Operations of one iteration: an update of the discriminators and one of the generators."""

    generators: int
    discriminators: int

    @property
    def total(self) -> int:
        return self.generators + self.discriminators


# Networks: lists of products in the order of computation


def generator(config, *, ours) -> list:
    """As the official graph computes it or, with `ours`, as this program does."""
    ch, wide = config.ch, 4 * config.ch
    size, small = config.training_size, config.training_size // 4
    residual = _convolution(small, 3, wide, wide)
    flat = wide if config.light else small * small * wide
    return [
        Product("stem", _wide(size, config.img_ch, ch, ours)),
        Product("down/0", _convolution(size // 2, 3, ch, 2 * ch)),
        Product("down/1", _convolution(small, 3, 2 * ch, wide)),
        Product("residual", 2 * config.n_res * residual),
        _mixer(small, wide, ours),
        Product("mlp", _dense(flat, wide) + 3 * _dense(wide, wide)),  # two layers, two heads
        Product("adaptive", 2 * config.n_res * residual),
        Product("up/0", _upsampling(small, wide, 2 * ch, ours)),
        Product("up/1", _upsampling(2 * small, 2 * ch, ch, ours)),
        Product("to_image", _wide(size, ch, config.img_ch, ours)),
    ]


def discriminator(config, *, ours) -> tuple:
    """The lists of the local and of the global network."""
    return tuple(_patch_network(config, max(0, config.n_dis - above), ours) for above in (4, 2))


def _patch_network(config, depth, ours):
    products, channels, size = [], config.img_ch, config.training_size
    for i in range(depth + 1):
        wider, size = config.ch * 2**i, size // 2
        products.append(Product(f"convolutions/{i}", _convolution(size, 4, channels, wider)))
        channels = wider
    wide = 2 * channels
    return [
        *products,
        Product("last", _convolution(size, 4, channels, wide)),
        _mixer(size, wide, ours),
        Product("to_logit", _convolution(size, 4, wide, 1)),
    ]


def _convolution(size, kernel, channels_in, channels):
    """`size` is the side of the output."""
    return 2 * size**2 * kernel**2 * channels_in * channels


def _dense(inputs, outputs):
    return 2 * inputs * outputs


def _mixer(size, channels, ours):
    """The 1x1 convolution after the attention: of both branches, or of their sum."""
    return Product("mixer", _convolution(size, 1, channels if ours else 2 * channels, channels))


def _wide(size, channels_in, channels, ours):
    """The 7x7 kernels: on a CPU few outputs come from ours two by two pixels at once, by 8x8."""
    if ours and channels <= FEW and not target.is_gpu():
        return _convolution(size // 2, 8, channels_in, 4 * channels)
    return _convolution(size, 7, channels_in, channels)


def _upsampling(size, channels_in, channels, ours):
    """3x3 on the large map, or the four 2x2 phases on the small one; `size` is the small side."""
    if ours:
        return _convolution(size + 1, 2, channels_in, 4 * channels)
    return _convolution(2 * size, 3, channels_in, channels)


# Passes


def forward(products) -> int:
    return sum(product.operations for product in products)


def backward(products, *, to_input) -> int:
    """The gradients of all kernels, and what they need; `to_input`: and that of the image."""
    first = 0 if to_input else products[0].operations
    return 2 * forward(products) - first


def iteration(config, *, ours) -> Iteration:
    """All operations of one iteration; every loss is taken to have a weight."""
    one = generator(config, ours=ours)
    of_generator = (
        3 * forward(one)  # translation, cycle, identity
        + 2 * backward(one, to_input=False)
        + backward(one, to_input=True)  # the cycle goes on to the generator that made the fake
    )
    if not ours:
        of_generator += forward(one)  # the fakes of the discriminators' update
    of_discriminator = sum(map(_of_patch_network, discriminator(config, ours=ours)))
    if ADVERSARIAL[config.gan_type].penalty:
        of_discriminator += sum(map(penalty, discriminator(config, ours=ours)))
    sides = 2 * config.batch_size
    return Iteration(sides * of_generator, sides * of_discriminator)


def _of_patch_network(products):
    """Real and fake in its own update; in the generators' the fake, back to the image alone."""
    update = 2 * (forward(products) + backward(products, to_input=False))
    return update + 2 * forward(products)


def penalty(products) -> int:
    """The gradient penalty of one patch network, whose two outputs are patch and CAM logits."""
    trunk, body = products[:-2], products[:-1]  # to the class activation head; to the patch logit
    slopes = forward(products) + forward(trunk)  # of both outputs with respect to the image
    # Back through a slope: each product once forward and once for its kernel. The first
    # gradient of the patch logit is constant, and the logit itself is not asked for.
    slopes_backward = 2 * slopes - products[-1].operations
    return forward(body) + slopes + slopes_backward + backward(body, to_input=False)


# The page


def main(argv) -> int:
    parser = measure.parser("benchmarks.flops", "Operations of a training iteration.")
    parser.add_argument("--utilisation", type=float, default=0.4, help="part of the float32 peak")
    parser.add_argument(
        "--half_utilisation", type=float, default=0.15, help="part of the tensor cores' peak"
    )
    options, given = measure.read(parser, argv)
    config = Config(**given)
    print(measure.described(config))
    print("\n".join([*_counts(config), "", *_hours(config, options)]))
    return 0


def _counts(config):
    official, own = (_row(config, ours=ours) for ours in (False, True))
    yield f"{'GFLOP':44} {'official':>10} {'ours':>10} {'ratio':>6}"
    for name, value in official.items():
        yield f"{name:44} {value / 1e9:10.2f} {own[name] / 1e9:10.2f} {value / own[name]:6.2f}"


def _row(config, *, ours):
    local, deep = discriminator(config, ours=ours)
    whole = iteration(config, ours=ours)
    return {
        "generator, one image forward": forward(generator(config, ours=ours)),
        "local discriminator, one image forward": forward(local),
        "global discriminator, one image forward": forward(deep),
        "iteration: both generators": whole.generators,
        "iteration: both discriminators": whole.discriminators,
        "iteration": whole.total,
    }


def _hours(config, options):
    operations = config.total_steps * iteration(config, ours=True).total
    yield f"{config.total_steps:,} iterations of ours are {operations:.3g} operations."
    yield "hours = operations / (peak x utilisation) / 3600, where the utilisation is assumed:"
    yield (
        f"{options.utilisation:.0%} of the peak in float32, {options.half_utilisation:.0%} in half"
        " precision, whose units a batch of 1 cannot fill."
    )
    yield "(On Ampere and newer, TensorFlow computes float32 in TF32 unless told not to: between"
    yield "the two columns.)"
    yield f"{'':12} {'float32':>16} {'':>9} {'bfloat16, float16':>18}"
    yield f"{'':12} {'peak TFLOP/s':>16} {'hours':>9} {'peak TFLOP/s':>18} {'hours':>9}"
    for gpu in GPUS:
        hours, half = (
            operations / (peak * 1e12 * part) / 3600
            for peak, part in (
                (gpu.float32, options.utilisation),
                (gpu.half, options.half_utilisation),
            )
        )
        yield f"{gpu.name:12} {gpu.float32:16.1f} {hours:9.1f} {gpu.half:18.1f} {half:9.1f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
