"""Kernel Inception Distance: the usual estimate, and the one of the paper's tables.

Bińkowski et al., "Demystifying MMD GANs", ICLR 2018, arXiv:1801.01401: the squared maximum mean
discrepancy of features with the kernel k(x, y) = (x . y / d + 1)^3, without bias.
"""

import numpy as np

SUBSETS, SUBSET_SIZE = 100, 1000
ROWS = 1024  # of the kernel at a time: bounds the memory
BLOCK = 10  # most samples in a block of the paper's estimator
OF_TARGET, OF_SOURCE = 0.02, 0.98  # weights in the paper's figure


def squared_mmd(x, y) -> float:
    """The unbiased estimate; it can be below 0.

        mean of k(x_i, x_j), i != j  +  mean of k(y_i, y_j), i != j  -  2 mean of k(x_i, y_j)

    Args:
        x, y: [n, d] and [m, d] with at least 2 rows each; computed in float64.
    """
    x, y = checked(x, y)
    return _inside(x) + _inside(y) - 2 * _kernel(x, y).mean()


def checked(x, y):
    """Both as float64; a ValueError if they are no features that can be compared."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise ValueError(
            f"Expected features [n, d] and [m, d], at least 2 of each. "
            f"Received: {list(x.shape)} and {list(y.shape)}"
        )
    return x, y


def subset_size(x, y, size=SUBSET_SIZE) -> int:
    """How many samples a subset has: `size`, or half of the smaller set if that is less.

    Subsets of everything would all be the same, and their spread 0.
    """
    return max(2, min(size, min(len(x), len(y)) // 2))


def kid(x, y, *, subsets=SUBSETS, size=SUBSET_SIZE, seed=0):
    """(mean, standard deviation) of `squared_mmd` over random subsets, as the usual packages.

    Args:
        x, y: features, [n, d] and [m, d].
        size: int. Samples of each in a subset; see `subset_size`.
    """
    draw, size = np.random.default_rng(seed), subset_size(x, y, size)
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    in_x, in_y = np.zeros([len(x), subsets]), np.zeros([len(y), subsets])
    for subset in range(subsets):
        for members in (in_x, in_y):
            members[draw.choice(len(members), size, replace=False), subset] = 1
    pairs = size * (size - 1)
    inside = [(_sums(z, z, m, m) - _diagonals(z, m)) / pairs for z, m in ((x, in_x), (y, in_y))]
    found = inside[0] + inside[1] - 2 * _sums(x, y, in_x, in_y) / size**2
    return float(np.mean(found)), float(np.std(found))


def block_kid(x, y):
    """(mean, standard error) over blocks of at most `BLOCK` samples, in their order.

    So the authors' tool estimated it: as many blocks as the larger set needs, all of nearly one
    size, the larger ones last.
    """
    count = -(-max(len(x), len(y)) // BLOCK)
    found = [squared_mmd(*pair) for pair in zip(_blocks(x, count), _blocks(y, count))]
    error = np.std(found, ddof=1) / np.sqrt(count) if count > 1 else np.nan
    return float(np.mean(found)), float(error)


def paper_figure(to_target, to_source) -> float:
    """The number in the paper's tables, from the `block_kid` means of the translations.

    Of their standard errors it is the figure's own at most.
    """
    return (OF_TARGET * to_target + OF_SOURCE * to_source) / 2


def _inside(x):
    """The mean over all pairs of different rows."""
    kernel = _kernel(x, x)
    return (kernel.sum() - np.trace(kernel)) / (len(x) * (len(x) - 1))


def _kernel(x, y):
    kernel = x @ y.T
    kernel /= x.shape[1]
    kernel += 1
    return kernel * kernel * kernel


def _sums(x, y, in_x, in_y):
    """The sum of the kernel over each subset, [subsets]. The whole kernel is computed once, some
    rows at a time: with 5000 features of each, a quarter of the work of 100 subsets of 1000."""
    rows = (slice(start, start + ROWS) for start in range(0, len(x), ROWS))
    return sum((in_x[part] * (_kernel(x[part], y) @ in_y)).sum(0) for part in rows)


def _diagonals(x, in_x):
    """The sum of k(x_i, x_i) over each subset, [subsets]."""
    return (np.square(x).sum(1) / x.shape[1] + 1) ** 3 @ in_x


def _blocks(x, count):
    small, larger = divmod(len(x), count)
    ends = np.cumsum([small] * (count - larger) + [small + 1] * larger)
    return np.split(np.asarray(x), ends[:-1])
