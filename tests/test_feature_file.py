"""--features: any feature network in an ONNX file. Its runtime is played by a fake session, except
where onnxruntime is installed: `make test-formats`.
"""

import dataclasses
import hashlib
import importlib.util
import json
import os
import pathlib
import types

import numpy as np
import pytest

import main
from tests import runs
from ugatit_tf import feature_options
from ugatit_tf.errors import Failure
from ugatit_tf.evaluation import ablation, evaluate, feature_file, table
from ugatit_tf.evaluation.feature_file import FeatureFile, FileExtractor
from ugatit_tf.evaluation.features import cached_features
from ugatit_tf.images import image_file
from ugatit_tf.options import ConfigError

ROOT = pathlib.Path(main.__file__).parent
FILE = pathlib.Path(__file__).parent / "data" / "features.onnx"
MEAN, STD = (127.0, 100.0, 50.0), (128.0, 64.0, 32.0)


class Session:
    """Plays onnxruntime.InferenceSession: features are the first pixel and the mean of each image.

    Args:
        shape: of its input.
    """

    def __init__(self, shape, kind="tensor(float)", inputs=1, outputs=1, result=None):
        value = types.SimpleNamespace
        self.inputs = [value(name=f"in{i}", shape=shape, type=kind) for i in range(inputs)]
        self.outputs = [value(name=f"out{i}") for i in range(outputs)]
        self.result, self.seen = result, []

    def get_inputs(self):
        return self.inputs

    def get_outputs(self):
        return self.outputs

    def run(self, names, feed):
        assert names is None
        (images,) = feed.values()
        assert images.dtype == np.float32 and images.flags.c_contiguous
        for size, expected in zip(images.shape, self.inputs[0].shape):
            if isinstance(expected, int) and size != expected:
                raise RuntimeError(f"Got {size}, expected {expected}\nmore")
        self.seen.append(images)
        if self.result is not None:
            return [self.result(images)]
        first = images[:, :, 0, 0] if images.shape[1] == 3 else images[:, 0, 0]
        return [np.concatenate([first, images.mean((1, 2, 3))[:, None]], 1)]


@pytest.fixture
def network(tmp_path, monkeypatch):
    """Makes (extractor, session) of the shape of an input."""
    path = tmp_path / "net.onnx"
    path.write_bytes(b"a network")

    def make(shape, size=0, resize="bilinear", **options):
        session = Session(shape, **options)
        monkeypatch.setattr(feature_file, "_session", lambda _: session)
        return FileExtractor(FeatureFile(str(path), size, MEAN, STD, resize)), session

    return make


@pytest.mark.parametrize("shape", [["n", 3, 6, 6], [None, 6, 6, 3]], ids=["NCHW", "NHWC"])
def test_images_are_normalized_in_the_layout_of_the_file(network, shape):
    extractor, session = network(shape)
    images = np.random.default_rng(0).integers(0, 256, [4, 6, 6, 3], np.uint8)
    found = extractor(images)
    expected = (images.astype(np.float64) - MEAN) / STD
    given = session.seen[-1]
    given = given.transpose(0, 2, 3, 1) if shape[1] == 3 else given
    np.testing.assert_allclose(given, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found[:, :3], expected[:, 0, 0], rtol=1e-5, atol=1e-6)
    assert found.shape == (4, extractor.num_features) == (4, 4)


def test_images_are_resized_by_the_filter_that_is_named(network):
    images = np.zeros([1, 12, 12, 3], np.uint8)
    images[:, :, ::2] = 255  # every second column is white: all that is asked for, or the mean
    for resize, value in (("bilinear", 255), ("antialias", 127.5)):
        extractor, session = network(["n", 3, 6, 6], resize=resize)
        extractor(images)
        expected = (np.full(3, value) - MEAN) / STD
        np.testing.assert_allclose(session.seen[-1][0, :, 3, 3], expected, rtol=1e-4)


