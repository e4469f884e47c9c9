"""FID by hand and against the formula with a root of a matrix."""

import numpy as np
import pytest
import scipy.linalg

from ugatit_tf.evaluation import fid


def features(count, size=6, seed=0, scale=1.0):
    draw = np.random.default_rng(seed)
    return (
        draw.normal(size=[count, size]) @ (scale * draw.normal(size=[size, size])) + draw.normal()
    )


def by_definition(x, y):
    """With the root of C_x^(1/2) C_y C_x^(1/2), whose trace is that of (C_x C_y)^(1/2)."""

    def root(matrix):
        values, vectors = np.linalg.eigh(matrix)
        return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T

    c_x, c_y = np.cov(x.T), np.cov(y.T)
    half = root(c_x)
    common = np.trace(root(half @ c_y @ half))
    return np.square(x.mean(0) - y.mean(0)).sum() + np.trace(c_x) + np.trace(c_y) - 2 * common


def test_by_hand():
    """Variances 2 and 8, means 0 and 3: 9 + 2 + 8 - 2 sqrt(16)."""
    assert fid.fid([[-1.0], [1.0]], [[1.0], [5.0]]) == pytest.approx(9 + 2 + 8 - 2 * 4)


@pytest.mark.parametrize(("n", "m"), [(50, 70), (4, 50), (5, 3)])
def test_it_is_the_definition_also_with_fewer_samples_than_features(n, m):
    x, y = features(n), features(m, seed=1, scale=2.0)
    assert fid.fid(x, y) == pytest.approx(by_definition(x, y), rel=1e-6)


def test_it_is_the_distance_with_the_root_of_another_package():
    x, y = features(50), features(70, seed=1, scale=2.0)
    covariances = np.cov(x.T), np.cov(y.T)
    common = np.trace(scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real)
    means = np.square(x.mean(0) - y.mean(0)).sum()
    expected = means + sum(map(np.trace, covariances)) - 2 * common
    assert fid.fid(x, y) == pytest.approx(expected, rel=1e-8)


def test_a_set_is_at_no_distance_from_itself_and_order_does_not_matter():
    x, y = features(40), features(30, seed=1)
    assert fid.fid(x, x) == pytest.approx(0, abs=1e-9)
    assert fid.fid(x, y) == pytest.approx(fid.fid(y, x[::-1]), rel=1e-10)


@pytest.mark.parametrize("shapes", [([1, 4], [5, 4]), ([5, 4], [5, 3]), ([5], [5])])
def test_what_are_no_features_is_refused(shapes):
    with pytest.raises(ValueError, match="at least 2 of each. Received"):
        fid.fid(*map(np.zeros, shapes))
