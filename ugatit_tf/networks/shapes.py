"""Which images a network takes, checked before it computes anything."""

import tensorflow as tf


def check_images(x, name, *, smallest, multiple=1, channels=None):
    """Refuses images that a network cannot take, or would return in another size.

    Sizes that are unknown while a graph is traced are checked whenever it runs.

    Args:
        x: tensor or array that should be [batch, height, width, channels].
        name: what the message calls the network.
        smallest: int. The shortest side in pixels.
        multiple: int. Both sides must be multiples of it.
        channels: int. None accepts any number.

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
        tf.debugging.Assert(tf.rank(x) == 4, [expected, "Received the shape", tf.shape(x)])
        shape = tf.TensorShape([None] * 4)
    sides = shape[1:3] if shape.rank == 4 else ()
    known = [side for side in sides if side is not None]
    if (
        not shape.is_compatible_with([None, None, None, channels])
        or any(side < smallest or side % multiple for side in known)
    ):  # fmt: skip
        raise ValueError(f"{expected} Received: {shape}")
    if len(known) < 2 and isinstance(x, tf.Tensor):
        sides = tf.shape(x)[1:3]
        fits = tf.reduce_all((sides >= smallest) & (sides % multiple == 0))
        tf.debugging.Assert(fits, [expected, "Received the shape", tf.shape(x)], summarize=4)