def test_gray_images_are_gray_in_color(network):
    extractor, session = network(["n", 3, 6, 6])
    extractor(np.full([2, 6, 6, 1], 200, np.uint8))
    np.testing.assert_allclose(session.seen[-1][1, :, 5, 5], (200 - np.array(MEAN)) / STD)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_a_file_of_a_fixed_batch_gets_such_batches(network, batch):
    images = np.random.default_rng(0).integers(0, 256, [5, 6, 6, 3], np.uint8)
    expected = network(["n", 3, 6, 6])[0](images)
    extractor, session = network([batch, 3, 6, 6])
    np.testing.assert_allclose(extractor(images), expected, rtol=1e-6)
    assert {len(one) for one in session.seen} == {batch}


def test_the_size_is_that_of_the_file_or_the_one_that_is_named(network):
    assert network(["n", 3, 6, 6])[0].protocol.size == 6
    assert network(["n", 3, 6, 6], size=6)[0].protocol.size == 6
    assert network(["n", 3, "h", "w"], size=9)[0].protocol.size == 9
    with pytest.raises(Failure, match="--features_size 9: .*net.onnx takes images of 6 x 6 pixels"):
        network(["n", 3, 6, 6], size=9)
    with pytest.raises(Failure, match="takes images of any size: say with --features_size"):
        network(["n", 3, "h", "w"])


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        (["n", 3, 6, 8], {}, r"has an input \['n', 3, 6, 8\]\. Expected one input, float32"),
        (["n", 1, 6, 6], {}, r"has an input \['n', 1, 6, 6\]"),
        (["n", 2048], {}, r"has an input \['n', 2048\]"),
        (["n", 3, 6, 6], {"kind": "tensor(float16)"}, r"has an input of tensor\(float16\)"),
        (["n", 3, 6, 6], {"inputs": 2}, "has the inputs in0, in1"),
        (["n", 3, 6, 6], {"outputs": 2}, "has the outputs out0, out1"),
        (["n", 3, 6, 6], {"outputs": 0}, "has the outputs none"),
        (["n", 3, 6, 6], {"result": lambda x: x}, r"gives \[1, 3, 6, 6\] for 1 images"),
        (["n", 3, 6, 6], {"result": lambda x: x[0, 0, 0]}, r"gives \[6\] for 1 images"),
        (["n", 3, 6, 6], {"result": lambda x: 1 / 0}, "fails: division by zero$"),
    ],
)
def test_a_file_that_is_no_feature_network_is_refused_with_what_it_has(
    network, shape, options, message
):
    with pytest.raises(Failure, match=message):
        network(shape, **options)


def test_features_may_be_maps_of_one_pixel(network):
    extractor, _ = network(["n", 3, 6, 6], result=lambda x: np.ones([len(x), 7, 1, 1]))
    assert extractor(np.zeros([2, 6, 6, 3], np.uint8)).shape == (2, 7)


