"""Instance (IN), layer-instance (LIN) and adaptive layer-instance (AdaLIN) normalization.

U-GAT-IT, Kim et al., ICLR 2020, section 2.1.1, arXiv:1907.10830. All are cases of one
primitive: the moments of every sample and channel become one scale and one shift for every
sample and channel. Statistics follow the official TensorFlow code (population variance).
"""

import tensorflow as tf

from ugatit_tf.layers.precision import MixedLayer, float32


def normalize(x, coefficients, *parameters):
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


def instance_coefficients(mean, variance, gamma, beta, *, epsilon):
    """x_I * gamma + beta as (scale, shift)."""
    scale = gamma * tf.math.rsqrt(variance + epsilon)
    return scale, beta - mean * scale


def mixed_coefficients(mean, variance, rho, gamma, beta, *, epsilon):
    """(rho * x_I + (1 - rho) * x_L) * gamma + beta as (scale, shift).

    The layer's moments follow from the instance moments: the mean of means, and the mean
    variance plus the variance of means.
    """
    layer_mean = tf.reduce_mean(mean, -1, keepdims=True)  # [B, 1]
    between = tf.reduce_mean(tf.math.squared_difference(mean, layer_mean), -1, keepdims=True)
    layer_variance = tf.reduce_mean(variance, -1, keepdims=True) + between
    instance = rho * tf.math.rsqrt(variance + epsilon)
    layer = (1.0 - rho) * tf.math.rsqrt(layer_variance + epsilon)
    scale = gamma * (instance + layer)
    return scale, beta - gamma * (instance * mean + layer * layer_mean)


class UnitInterval(tf.keras.constraints.Constraint):
    """Clips a weight to [0, 1]; the optimizer applies it after each update."""

    def __call__(self, w):
        return tf.clip_by_value(w, 0.0, 1.0)


class _Normalization(MixedLayer):
    """What the three have in common: epsilon, and weights of one number per channel."""

    def __init__(self, *, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def _add(self, name, channels, start, **kwargs):
        initializer = tf.keras.initializers.Constant(start)
        return self.add_weight(name=name, shape=[channels], initializer=initializer, **kwargs)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


class InstanceNormalization(_Normalization):
    """Normalizes every channel of every sample, then scales and shifts it.

        y = gamma * x_I + beta
        x_I = (x - mean) / sqrt(variance + epsilon), over height and width

    gamma starts at 1, beta at 0. Reference: Ulyanov et al., 2016, arXiv:1607.08022.

    Args:
        epsilon: float. Added to the variance, inside the square root.

    Call arguments:
        x: [batch, height, width, channels].
    """

    def build(self, x_shape):
        self.gamma = self._add("gamma", x_shape[-1], 1.0)
        self.beta = self._add("beta", x_shape[-1], 0.0)
        super().build(x_shape)

    def call(self, x):
        def coefficients(*moments_and_parameters):
            return instance_coefficients(*moments_and_parameters, epsilon=self.epsilon)

        return normalize(x, coefficients, self.gamma, self.beta)


class _Mixed(_Normalization):
    """What LIN and AdaLIN have in common: rho and the mix."""

    def __init__(self, *, rho, **kwargs):
        super().__init__(**kwargs)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"`rho` must lie in [0, 1]. Received: rho={rho}")
        self.start = rho  # `self.rho` is the weight

    def build(self, x_shape):
        self.rho = self._add("rho", x_shape[-1], self.start, constraint=UnitInterval())
        super().build(x_shape)

    def _mix(self, x, rho, gamma, beta):
        def coefficients(*moments_and_parameters):
            return mixed_coefficients(*moments_and_parameters, epsilon=self.epsilon)

        return normalize(x, coefficients, rho, gamma, beta)

    def get_config(self):
        return {**super().get_config(), "rho": self.start}


class LIN(_Mixed):
    """Layer-instance normalization with a learned scale and shift.

        y = gamma * (rho * x_I + (1 - rho) * x_L) + beta
        x_I = (x - mean) / sqrt(variance + epsilon), over height and width
        x_L = the same, over height, width and channels

    gamma starts at 1, beta at 0; rho is kept in [0, 1] by a constraint.

    Args:
        rho: float in [0, 1]. Where the learned mix starts; 1 is pure instance normalization.
        epsilon: float. Added to the variance, inside the square root.

    Call arguments:
        x: [batch, height, width, channels].
    """

    def __init__(self, *, rho=0.0, **kwargs):
        super().__init__(rho=rho, **kwargs)

    def build(self, x_shape):
        self.gamma = self._add("gamma", x_shape[-1], 1.0)
        self.beta = self._add("beta", x_shape[-1], 0.0)
        super().build(x_shape)

    def call(self, x):
        return self._mix(x, self.rho, self.gamma, self.beta)


class AdaLIN(_Mixed):
    """Layer-instance normalization whose scale and shift come from the attention's MLP.

        y = gamma * (r * x_I + (1 - r) * x_L) + beta
        r = clip(rho - 0.1, 0, 1) with `smoothing`, else rho

    x_I and x_L as in `LIN`; rho is kept in [0, 1] by a constraint.

    Args:
        rho: float in [0, 1]. Where the learned mix starts (TensorFlow code: 1.0).
        smoothing: bool. Never let the mix be instance normalization alone.
        epsilon: float. Added to the variance, inside the square root.

    Call arguments:
        x: [batch, height, width, channels].
        gamma, beta: [batch, channels].
    """

    def __init__(self, *, rho=1.0, smoothing=True, **kwargs):
        super().__init__(rho=rho, **kwargs)
        self.smoothing = smoothing

    def call(self, x, gamma, beta):
        rho = tf.convert_to_tensor(self.rho)
        if self.smoothing:
            rho = tf.clip_by_value(rho - 0.1, 0.0, 1.0)
        return self._mix(x, rho, gamma, beta)

    def get_config(self):
        return {**super().get_config(), "smoothing": self.smoothing}
