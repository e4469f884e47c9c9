"""The networks as the official graph computes them, one operation after the other.

Nothing is fused, merged or cached, and all gradients are automatic. The weights are a dict
path -> tf.Variable, with the paths of `UGATIT.weights()`.
"""

from typing import Callable, NamedTuple

import tensorflow as tf

from ugatit_tf.layers.weights import Role
from ugatit_tf.networks.discriminator import DiscriminatorOutput
from ugatit_tf.networks.generator import Translation

EPSILON = 1e-5


class PlainModel(NamedTuple):
    """The four networks as functions of images, and all their weights."""

    a2b: Callable
    b2a: Callable
    discriminator_a: Callable
    discriminator_b: Callable
    variables: dict

    def weights(self) -> dict:
        return self.variables

    def roles(self) -> dict:
        return {path: Role(trained=not path.endswith("/u")) for path in self.variables}


def plain_model(weights, config) -> PlainModel:
    def discriminator(name):
        local, deep = (
            PatchNetwork(weights, f"{name}/{part}_network", depth=max(0, config.n_dis - above))
            for part, above in (("local", 4), ("global", 2))
        )
        return lambda x, training=False: (local(x, training), deep(x, training))

    return PlainModel(
        Generator(weights, "a2b", config),
        Generator(weights, "b2a", config),
        discriminator("discriminator_a"),
        discriminator("discriminator_b"),
        weights,
    )


class _Network:
    """Layers by their names, over the weights below `prefix`."""

    def __init__(self, weights, prefix):
        start = len(prefix) + 1
        self.weights = {k[start:]: w for k, w in weights.items() if k.startswith(f"{prefix}/")}

    def convolution(self, name, x, *, stride=1, padding=0, training=False):
        kernel = self.kernel(name, training)
        if padding:
            beyond = kernel.shape[0] - stride
            pads = [padding, padding if beyond % 2 == 0 else beyond - padding]
            x = tf.pad(x, [[0, 0], pads, pads, [0, 0]], "REFLECT")
        x = tf.nn.conv2d(x, kernel, stride, "VALID")
        return tf.nn.bias_add(x, self.weights[f"{name}/bias"])

    def kernel(self, name, training):
        """The kernel; where the layer has a spectral state, divided by its spectral norm."""
        kernel = tf.convert_to_tensor(self.weights[f"{name}/kernel"])
        u = self.weights.get(f"{name}/u")
        if u is None:
            return kernel
        matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
        v = tf.stop_gradient(tf.math.l2_normalize(tf.matmul(u, matrix, transpose_b=True)))
        next_u = tf.stop_gradient(tf.math.l2_normalize(tf.matmul(v, matrix)))
        sigma = tf.matmul(tf.matmul(v, matrix), next_u, transpose_b=True)  # [1, 1]
        if training:
            u.assign(next_u)
        return tf.reshape(matrix / sigma, kernel.shape)

    def attention(self, x, training=False):
        """(features before the activation, [B, 2] logits), with a branch for each pooling."""
        logits, branches = [], []
        for pooled in (tf.reduce_mean(x, [1, 2]), tf.reduce_max(x, [1, 2])):  # [B, C]
            kernel, bias = self.kernel("cam", training), self.weights["cam/bias"]
            logits.append(tf.nn.bias_add(tf.matmul(pooled, kernel), bias))
            branches.append(x * tf.reshape(tf.nn.bias_add(kernel, bias), [-1]))
        mixed = self.convolution("cam/mixer", tf.concat(branches, -1))
        return mixed, tf.concat(logits, -1)