def test_kept_features_are_of_one_file_size_filter_and_normalization(network, tmp_path):
    paths = runs.write_images(tmp_path / "in", ["a.png", "b.png"])
    folder = str(tmp_path / "cache")
    extractor, session = network(["n", 3, "h", "w"], size=6)
    first = cached_features(extractor, paths, folder)
    expected = extractor(np.stack([image_file.read(path) for path in paths]))
    np.testing.assert_array_equal(first, expected)
    session.seen.clear()
    np.testing.assert_array_equal(cached_features(extractor, paths, folder), first)
    assert not session.seen
    protocol, keys = extractor.protocol, {extractor.key}
    for change in ({"size": 7}, {"mean": (0, 0, 0)}, {"std": (1, 1, 1)}, {"resize": "antialias"}):
        keys.add(FileExtractor(dataclasses.replace(protocol, **change)).key)
    pathlib.Path(protocol.path).write_bytes(b"another network")
    keys.add(FileExtractor(protocol).key)
    assert len(keys) == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features_mean": "1"}, "--features_mean has no effect without --features"),
        ({"features_size": 8}, "--features_size has no effect without --features"),
        ({"features": "x"}, "--features needs --features_mean, one number or three"),
        ({"features": "x", "features_mean": "1,2"}, "Received: '1,2'"),
        ({"features": "x", "features_mean": "nan"}, "Received: 'nan'"),
        ({"features": "x", "features_mean": "0"}, "--features needs --features_std"),
        ({"features": "x", "features_mean": "0", "features_std": "1,0,1"}, "must be above 0"),
        (
            {"features": "x", "features_mean": "0", "features_std": "1", "inception": "random"},
            "--inception random and --features name two networks",
        ),
    ],
)
def test_options_that_cannot_work_are_refused(tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        runs.config_in(tmp_path, **options)


def test_one_number_is_that_of_all_channels():
    assert feature_options.channels("x", "127.5") == (127.5,) * 3
    assert feature_options.channels("x", "1, 2,3e1") == (1, 2, 30)


@pytest.fixture
def measured(tmp_path, network):
    """The configuration of images that are measured, and their folder."""
    network(["n", 3, 6, 6])
    runs.write_dataset(tmp_path / "dataset" / "tiny", ("testA", "testB"), count=9)
    runs.write_images(tmp_path / "fake" / "a2b", [f"{i}.png" for i in range(7)], seed=5)
    options = {"features": str(tmp_path / "net.onnx"), "features_mean": "127,9,1"}
    options["features_std"] = "8"
    return runs.config_in(tmp_path, **options), str(tmp_path / "fake")


def test_the_figures_say_what_they_are_of_and_what_they_compare_with(measured):
    config, folder = measured
    metrics, path = evaluate.evaluate(config, fake_dir=folder)
    with open(path, encoding="utf-8") as file:
        assert json.load(file) == metrics
    assert metrics["a2b"]["pictures"] == {"fake": 7, "target": 9, "source": 9}
    about, lines = metrics["about"], table.text(metrics).splitlines()
    digest = hashlib.sha256(b"a network").hexdigest()[:12]
    assert about["features"] == (
        f"net.onnx, SHA-256 {digest}; 6 x 6 pixels, bilinear as TensorFlow 1; (x - 127,9,1) / 8, "
        f"x from 0 to 255"
    )
    assert lines[:2] == [f"Features: {about['features']}", feature_file.COMPARABLE]
    assert "never with those of papers" in about["comparable"]


def test_an_ablation_says_that_its_figures_are_not_the_papers(measured):
    config, _ = measured
    assert feature_file.COMPARABLE in ablation.notes(config, {})
    plain = dataclasses.replace(config, features="", features_mean="", features_std="")
    assert feature_file.COMPARABLE not in ablation.notes(plain, {})


def test_training_may_measure_with_the_same_features(measured):
    config, _ = measured
    validation = evaluate.ValidationKID(config)
    assert isinstance(validation.extractor, FileExtractor)
    assert {name: found.shape for name, found in validation.features.items()} == {
        "testA": (9, 4),
        "testB": (9, 4),
    }


def test_without_the_package_or_the_file_it_is_said_what_to_do(measured, capsys, monkeypatch):
    config, folder = measured
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name)
    )
    words = [f"--fake_dir={folder}", "--features_mean=0", "--features_std=1", "--dataset=tiny"]
    words = ["evaluate", *words, f"--dataset_dir={config.dataset_dir}"]
    assert main.main([*words, f"--features={config.features}"]) == 1
    expected = "--features needs onnxruntime: pip install -r requirements-evaluate.txt"
    assert expected in capsys.readouterr().err
    assert main.main([*words, "--features=none.onnx"]) == 1
    assert "--features none.onnx: there is no such file" in capsys.readouterr().err


def test_both_files_of_requirements_want_the_same_runtime():
    onnx, evaluation = (
        {
            line.partition("#")[0].strip()
            for line in (ROOT / f"requirements-{name}.txt").read_text("utf-8").splitlines()
            if line.startswith("onnxruntime")
        }
        for name in ("onnx", "evaluate")
    )
    assert onnx < evaluation


def test_a_real_file_is_computed_by_onnx_runtime(tmp_path):
    pytest.importorskip("onnxruntime")
    extractor = FileExtractor(FeatureFile(str(FILE), 8, MEAN, STD))
    images = np.random.default_rng(0).integers(0, 256, [5, 8, 8, 3], np.uint8)
    expected = (images.astype(np.float64).mean((1, 2)) - MEAN) / STD
    np.testing.assert_allclose(extractor(images), expected, rtol=1e-5, atol=1e-5)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(FILE.read_bytes()[:50])
    with pytest.raises(Failure, match="broken.onnx is not a usable ONNX file: [^\n]*$"):
        FileExtractor(FeatureFile(os.fspath(broken), 8, MEAN, STD))
