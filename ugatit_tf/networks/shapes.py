"""Which images a network takes, checked before it computes anything."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from ugatit_tf.errors import Failure


def check_images(
    x: tf.Tensor, name: str, *, smallest: int, multiple: int = 1, channels: int = None
) -> tf.Tensor:
    """Refuses images that a network cannot take, or would return in another size.

    Sizes that are unknown while a graph is traced are checked whenever it runs.

    Args:
        x: tensor or array that should be [batch, height, width, channels].
        name: what the message calls the network.
        smallest: int. The shortest side in pixels.
        multiple: int. Both sides must be multiples of it.
        channels: int. None accepts any number.

    Returns:
        `x`, or what cannot be used in a graph before the check.

    Raises:
        ValueError: these are no such images.
        tf.errors.InvalidArgumentError: so they are, in a graph whose sizes were unknown.
    """
    whole = f"multiples of {multiple} and " if multiple > 1 else ""
    expected = (
        f"{name} takes images [batch, height, width, {channels or 'channels'}] whose sides are "
        f"{whole}at least {smallest} pixels."
    )
    shape = tf.TensorShape(x.shape)
    if shape.rank is None and isinstance(x, tf.Tensor):
        x = required(tf.rank(x) == 4, x, expected)
        x.set_shape([None, None, None, channels])
        shape = x.shape
    sides = [side for side in shape[1:3] if side is not None] if shape.rank == 4 else []
    fit = all(side >= smallest and side % multiple == 0 for side in sides)
    if not (fit and shape.is_compatible_with([None, None, None, channels])):
        raise ValueError(f"{expected} Received: {shape}")
    if len(sides) < 2 and isinstance(x, tf.Tensor):
        sides = tf.shape(x)[1:3]
        x = required(tf.reduce_all((sides >= smallest) & (sides % multiple == 0)), x, expected)
    return x


def required(condition: tf.Tensor, x: tf.Tensor, expected: str) -> tf.Tensor:
    """`x`, which nothing can use before the condition is known to hold.

    Raises:
        tf.errors.InvalidArgumentError: it does not hold, which may be found when a graph runs. The
            message is `expected` and the shape of `x`.
    """
    check = tf.debugging.Assert(condition, [expected, "Received the shape", tf.shape(x)], 4)
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(x)


def refuse_not_finite(images: tf.Tensor, source: str) -> None:
    """Raises `Failure` where images that a network made hold NaN, which a file would show as black.

    Args:
        images: float array.
        source: str. What the message calls the network.
    """
    if not np.isfinite(images).all():
        raise Failure(
            f"{source} gives numbers that are not finite (NaN): its weights are damaged, or "
            f"overflow in --precision float16. Use another checkpoint, e.g. --which best, or train "
            f"again."
        )
