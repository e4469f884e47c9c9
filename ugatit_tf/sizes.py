"""Which image sizes the networks take. No TensorFlow: options are checked with it."""

MULTIPLE, SMALLEST = 4, 8  # of a generator's sides; its bottleneck, at 1/4, reflects 2 pixels


def smallest_image(n_dis: int) -> int:
    """The smallest side in pixels that a global discriminator of depth `n_dis` accepts.

    It halves the image n_dis - 1 times; then k4 s1 layers reflect 2 pixels, which takes 3.
    """
    return 3 * 2 ** (n_dis - 1)
