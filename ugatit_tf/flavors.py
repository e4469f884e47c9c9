"""What the two official programs compute differently, in one table.

The paper's authors published a TensorFlow 1 program and a PyTorch program, whose networks and
training differ. `--flavor` chooses; what is not named here is the same in both. The networks pass
the first part to their layers as arguments; the training step and the input pipeline read the rest.
"""

import dataclasses
from typing import Callable, Union


@dataclasses.dataclass(frozen=True)
class Flavor:
    """One official program.

    Attributes:
        generator_bias: whether the generator's convolutions, its MLP and the heads of gamma and
            beta have biases. The 1x1 convolution after the attention always has one.
        affine: whether instance normalization has gamma and beta.
        unbiased: whether the variances of LIN and AdaLIN are divided by n - 1 rather than n.
        rho: where AdaLIN's rho starts.
        smoothing: whether AdaLIN's mix is clip(rho - 0.1, 0, 1) unless --smoothing is named.
        cam_heads: heads of a class activation map: one for the average and the maximum, or two.
        cam_bias: whether they have biases.
        raw_attention: whether the attention of a spectrally normalized CAM has the kernel as it is.
        patch_padding: reflected pixels (before, after) at the k4 s1 layers of a discriminator.
        logit_bias: whether a discriminator's last convolution has a bias.
        stores_v: whether spectral normalization keeps both singular vectors, and iterates in
            training only. Otherwise it keeps u alone, and every pass iterates.
        start: distribution of the starting weights: "normal" has the deviation 0.02 and biases of
            0; "uniform" lies within 1 / sqrt(fan-in), biases too.
        decay_in_optimizer: whether the weight decay of 1e-4 is added to the gradient of every
            weight, after the loss. Otherwise it is an L2 term of the loss, of kernels alone.
        exact_epsilon: whether Adam adds its epsilon to the root of the bias-corrected moment.
        gradual: whether the learning rate falls a little in every step, rather than by epochs.
        antialias: whether images are resized by Pillow with antialiasing, straight to their last
            size, rather than by TensorFlow without.
        enlarged: function: side of the images -> side from which they are cropped.
        gan_types: the only adversarial losses that the program has; empty where it has all.
    """

    generator_bias: bool
    affine: bool
    unbiased: bool
    rho: float
    smoothing: bool
    cam_heads: int
    cam_bias: bool
    raw_attention: bool
    patch_padding: Union[int, tuple]
    logit_bias: bool
    stores_v: bool
    start: str

    decay_in_optimizer: bool
    exact_epsilon: bool
    gradual: bool
    antialias: bool
    enlarged: Callable[[int], int]
    gan_types: tuple


TENSORFLOW = Flavor(
    generator_bias=True,
    affine=True,
    unbiased=False,
    rho=1.0,
    smoothing=True,
    cam_heads=1,
    cam_bias=True,
    raw_attention=False,
    patch_padding=(1, 2),
    logit_bias=True,
    stores_v=False,
    start="normal",
    decay_in_optimizer=False,
    exact_epsilon=False,
    gradual=False,
    antialias=False,
    enlarged=lambda size: round(size * 286 / 256),
    gan_types=(),
)

PYTORCH = Flavor(
    generator_bias=False,
    affine=False,
    unbiased=True,
    rho=0.9,
    smoothing=False,
    cam_heads=2,
    cam_bias=False,
    raw_attention=True,
    patch_padding=(1, 1),
    logit_bias=False,
    stores_v=True,
    start="uniform",
    decay_in_optimizer=True,
    exact_epsilon=True,
    gradual=True,
    antialias=True,
    enlarged=lambda size: size + 30,
    gan_types=("lsgan",),
)

FLAVORS = {"tensorflow": TENSORFLOW, "pytorch": PYTORCH}
