"""Spectral normalization: a kernel's largest singular value, by power iteration.

Miyato et al., ICLR 2018, arXiv:1802.05957, as the official U-GAT-IT code computes it.
The ready-made wrappers of Keras and TensorFlow Addons overwrite the stored kernel and
drop the gradient through sigma; here the kernel stays as it is and the gradient flows.
"""

from __future__ import annotations

import tensorflow as tf

from ugatit_tf.layers.precision import MixedLayer


def spectral_norm(kernel: tf.Tensor, u: tf.Tensor) -> tuple:
    """Estimates the spectral norm of `kernel` by one power iteration.

        W = kernel as [-1, C_out];  v = l2norm(u W^T);  u' = l2norm(v W);  sigma = v W u'^T

    v and u' carry no gradient; that of sigma is the outer product of v and u'.

    Args:
        kernel: float32 [..., C_out].
        u: float32 [1, C_out], the left-over of the last iteration.

    Returns:
        (sigma, scalar; u', [1, C_out]).
    """
    matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
    v = _unit(tf.matmul(u, tf.stop_gradient(matrix), transpose_b=True))  # [1, rows]
    product = tf.matmul(v, tf.stop_gradient(matrix))  # [1, C_out]
    next_u = tf.stop_gradient(_unit(product))
    return _sigma(matrix, tf.stop_gradient(v), tf.stop_gradient(product), next_u), next_u


@tf.custom_gradient
def _sigma(matrix, v, product, u):
    """v W u^T. `product` is v W, which the caller has already: no third pass over W."""
    del matrix

    def gradient(upstream):
        return upstream * tf.matmul(v, u, transpose_a=True), None, None, None

    return tf.reduce_sum(product * u), gradient


def _unit(x):
    return tf.math.l2_normalize(x, epsilon=1e-12)


class SpectralLayer(MixedLayer):
    """A layer whose kernel may be divided by its spectral norm, from its state `u`."""

    def add_u(self, channels: int) -> None:
        """Adds the state of the power iteration: [1, channels], not of unit length at first."""
        self.u = self.add_state("u", [1, channels], deviation=1.0)

    def sigma(self, training: bool) -> tf.Tensor:
        """The spectral norm of `self.kernel`; in training `self.u` moves on."""
        sigma, next_u = self._iterate()
        if training:
            self.u.assign(next_u)
        return sigma

    def advance_u(self) -> None:
        """Moves `self.u` on by one power iteration."""
        self.u.assign(self._iterate()[1])

    def _iterate(self):
        return spectral_norm(tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.u))
