"""Fréchet Inception Distance.

Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", NeurIPS 2017, arXiv:1706.08500.
"""

from __future__ import annotations

import numpy as np

from ugatit_tf.evaluation.kid import checked

ENOUGH = 10_000  # samples: with as many the bias is small compared with usual differences


def fid(x: np.ndarray, y: np.ndarray) -> float:
    """The distance of two sets of features, as those of two normal distributions.

        |mean_x - mean_y|^2 + trace(C_x + C_y - 2 (C_x C_y)^(1/2))

    It is biased upwards, and more so with fewer samples: compare only distances of equally many.

    Args:
        x, y: [n, d] and [m, d] with at least 2 rows each; computed in float64.
    """
    x, y = checked(x, y)
    x_mean, y_mean = x.mean(0), y.mean(0)
    x_root, y_root = _root(x - x_mean), _root(y - y_mean)
    # The eigenvalues of C_x C_y are the squared singular values of x_root y_root^T. This avoids
    # the root of a matrix, which is not exact for fewer samples than features.
    common = np.linalg.svd(x_root @ y_root.T, compute_uv=False).sum()
    means = np.square(x_mean - y_mean).sum()
    return float(means + np.square(x_root).sum() + np.square(y_root).sum() - 2 * common)


def _root(centred):
    """R [r, d] with R^T R = the covariance, r at most d."""
    root = centred / np.sqrt(len(centred) - 1)
    return np.linalg.qr(root, mode="r") if len(root) > root.shape[1] else root
