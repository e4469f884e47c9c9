"""One primitive of all normalizations: moments of the map become its scale and shift.

Every normalization here turns the moments of every sample and channel into one scale and one
shift for every sample and channel. The variances are those of a population, as in the official
TensorFlow code, but for the mixed ones where `unbiased` is said.
"""

from __future__ import annotations

from typing import Callable

import tensorflow as tf

from ugatit_tf.layers.precision import float32


def normalize(x: tf.Tensor, coefficients: Callable, *parameters) -> tf.Tensor:
    """y = x * scale + shift, where the moments of x decide scale and shift.

    All gradients are in closed form: on a GPU an operation on small tensors takes as long as one
    on a map, and automatic gradients have three times as many of them.

    Args:
        x: [batch, height, width, channels]; the statistics of any type are float32.
        coefficients: function (mean, variance, *parameters) -> (scale, shift, pullback), with
            tensors [batch, channels]. `pullback` is a function of the gradients of scale and shift
            to minus that of the mean, minus twice that of the variance, both [batch, channels], and
            those of the parameters, [batch, channels] too. See also `by_tape`.
        parameters: tensors that `coefficients` takes: [batch, channels], [channels] or scalar.

    Returns:
        Normalized x, of the same shape.
    """

    @tf.custom_gradient
    def primitive(x, *parameters):
        exact = float32(x)  # sums of 65,536 numbers, and squares that float16 cannot hold
        mean = tf.reduce_mean(exact, [1, 2])  # [B, C]
        variance = tf.reduce_mean(tf.math.squared_difference(exact, _map(mean)), [1, 2])
        scale, shift, pullback = coefficients(mean, variance, *parameters)

        def gradient(upstream):
            exact, upstream = float32(x), float32(upstream)
            to_scale = tf.reduce_sum(upstream * exact, [1, 2])
            to_shift = tf.reduce_sum(upstream, [1, 2])
            of_mean, of_variance, *to_parameters = pullback(to_scale, to_shift)
            part = 1.0 / pixels_of(x)
            slope = part * of_variance
            offset = part * of_mean - slope * mean
            to_x = upstream * _map(scale) - exact * _map(slope) - _map(offset)
            return (tf.cast(to_x, x.dtype), *map(_summed, to_parameters, parameters))

        return tf.cast(exact * _map(scale) + _map(shift), x.dtype), gradient

    return primitive(x, *(tf.convert_to_tensor(parameter) for parameter in parameters))


def _map(small):
    return tf.reshape(small, [-1, 1, 1, small.shape[-1]])  # [B, C] -> [B, 1, 1, C]


def pixels_of(x: tf.Tensor) -> tf.Tensor | float:
    """Height times width of a map, as a number if it is known."""
    height, width = x.shape[1:3]
    if None in (height, width):
        return float32(tf.reduce_prod(tf.shape(x)[1:3]))
    return float(height * width)


def _summed(gradient, parameter):
    """The gradient [batch, channels] of a parameter that may be common to samples and channels."""
    common = list(range(2 - parameter.shape.rank))
    return tf.reduce_sum(gradient, common) if common else gradient


def by_tape(coefficients: Callable) -> Callable:
    """What `normalize` takes, from a differentiable function to (scale, shift) alone."""

    def with_pullback(*sources):
        def pullback(*upstream):
            batch = tf.shape(sources[0])
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                wide = [tf.broadcast_to(source, batch) for source in sources]
                tape.watch(wide)
                targets = coefficients(*wide)
            to_mean, to_variance, *others = tape.gradient(
                targets, wide, upstream, unconnected_gradients="zero"
            )
            return (-to_mean, -2.0 * to_variance, *others)

        return (*coefficients(*sources), pullback)

    return with_pullback


def instance_coefficients(
    mean: tf.Tensor, variance: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, *, epsilon: float
) -> tuple:
    """x_I * gamma + beta as (scale, shift, pullback)."""
    inverse = tf.math.rsqrt(variance + epsilon)
    scale = gamma * inverse

    def pullback(to_scale, to_shift):
        to_gamma = inverse * (to_scale - mean * to_shift)
        return scale * to_shift, scale * inverse * to_gamma, to_gamma, to_shift

    return scale, beta - mean * scale, pullback


def group_coefficients(
    mean: tf.Tensor,
    variance: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    *,
    groups: int,
    epsilon: float,
) -> tuple:
    """x_G * gamma + beta as (scale, shift), where each group of channels has one moment."""
    channels = mean.shape[-1] // groups
    mean, variance = (
        tf.repeat(moment, channels, -1) for moment in group_moments(mean, variance, groups)
    )
    scale, shift, _ = instance_coefficients(mean, variance, gamma, beta, epsilon=epsilon)
    return scale, shift


def group_moments(mean: tf.Tensor, variance: tf.Tensor, groups: int) -> tuple:
    """Mean and variance [batch, groups] of groups of channels, from those of each channel.

    They are the mean of means, and the mean variance plus the variance of means.
    """
    mean, variance = (
        tf.reshape(moment, [-1, groups, moment.shape[-1] // groups]) for moment in (mean, variance)
    )
    group_mean = tf.reduce_mean(mean, -1)
    between = tf.reduce_mean(tf.math.squared_difference(mean, group_mean[..., None]), -1)
    return group_mean, tf.reduce_mean(variance, -1) + between


def mixed_coefficients(
    mean: tf.Tensor,
    variance: tf.Tensor,
    rho: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    *,
    epsilon: float,
    unbiased_of: tf.Tensor | float | None = None,
) -> tuple:
    """(rho * x_I + (1 - rho) * x_L) * gamma + beta as (scale, shift, pullback).

    x_L has the moments of one group of all channels.

    Args:
        unbiased_of: number of pixels of the map, where both variances of n numbers are divided by
            n - 1; None where by n.
    """
    channels = mean.shape[-1]
    apart = mean - tf.reduce_mean(mean, -1, keepdims=True)
    layer_variance = tf.reduce_mean(variance + tf.square(apart), -1, keepdims=True)  # [B, 1]
    corrections = 1.0, 1.0
    if unbiased_of is not None:
        corrections = [n / (n - 1.0) for n in (unbiased_of, unbiased_of * channels)]
        variance, layer_variance = corrections[0] * variance, corrections[1] * layer_variance
    inverse, layer_inverse = (tf.math.rsqrt(v + epsilon) for v in (variance, layer_variance))
    for_instance = gamma * rho
    for_layer = gamma - for_instance
    instance, layer = for_instance * inverse, for_layer * layer_inverse
    scale = instance + layer  # y = instance * (x - mean) + layer * (x - layer mean) + beta

    def pullback(to_scale, to_shift):
        centered = to_scale - mean * to_shift
        to_instance = inverse * centered
        to_layer = layer_inverse * (centered + apart * to_shift)
        difference = to_instance - to_layer
        of_layer = tf.reduce_mean(for_layer * to_layer, -1, keepdims=True)
        of_layer *= tf.square(layer_inverse)
        of_variance = instance * inverse * to_instance
        if unbiased_of is not None:
            of_variance, of_layer = corrections[0] * of_variance, corrections[1] * of_layer
        of_mean = instance * to_shift + tf.reduce_mean(layer * to_shift, -1, keepdims=True)
        of_mean += of_layer * apart
        to_gamma = to_layer + rho * difference
        return of_mean, of_variance + of_layer, gamma * difference, to_gamma, to_shift

    return scale, beta - scale * mean + layer * apart, pullback
