"""Spectral normalization: a kernel's largest singular value, by power iteration.

Miyato et al., ICLR 2018, arXiv:1802.05957, as the official U-GAT-IT programs compute it.
The ready-made wrappers of Keras and TensorFlow Addons overwrite the stored kernel and
drop the gradient through sigma; here the kernel stays as it is and the gradient flows.
"""

from __future__ import annotations

import math

import tensorflow as tf

from ugatit_tf.layers.kernel import KernelLayer
from ugatit_tf.layers.weights import Start


def spectral_norm(kernel: tf.Tensor, u: tf.Tensor) -> tuple:
    """Estimates the spectral norm of `kernel` by one power iteration.

        W = kernel as [-1, C_out];  v = l2norm(u W^T);  u' = l2norm(v W);  sigma = v W u'^T

    v and u' carry no gradient; that of sigma is the outer product of v and u'.

    Args:
        kernel: float32 [..., C_out].
        u: float32 [1, C_out], the left-over of the last iteration.

    Returns:
        (sigma, scalar; u', [1, C_out]; v, [1, rows]).
    """
    v = _unit(tf.matmul(u, _matrix(tf.stop_gradient(kernel)), transpose_b=True))
    product = tf.matmul(v, _matrix(tf.stop_gradient(kernel)))
    next_u = _unit(product)
    return _sigma(_matrix(kernel), v, product, next_u), next_u, v


def stored_norm(kernel: tf.Tensor, u: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
    """sigma = v W u^T of singular vectors that are known already; see `spectral_norm`."""
    return _sigma(_matrix(kernel), v, tf.matmul(v, _matrix(tf.stop_gradient(kernel))), u)


def _matrix(kernel):
    return tf.reshape(kernel, [-1, kernel.shape[-1]])


@tf.custom_gradient
def _sigma(matrix, v, product, u):
    """v W u^T. `product` is v W, which the caller has already: no third pass over W."""
    del matrix

    def gradient(upstream):
        return tf.matmul(v, upstream * u, transpose_a=True), None, None, None

    return tf.reduce_sum(product * u), gradient


def _unit(x):
    return tf.stop_gradient(tf.math.l2_normalize(x, epsilon=1e-12))


class SpectralLayer(KernelLayer):
    """A layer whose kernel may be divided by its spectral norm.

    Args:
        spectral_norm: bool. Without it there is no state.
        stores_v: bool. Keep both singular vectors, and iterate in training only. Without it u
            alone is kept, and every pass iterates.
        bias, start: as in `KernelLayer`.
    """

    def __init__(self, *, spectral_norm: bool = False, stores_v: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        self.spectral_norm = spectral_norm
        self.stores_v = stores_v

    def add_kernel(self, shape: list) -> None:
        """Adds kernel, bias, and the state of the power iteration: u, and v if it is kept."""
        super().add_kernel(shape)
        if self.spectral_norm:
            # An iteration makes it a unit vector; one that may be used before any starts as one.
            start = Start("unit") if self.stores_v else Start("normal", 1.0)
            self.u = self.add_state("u", [1, shape[-1]], start)
            if self.stores_v:
                self.v = self.add_state("v", [1, math.prod(shape[:-1])], start)

    def sigma(self, training: bool) -> tf.Tensor:
        """The spectral norm of `self.kernel`; in training the state moves on."""
        kernel, u = tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.u)
        if self.stores_v and not training:
            return stored_norm(kernel, u, tf.convert_to_tensor(self.v))
        sigma, next_u, v = spectral_norm(kernel, u)
        if training:
            self._assign(next_u, v)
        return sigma

    def advance(self) -> None:
        """Moves the state on by one power iteration."""
        _, *state = spectral_norm(tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.u))
        self._assign(*state)

    def _assign(self, u, v):
        self.u.assign(u)
        if self.stores_v:
            self.v.assign(v)
