"""KID by hand, by brute force, and for normal numbers."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from ugatit_tf.evaluation import kid


def features(count, size=8, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, [count, size])


def by_loops(x, y):
    """The definition, pair by pair."""

    def k(a, b):
        return (sum(p * q for p, q in zip(a, b)) / len(a) + 1) ** 3

    n, m = len(x), len(y)
    inside_x = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    inside_y = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return inside_x + inside_y - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


def test_by_hand():
    """k(1, 1) = 8, k(0, 0) = 1, k(1, 0) = 1."""
    ones, zeros = np.ones([3, 1]), np.zeros([2, 1])
    assert kid.squared_mmd(ones, zeros) == pytest.approx(8 + 1 - 2 * 1)
    assert kid.squared_mmd(ones, ones) == pytest.approx(0)


@pytest.mark.parametrize(("n", "m", "d"), [(2, 2, 1), (5, 9, 3), (12, 7, 20)])
def test_it_is_the_double_loop(n, m, d):
    x, y = features(n, d), features(m, d, seed=1, shift=0.5)
    assert kid.squared_mmd(x, y) == pytest.approx(by_loops(x, y), rel=1e-12)


def test_it_is_the_estimate_with_the_kernel_of_another_package():
    x, y = features(40, 64), features(30, 64, seed=1, shift=0.2)

    def k(a, b):
        return polynomial_kernel(a, b, degree=3, gamma=1 / 64, coef0=1)

    inside = [(k(a, a).sum() - np.trace(k(a, a))) / (len(a) * (len(a) - 1)) for a in (x, y)]
    assert kid.squared_mmd(x, y) == pytest.approx(sum(inside) - 2 * k(x, y).mean(), rel=1e-10)


def test_float32_features_are_computed_in_float64():
    x, y = np.float32(features(6)), np.float32(features(7, seed=1))
    assert kid.squared_mmd(x, y) == pytest.approx(by_loops(np.float64(x), np.float64(y)), rel=1e-12)


def test_without_bias_the_same_distribution_is_0_on_average():
    values = [kid.squared_mmd(features(20, seed=i), features(20, seed=i + 500)) for i in range(200)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0


def test_the_mean_and_the_spread_are_those_over_seeded_subsets():
    x, y = features(30), features(40, seed=1, shift=0.3)
    mean, std = kid.kid(x, y, subsets=50, size=12, seed=3)
    draw = np.random.default_rng(3)
    found = [
        by_loops(x[draw.choice(30, 12, replace=False)], y[draw.choice(40, 12, replace=False)])
        for _ in range(50)
    ]
    assert (mean, std) == pytest.approx((np.mean(found), np.std(found)), rel=1e-10)
    assert kid.kid(x, y, seed=3) == kid.kid(x, y, seed=3) != kid.kid(x, y, seed=4)


def test_few_images_have_subsets_of_half_of_them():
    assert kid.subset_size(features(5000), features(3000)) == 1000
    assert kid.subset_size(features(1999), features(3000)) == 999
    assert kid.subset_size(features(3), features(3)) == 2
    assert kid.kid(features(40), features(30, seed=1))[1] > 0


@pytest.mark.parametrize(
    ("n", "m", "sizes_x", "sizes_y"),
    [
        (25, 20, [8, 8, 9], [6, 7, 7]),
        (10, 10, [10], [10]),
        (30, 7, [10, 10, 10], [2, 2, 3]),
    ],
)
def test_the_paper_s_estimate_is_over_blocks_of_at_most_ten(n, m, sizes_x, sizes_y):
    x, y = features(n), features(m, seed=1, shift=0.2)
    mean, error = kid.block_kid(x, y)
    ends_x, ends_y = np.cumsum([0, *sizes_x]), np.cumsum([0, *sizes_y])
    found = [by_loops(x[a:b], y[c:d]) for a, b, c, d in zip(ends_x, ends_x[1:], ends_y, ends_y[1:])]
    assert mean == pytest.approx(np.mean(found), rel=1e-12)
    if len(found) > 1:
        assert error == pytest.approx(np.std(found, ddof=1) / np.sqrt(len(found)), rel=1e-12)
    else:
        assert np.isnan(error)


def test_the_paper_s_figure_by_hand():
    assert kid.paper_figure(2.72, 22.70) == pytest.approx((0.02 * 2.72 + 0.98 * 22.70) / 2)


@pytest.mark.parametrize("shapes", [([1, 4], [5, 4]), ([5, 4], [5, 3]), ([5], [5])])
def test_what_are_no_features_is_refused(shapes):
    with pytest.raises(ValueError, match="at least 2 of each. Received"):
        kid.squared_mmd(*map(np.zeros, shapes))
