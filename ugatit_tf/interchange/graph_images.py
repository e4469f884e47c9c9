"""Images in the graphs of an export: checked, reflected, without transparency, in 8 bits."""

from __future__ import annotations

import tensorflow as tf

from ugatit_tf.networks.shapes import required
from ugatit_tf.sizes import MULTIPLE, SMALLEST


def checked(values: tf.Tensor, expected: str) -> tf.Tensor:
    """`values` where they have the shape that they were declared with, and are not a batch of none.

    Servers do not look at shapes.
    """
    values = tf.ensure_shape(values, values.shape)
    return required(tf.size(values) > 0, values, f"Expected at least one image: {expected}.")


def reflected(images: tf.Tensor, axis: int) -> tf.Tensor:
    """Images whose side along `axis` is a multiple of 4, as `np.pad` reflects them.

    Chosen by numbers, since `tf.pad` cannot reflect more than there is.
    """
    length = tf.shape(images)[axis]
    whole = tf.maximum(SMALLEST, (length + MULTIPLE - 1) // MULTIPLE * MULTIPLE)
    period = tf.maximum(2 * (length - 1), 1)
    place = tf.range(whole) % period
    return tf.gather(images, tf.minimum(place, period - place), axis=axis)


def on_white(image: tf.Tensor, channels: int) -> tf.Tensor:
    """uint8 [h, w, 1 to 4] to `channels`; white shows through where it is transparent."""
    count = tf.shape(image)[-1]  # 2 and 4 end in alpha
    colour = tf.cast(image[..., : count - 1 + count % 2], tf.float32)
    alpha = tf.cast(image[..., -1:], tf.float32) / 255.0
    colour = tf.cond(count % 2 == 0, lambda: 255.0 + (colour - 255.0) * alpha, lambda: colour)
    colour = colour * tf.ones([3])  # grey to RGB
    if channels == 1:
        colour = tf.reduce_sum(colour * [0.299, 0.587, 0.114], -1, keepdims=True)
    return tf.round(colour)


def to_uint8(images: tf.Tensor) -> tf.Tensor:
    """[-1, 1] to 8 bits."""
    return tf.cast(tf.round(tf.clip_by_value((images + 1.0) * 127.5, 0.0, 255.0)), tf.uint8)
