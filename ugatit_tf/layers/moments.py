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

    The gradient is in closed form for the map (two reductions, one multiply-add) and by
    tape for the small algebra, so that a new normalization costs only its `coefficients`.

    Args:
        x: [batch, height, width, channels]; the statistics of any type are float32.
        coefficients: function (mean, variance, *parameters) -> (scale, shift), all
            [batch, channels]; differentiable; only small tensors.
        parameters: tensors that `coefficients` takes.

    Returns:
        Normalized x, of the same shape.
    """

    @tf.custom_gradient
    def primitive(x, *parameters):
        exact = float32(x)  # sums of 65,536 numbers, and squares that float16 cannot hold
        mean = tf.reduce_mean(exact, [1, 2])  # [B, C]
        variance = tf.reduce_mean(tf.math.squared_difference(exact, _map(mean)), [1, 2])
        scale, shift = coefficients(mean, variance, *parameters)

        def gradient(upstream):
            size = float32(tf.shape(x)[1] * tf.shape(x)[2])
            exact, upstream = float32(x), float32(upstream)
            sources = (mean, variance, *parameters)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(sources)
                targets = coefficients(*sources)
            to_targets = (
                tf.reduce_sum(upstream * exact, [1, 2]),  # of scale
                tf.reduce_sum(upstream, [1, 2]),  # of shift
            )
            to_mean, to_variance, *to_parameters = tape.gradient(
                targets, sources, to_targets, unconnected_gradients="zero"
            )
            slope = 2.0 * to_variance / size
            offset = to_mean / size - slope * mean
            to_x = upstream * _map(scale) + exact * _map(slope) + _map(offset)
            return (tf.cast(to_x, x.dtype), *to_parameters)

        return tf.cast(exact * _map(scale) + _map(shift), x.dtype), gradient

    return primitive(x, *(tf.convert_to_tensor(parameter) for parameter in parameters))


def _map(small):
    return small[:, None, None, :]  # [B, C] -> [B, 1, 1, C]


def instance_coefficients(
    mean: tf.Tensor, variance: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, *, epsilon: float
) -> tuple:
    """x_I * gamma + beta as (scale, shift)."""
    scale = gamma * tf.math.rsqrt(variance + epsilon)
    return scale, beta - mean * scale


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
    return instance_coefficients(mean, variance, gamma, beta, epsilon=epsilon)


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
    unbiased_of: tf.Tensor | None = None,
) -> tuple:
    """(rho * x_I + (1 - rho) * x_L) * gamma + beta as (scale, shift).

    x_L has the moments of one group of all channels.

    Args:
        unbiased_of: number of pixels of the map, where both variances of n numbers are divided by
            n - 1; None where by n.
    """
    layer_mean, layer_variance = group_moments(mean, variance, 1)  # [B, 1]
    if unbiased_of is not None:
        variance = _unbiased(variance, float32(unbiased_of))
        layer_variance = _unbiased(layer_variance, float32(unbiased_of * mean.shape[-1]))
    instance = rho * tf.math.rsqrt(variance + epsilon)
    layer = (1.0 - rho) * tf.math.rsqrt(layer_variance + epsilon)
    scale = gamma * (instance + layer)
    return scale, beta - gamma * (instance * mean + layer * layer_mean)


def _unbiased(variance, count):
    return variance * (count / (count - 1.0))
