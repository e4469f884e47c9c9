"""Images to features: the three networks, the two filters, and features that are kept."""

import os
import re

import numpy as np
import pytest
import tensorflow as tf

from tests import runs
from ugatit_tf.errors import Failure
from ugatit_tf.evaluation import inception
from ugatit_tf.evaluation.features import cached_features, features_of
from ugatit_tf.evaluation.inception import Extractor, Protocol
from ugatit_tf.images import image_file
from ugatit_tf.translation import devices


class Counting:
    """Features that a reader can check: the mean of each channel, 2048 wide."""

    key = "counting"
    num_features = inception.NUM_FEATURES

    def __init__(self):
        self.seen = []

    def __call__(self, images):
        self.seen.append(images.shape)
        means = images.reshape(len(images), -1).mean(1, keepdims=True)
        return np.repeat(means, inception.NUM_FEATURES, 1).astype(np.float32)


@pytest.fixture
def graph_file(tmp_path):
    """A frozen graph with the names of the one of 2015, which takes means."""

    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, [None, 299, 299, 3])
        scaled = tf.multiply(images, 1.0, name="Mul")
        means = tf.reduce_mean(scaled, [1, 2], keepdims=True)
        tf.tile(means, [1, 1, 1, 683], name="pool_3")
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return str(path)


def test_a_frozen_graph_gets_images_between_minus_1_and_1(graph_file):
    images = np.zeros([2, 40, 50, 3], np.uint8)
    images[0] = 255
    found = Extractor(Protocol("graph", graph_file))(images)
    assert found.shape == (2, 3 * 683)
    np.testing.assert_allclose(found[0], 1, atol=1e-6)
    np.testing.assert_allclose(found[1], -1, atol=1e-6)
    grey = Extractor(Protocol("graph", graph_file))(images[..., :1])
    np.testing.assert_array_equal(grey, found)


@pytest.mark.parametrize("resize", ["bilinear", "antialias"])
def test_the_filters_are_those_they_are_called(graph_file, resize):
    """Every second column is white, and half as many are asked for: all of these, or the mean."""
    images = np.zeros([1, 598, 598, 3], np.uint8)
    images[:, :, ::2] = 255
    found = Extractor(Protocol("graph", graph_file, resize))(images)
    np.testing.assert_allclose(found, 1.0 if resize == "bilinear" else 0.0, atol=0.01)


@pytest.mark.parametrize("content", [None, b"no graph", b""])
def test_what_is_no_inception_graph_is_refused(tmp_path, content):
    path = tmp_path / "graph.pb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Failure, match="graph.pb is not a frozen"):
        Extractor(Protocol("graph", str(path)))


def test_the_graph_needs_a_file():
    with pytest.raises(Failure, match="--inception_weights FILE.*classify_image_graph_def.pb"):
        Extractor(Protocol("graph"))


def test_without_a_network_it_is_said_which_file_to_put_where(monkeypatch, tmp_path):
    def refused(**kwargs):
        raise OSError("URL fetch failure\nand more")

    monkeypatch.setattr(tf.keras.applications, "InceptionV3", refused)
    with pytest.raises(Failure, match="URL fetch failure.*Put inception_v3.*--inception_weights"):
        Extractor(Protocol("keras"))
    with pytest.raises(Failure, match="a.h5 is not the weights of InceptionV3"):
        Extractor(Protocol("keras", "a.h5"))


def test_features_come_in_order_in_batches_of_one_size():
    sizes = [(8, 8)] * 18 + [(9, 8)] * 2 + [(8, 8)]
    images = [np.full([*size, 3], i, np.uint8) for i, size in enumerate(sizes)]
    extractor = Counting()
    found = features_of(extractor, iter(images))
    np.testing.assert_array_equal(found[:, 0], np.arange(21))
    assert [shape[0] for shape in extractor.seen] == [16, 2, 2, 1]


def test_features_are_kept_for_these_images_and_this_protocol(tmp_path):
    paths = runs.write_images(tmp_path / "in", ["a.png", "b.png"])
    extractor, folder = Counting(), str(tmp_path / "cache")
    first = cached_features(extractor, paths, folder)
    np.testing.assert_allclose(first[:, 0], [image_file.read(p).mean() for p in paths], rtol=1e-6)
    assert np.array_equal(cached_features(extractor, paths, folder), first)
    moved = [os.path.join(tmp_path, name) for name in ("x.png", "y.png")]
    for path, place in zip(paths, moved):
        os.link(path, place)
    cached_features(extractor, moved, folder)  # names do not matter
    assert len(extractor.seen) == 1
    cached_features(extractor, paths[::-1], folder)
    extractor.key = "another"
    cached_features(extractor, paths, folder)
    assert len(extractor.seen) == 3 and len(os.listdir(folder)) == 3


def test_kept_features_that_are_damaged_are_made_again(tmp_path):
    paths = runs.write_images(tmp_path / "in", ["a.png", "b.png"])
    extractor, folder = Counting(), tmp_path / "cache"
    first = cached_features(extractor, paths, str(folder))
    (name,) = os.listdir(folder)
    whole = (folder / name).read_bytes()
    rows = re.compile(rb"\(2, ([0-9]+)\), } {14}")
    claims = rows.sub(rb"(70368744177664, \1), } ", whole)  # 2^46, where two are
    assert len(claims) == len(whole) and claims != whole
    for content in (b"", b"no array", whole[:500], claims):
        (folder / name).write_bytes(content)
        np.testing.assert_array_equal(cached_features(extractor, paths, str(folder)), first)
    assert len(extractor.seen) == 5
    np.testing.assert_array_equal(np.load(folder / name), first)


@pytest.mark.slow
def test_the_random_network_is_the_same_on_every_run_and_has_2048_features():
    images = np.random.default_rng(0).integers(0, 256, [2, 64, 48, 3], dtype=np.uint8)
    first, again = (Extractor(Protocol("random"))(images) for _ in range(2))
    assert first.shape == (2, inception.NUM_FEATURES)
    assert 0.1 < first.mean() < 10
    np.testing.assert_array_equal(first, again)


def test_features_of_several_devices_come_in_order():
    images = [np.full([8, 8, 3], i, np.uint8) for i in range(100)]
    both = Counting(), Counting()
    copies = devices.Copies(both[0], lambda: both[1], ["CPU:0"] * 2)
    found = features_of(copies, iter(images))
    np.testing.assert_array_equal(found[:, 0], np.arange(100))
    assert sum(shape[0] for one in both for shape in one.seen) == 100