class Generator(_Network):
    """The generator that `config` describes; see `ugatit_tf.networks.generator`."""

    def __init__(self, weights, prefix, config):
        super().__init__(weights, prefix)
        self.n_res = config.n_res
        self.light = config.light
        self.smoothing = config.smoothing

    def __call__(self, x):
        h = self._convolved("stem", x, padding=3)
        for i in range(2):
            h = self._convolved(f"down/{i}", h, stride=2, padding=1)
        for i in range(self.n_res):
            h = self._residual(f"residual/{i}", h)
        attended, cam_logit = self.attention(h)
        h = tf.nn.relu(attended)
        heatmap = tf.reduce_sum(h, -1)
        gamma, beta = self._style(h)
        for i in range(self.n_res):
            h = self._adaptive(f"adaptive/{i}", h, gamma, beta)
        for i in range(2):
            h = self._upsampled(f"up/{i}", h)
        image = tf.tanh(self.convolution("to_image", h, padding=3))
        return Translation(image, cam_logit, heatmap)

    def _convolved(self, name, x, **kwargs):
        x = self.convolution(f"{name}/convolution", x, **kwargs)
        return tf.nn.relu(self._instance_norm(f"{name}/norm", x))

    def _instance_norm(self, name, x):
        gamma, beta = self.weights[f"{name}/gamma"], self.weights[f"{name}/beta"]
        mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, beta, gamma, EPSILON)

    def _residual(self, name, x):
        h = self.convolution(f"{name}/convolution_1", x, padding=1)
        h = tf.nn.relu(self._instance_norm(f"{name}/norm_1", h))
        h = self.convolution(f"{name}/convolution_2", h, padding=1)
        return x + self._instance_norm(f"{name}/norm_2", h)

    def _adaptive(self, name, x, gamma, beta):
        h = self.convolution(f"{name}/convolution_1", x, padding=1)
        h = tf.nn.relu(_mixed(h, self._smoothed(f"{name}/norm_1"), gamma, beta))
        h = self.convolution(f"{name}/convolution_2", h, padding=1)
        return x + _mixed(h, self._smoothed(f"{name}/norm_2"), gamma, beta)

    def _smoothed(self, name):
        rho = self.weights[f"{name}/rho"]
        return tf.clip_by_value(rho - 0.1, 0.0, 1.0) if self.smoothing else rho

    def _upsampled(self, name, x):
        x = tf.image.resize(x, [2 * x.shape[1], 2 * x.shape[2]], "nearest")
        x = self.convolution(f"{name}/convolution", x, padding=1)
        rho, gamma, beta = (
            self.weights[f"{name}/norm/{part}"] for part in ("rho", "gamma", "beta")
        )
        return tf.nn.relu(_mixed(x, rho, gamma, beta))

    def _style(self, x):
        """gamma and beta, [B, 1, 1, C] each."""
        h = tf.reduce_mean(x, [1, 2]) if self.light else tf.reshape(x, [x.shape[0], -1])
        for i in range(2):
            h = tf.nn.relu(self._dense(f"mlp/{i}", h))
        return [self._dense(head, h)[:, None, None] for head in ("gamma_head", "beta_head")]

    def _dense(self, name, x):
        return tf.nn.bias_add(tf.matmul(x, self.kernel(name, False)), self.weights[f"{name}/bias"])


class PatchNetwork(_Network):
    """A patch network of `depth`; see `ugatit_tf.networks.discriminator`."""

    def __init__(self, weights, prefix, *, depth):
        super().__init__(weights, prefix)
        self.depth = depth

    def __call__(self, x, training=False):
        for i in range(self.depth + 1):
            x = self.convolution(f"convolutions/{i}", x, stride=2, padding=1, training=training)
            x = tf.nn.leaky_relu(x, 0.2)
        x = tf.nn.leaky_relu(self.convolution("last", x, padding=1, training=training), 0.2)
        attended, cam_logit = self.attention(x, training)
        x = tf.nn.leaky_relu(attended, 0.2)
        logit = self.convolution("to_logit", x, padding=1, training=training)
        return DiscriminatorOutput(logit, cam_logit, tf.reduce_sum(x, -1))


def _standardized(x, axes):
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    return (x - mean) / tf.sqrt(variance + EPSILON)


def _mixed(x, rho, gamma, beta):
    mixed = rho * _standardized(x, [1, 2]) + (1.0 - rho) * _standardized(x, [1, 2, 3])
    return mixed * gamma + beta
