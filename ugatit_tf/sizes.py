"""Which image sizes the networks take. No TensorFlow: options are checked with it."""

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


def problem_with_crop(side: int, img_size: int, n_dis: int, *, any_size: bool, crops: bool) -> str:
    """Why squares of `side` pixels cannot be cut and trained on; "" if they can.

    Args:
        side: 0 where none are cut.
        any_size: bool. Whether the generators take any size.
        crops: bool. Whether the augmentation, which crops, is on.
    """
    if not side:
        return ""
    if side > img_size:
        return f"--crop_size must be at most --img_size, {img_size}. Received: {side}"
    if not any_size:
        return "--crop_size needs --light True: the full model takes whole images only."
    if not crops:
        return "--crop_size needs --augment_flag True, which crops."
    return problem_with("crop_size", side, n_dis)
