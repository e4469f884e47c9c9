"""Which image sizes the networks take. No TensorFlow: options are checked with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ugatit_tf.config import Config

MULTIPLE, SMALLEST = 4, 8  # of a generator's sides; its bottleneck, at 1/4, reflects 2 pixels


def smallest_image(n_dis: int) -> int:
    """The smallest side in pixels that a global discriminator of depth `n_dis` accepts.

    It halves the image n_dis - 1 times; then k4 s1 layers reflect 2 pixels, which takes 3.
    """
    return 3 * 2 ** (n_dis - 1)


def problem_with(name: str, side: int, n_dis: int) -> str:
    """Why squares of `side` pixels cannot be trained on, and what can; "" if they can.

    Args:
        name: of the option with the side.
    """
    smallest = -(-smallest_image(n_dis) // MULTIPLE) * MULTIPLE  # the next multiple
    if side < smallest:
        return (
            f"--{name} {side} is too small for --n_dis {n_dis}: the global "
            f"discriminator needs at least {smallest}. Use --{name} {smallest} or more, "
            f"or a smaller --n_dis."
        )
    if side % MULTIPLE:
        nearest = max(smallest, round(side / MULTIPLE) * MULTIPLE)
        return (
            f"--{name} must be a multiple of {MULTIPLE}. Received: {side}. "
            f"The nearest that works: {nearest}"
        )
    return ""


def problem_with_crop(config: Config) -> str:
    """Why squares of `config.crop_size` pixels cannot be trained on; "" if they can."""
    if config.crop_size > config.img_size:
        return (
            f"--crop_size must be at most --img_size, {config.img_size}. "
            f"Received: {config.crop_size}"
        )
    if not config.any_size:
        return "--crop_size needs --light True: the full model takes whole images only."
    if not config.augment_flag:
        return "--crop_size needs --augment_flag True, which crops."
    return problem_with("crop_size", config.crop_size, config.n_dis)
