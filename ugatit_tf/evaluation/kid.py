"""Kernel Inception Distance: the usual estimate, and the one of the paper's tables.

Bińkowski et al., "Demystifying MMD GANs", ICLR 2018, arXiv:1801.01401: the squared maximum mean
discrepancy of features with the kernel k(x, y) = (x . y / d + 1)^3, without bias.
"""

from __future__ import annotations

import numpy as np

SUBSETS, SUBSET_SIZE = 100, 1000
ROWS = 1024  # of the kernel that are computed at a time, to bound the memory
BLOCK = 10  # most samples in a block of the paper's estimator
TARGET_WEIGHT, SOURCE_WEIGHT = 0.02, 0.98  # in the paper's figure


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased estimate; it can be below 0.

        mean of k(x_i, x_j), i != j  +  mean of k(y_i, y_j), i != j  -  2 mean of k(x_i, y_j)

    Args:
        x, y: [n, d] and [m, d] with at least 2 rows each; computed in float64.
    """
    x, y = checked(x, y)
    return _inside(x) + _inside(y) - 2 * kernel(x, y).mean()


def checked(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as float64.

    Raises:
        ValueError: they are no features that can be compared.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise ValueError(
            f"Expected features [n, d] and [m, d], at least 2 of each. "
            f"Received: {list(x.shape)} and {list(y.shape)}"
        )
    return x, y


def subset_size(x: np.ndarray, y: np.ndarray, size: int = SUBSET_SIZE) -> int:
    """The number of samples in a subset: `size`, or half of the smaller set if that is less.

    Subsets of all samples would be equal, and their spread 0.
    """
    return max(2, min(size, min(len(x), len(y)) // 2))


def kid(
    x: np.ndarray,
    y: np.ndarray,
    *,
    subsets: int = SUBSETS,
    size: int = SUBSET_SIZE,
    seed: int = 0,
) -> tuple[float, float]:
    """(mean, standard deviation) of `squared_mmd` over random subsets, as usual packages compute.

    Args:
        x, y: features, [n, d] and [m, d].
        subsets: int. The number of subsets.
        size: int. Samples of `x` and of `y` in a subset; see `subset_size`.
        seed: int. Of the random subsets.
    """
    draw, size = np.random.default_rng(seed), subset_size(x, y, size)
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    in_x, in_y = np.zeros([len(x), subsets]), np.zeros([len(y), subsets])
    for subset in range(subsets):
        for members in (in_x, in_y):
            members[draw.choice(len(members), size, replace=False), subset] = 1
    pairs = size * (size - 1)
    inside = [(_sums(z, z, m, m) - _diagonals(z, m)) / pairs for z, m in ((x, in_x), (y, in_y))]
    values = inside[0] + inside[1] - 2 * _sums(x, y, in_x, in_y) / size**2
    return float(np.mean(values)), float(np.std(values))


def block_kid(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """(mean, standard error) of `squared_mmd` over consecutive blocks of at most `BLOCK` samples.

    This is the estimate of the authors' tool: as many blocks as the larger set needs, all of
    nearly equal size, the larger ones last.
    """
    count = -(-max(len(x), len(y)) // BLOCK)
    values = [squared_mmd(*pair) for pair in zip(_blocks(x, count), _blocks(y, count))]
    error = np.std(values, ddof=1) / np.sqrt(count) if count > 1 else np.nan
    return float(np.mean(values)), float(error)


def paper_figure(to_target: float, to_source: float) -> float:
    """The number in the paper's tables, from the means of `block_kid` to both domains.

    Of their standard errors it makes an upper bound of the figure's own.
    """
    return (TARGET_WEIGHT * to_target + SOURCE_WEIGHT * to_source) / 2


def _inside(x):
    """The mean over all pairs of different rows."""
    values = kernel(x, x)
    return (values.sum() - np.trace(values)) / (len(x) * (len(x) - 1))


def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """k of all pairs of rows of x [n, d] and y [m, d], [n, m]."""
    values = x @ y.T
    values /= x.shape[1]
    values += 1
    return values * values * values


def _sums(x, y, in_x, in_y):
    """The sum of the kernel over each subset, [subsets].

    The whole kernel is computed once, some rows at a time. For 5000 samples of each this is a
    quarter of the work of 100 subsets of 1000.
    """
    chunks = (slice(start, start + ROWS) for start in range(0, len(x), ROWS))
    return sum((in_x[rows] * (kernel(x[rows], y) @ in_y)).sum(0) for rows in chunks)


def _diagonals(x, in_x):
    """The sum of k(x_i, x_i) over each subset, [subsets]."""
    return (np.square(x).sum(1) / x.shape[1] + 1) ** 3 @ in_x


def _blocks(x, count):
    small, larger = divmod(len(x), count)
    ends = np.cumsum([small] * (count - larger) + [small + 1] * larger)
    return np.split(np.asarray(x), ends[:-1])
