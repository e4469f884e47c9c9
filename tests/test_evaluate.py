"""--phase evaluate: from test images to metrics.json, seeded, for any program's images."""

import contextlib
import dataclasses
import io
import json
import os
import shutil
import types

import numpy as np
import pytest
import tensorflow as tf

import main
from tests import runs
from ugatit_tf.data import folders
from ugatit_tf.errors import Failure
from ugatit_tf.evaluation import evaluate, fid, kid, table
from ugatit_tf.evaluation.features import features_of
from ugatit_tf.images import image_file
from ugatit_tf.interchange import generator_file
from ugatit_tf.training import checkpoints
from ugatit_tf.translation import loading, testing


class Small:
    """Six features of an image, which take no network."""

    key = "small"
    num_features = 6

    def __init__(self, protocol):
        self.protocol = protocol

    def __call__(self, images):
        values = np.float32(images) / 255
        return np.concatenate([values.mean((1, 2)), values.std((1, 2))], -1)


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "Extractor", Small)
    config = runs.config_in(tmp_path, inception="random")
    write_dataset(config.dataset_folder)
    runs.make_run(config)
    tf.config.run_functions_eagerly(True)  # tracing takes longer than a few small steps
    yield config
    tf.config.run_functions_eagerly(False)


def write_dataset(folder):
    runs.write_dataset(folder, folders.TRAIN, count=1)  # of each, sheets of samples show three
    runs.write_dataset(folder, folders.TEST, count=9)


def features(paths):
    return features_of(Small(None), (image_file.read(path) for path in paths))


def paths_in(folder):
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


def test_the_numbers_are_those_of_the_translated_test_images(config):
    found, path = evaluate.evaluate(config)
    results = os.path.dirname(testing.run_test(config))
    for direction, source, target in (("a2b", "testA", "testB"), ("b2a", "testB", "testA")):
        fake = features(paths_in(os.path.join(results, direction)))
        real = {
            p: features(paths_in(os.path.join(config.dataset_folder, p))) for p in (source, target)
        }
        mean, std = kid.kid(real[target], fake)
        output = found[direction]
        assert output["kid_target"] == pytest.approx({"mean": mean, "spread": std}, abs=1e-3)
        assert output["fid"] == pytest.approx(fid.fid(real[target], fake), abs=1e-2)
        blocks = kid.block_kid(real[target], fake)[0], kid.block_kid(real[source], fake)[0]
        assert output["paper"]["figure"] == pytest.approx(kid.paper_figure(*blocks), abs=1e-3)
        assert output["pictures"] == {"fake": 9, "target": 9, "source": 9}
        assert output["subset_size"] == 4
    assert os.path.basename(path) == "step_0000003_metrics.json"
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert json.loads(text) == found and "NaN" not in text


def test_a_second_run_gives_the_same_file_and_another_protocol_another(config):
    found, path = evaluate.evaluate(config)
    assert evaluate.evaluate(config) == (found, path)
    _, other = evaluate.evaluate(dataclasses.replace(config, inception_resize="antialias"))
    assert os.path.basename(other) == "step_0000003_metrics_2.json"


def test_images_of_another_program_are_measured_without_a_run(config, tmp_path):
    folder = tmp_path / "cyclegan"
    runs.write_images(folder / "b2a", [f"{i}.png" for i in range(7)], seed=5)
    runs.write_images(folder / "reals", ["x.png"])
    found, path = evaluate.evaluate(config, fake_dir=str(folder))
    assert path == str(folder / "metrics.json")
    assert "a2b" not in found
    assert found["b2a"]["pictures"] == {"fake": 7, "target": 9, "source": 9}
    fake = features(paths_in(folder / "b2a")[1:])  # without .cache
    assert fake.shape == (7, 6)
    real = features(paths_in(os.path.join(config.dataset_folder, "testA")))
    assert found["b2a"]["fid"] == pytest.approx(fid.fid(real, fake), rel=1e-6)


def test_the_table_says_what_it_is_a_table_of(config):
    found, _ = evaluate.evaluate(config)
    text = table.text(found)
    a2b = next(line for line in text.splitlines() if line.startswith("a2b"))
    assert f"{100 * found['a2b']['kid_target']['mean']:.4g} +- " in a2b
    assert "9 / 9 / 9, subsets of 4" in a2b
    assert "rehearsal" in text and "step_0000003" in text and "FID of 9 images is too high" in text


@pytest.mark.parametrize(
    ("missing", "message"),
    [("testA", "There is no folder .*testA"), ("checkpoint", "No checkpoint in")],
)
def test_what_is_missing_is_said(config, tmp_path, missing, message):
    place = {"testA": os.path.join(config.dataset_folder, "testA"), "checkpoint": config.run_folder}
    os.rename(place[missing], tmp_path / "away")
    with pytest.raises(Failure, match=message):
        evaluate.evaluate(config)


def test_too_few_images_and_a_folder_without_directions_are_refused(config, tmp_path):
    runs.write_images(tmp_path / "few" / "a2b", ["1.png", "2.png", "3.png"])
    with pytest.raises(Failure, match="3 fake images; at least 4 are needed"):
        evaluate.evaluate(config, fake_dir=str(tmp_path / "few"))
    with pytest.raises(Failure, match="has no folder a2b and no folder b2a"):
        evaluate.evaluate(config, fake_dir=str(tmp_path))


def test_a_set_is_no_farther_from_itself_than_chance_and_farther_from_noise():
    draw = np.random.default_rng(0)
    real, fake = draw.normal(size=[60, 5]), draw.normal(size=[60, 5])
    same, other = (evaluate.metrics_of(f, real, real + 1) for f in (fake, 3 * fake + 2))
    assert abs(same["kid_target"]["mean"]) < same["kid_target"]["spread"]
    assert other["kid_target"]["mean"] > 10 * same["kid_target"]["spread"]
    assert same["kid_source"]["mean"] > same["kid_target"]["mean"]


def test_the_command_prints_the_table_and_where_it_is_written(config, capsys):
    places = [
        f"--{k}={getattr(config, k)}" for k in ("dataset_dir", "checkpoint_dir", "result_dir")
    ]
    assert main.main(["--phase=evaluate", "--dataset=tiny", *places]) == 0
    out = capsys.readouterr().out
    assert "KID x 100" in out and "metrics.json" in out
    assert loading.from_run(config).source in out


def test_a_model_is_measured_by_what_translate_makes_of_the_test_images(config, capsys):
    os.rename(config.run_folder, moved := config.run_folder + " elsewhere")
    names = ("dataset_dir", "result_dir", "inception")
    words = [*(f"--{name}={getattr(config, name)}" for name in names), "--dataset=tiny"]
    words = ["--phase=evaluate", f"--model={moved}", "--size=native", *words]
    assert main.main(words) == 0
    path = os.path.join(config.result_dir, "tiny", "step_0000003_metrics.json")
    out = capsys.readouterr().out
    assert f"Written: {path}" in out and "step_0000003, --size native" in out
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    model = loading.load(moved)
    assert found["about"]["size"] == "native"
    sources = evaluate._image_paths(config, "testA")
    images = (np.uint8(model.translate(image_file.read(p), size="native")) for p in sources)
    fake, real = features_of(Small(None), images), features(evaluate._image_paths(config, "testB"))
    assert found["a2b"]["fid"] == pytest.approx(fid.fid(real, fake), rel=1e-6)
    at_training_size, _ = evaluate.evaluate(config, translator=model)
    assert found["a2b"]["fid"] != pytest.approx(at_training_size["a2b"]["fid"], rel=1e-3)


def test_of_a_model_of_one_direction_that_one_is_measured(config, tmp_path):
    networks, _ = loading.load_networks(config)
    generator_file.save(networks.b2a, config, "b2a", str(tmp_path / "b2a.npz"))
    model = loading.load(tmp_path / "b2a.npz")
    found, path = evaluate.evaluate(config, translator=model)
    assert "b2a" in found and "a2b" not in found
    assert os.path.basename(path) == "b2a_metrics.json"


def trained(config, **options):
    """Trains a new run for four steps, measuring after each second one; returns its config."""
    steps = {"epoch": 1, "iteration": 4, "eval_freq": 2, "save_freq": 4, "summary_freq": 4}
    config = dataclasses.replace(config, run="watched", **steps, **options)
    runs.run_phase("train", config)
    return config


def lines_of(config):
    with open(os.path.join(config.run_folder, "history.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A run that was measured while it trained, what was printed, and the same run without."""
    config = runs.config_in(tmp_path_factory.mktemp("watched"), inception="random")
    write_dataset(config.dataset_folder)
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as output:
        patch.setattr(evaluate, "Extractor", Small)
        tf.config.run_functions_eagerly(True)
        config = trained(config, ema=0.5)
        plain = dataclasses.replace(config, run="plain", eval_freq=0)
        runs.run_phase("train", plain)
        tf.config.run_functions_eagerly(False)
    return types.SimpleNamespace(config=config, output=output.getvalue(), plain=plain)


def test_training_measures_and_keeps_the_best(watched):
    config = watched.config
    measured = [line for line in lines_of(config) if "eval/kid" in line]
    assert [line["step"] for line in measured] == [2, 4]
    for line in measured:
        both = line["eval/kid_a2b"], line["eval/kid_b2a"]
        assert line["eval/kid"] == pytest.approx(sum(both) / 2)
    best = min(measured, key=lambda line: line["eval/kid"])
    path, metric = checkpoints.best(config.run_folder)
    assert metric == {"tag": "eval/kid", "value": best["eval/kid"]}
    assert path.endswith(f"step_{best['step']:07d}")
    assert "Best by eval/kid" in watched.output


def test_what_is_measured_is_the_average_and_training_goes_on_as_without(watched):
    one, other = (checkpoints.newest(c.run_folder) for c in (watched.config, watched.plain))
    state = tf.train.load_checkpoint(os.path.join(one, checkpoints.FILE))
    expected = tf.train.load_checkpoint(os.path.join(other, checkpoints.FILE))
    for name in expected.get_variable_to_shape_map():
        np.testing.assert_array_equal(state.get_tensor(name), expected.get_tensor(name), name)
    model = loading.from_run(watched.config)  # with the average
    paths = evaluate._image_paths(watched.config, "testA")
    fake = features_of(Small(None), evaluate.translations(model, paths, "a2b"))
    real = features(evaluate._image_paths(watched.config, "testB"))
    last = [line for line in lines_of(watched.config) if "eval/kid" in line][-1]
    assert last["eval/kid_a2b"] == pytest.approx(kid.kid(real, fake)[0], abs=1e-6)


def test_measuring_needs_test_images(config):
    folder = os.path.join(config.dataset_folder, "testB")
    for name in sorted(os.listdir(folder))[3:]:
        os.remove(os.path.join(folder, name))
    with pytest.raises(Failure, match="--eval_freq needs at least 4 images in testB"):
        trained(config)


def test_a_measure_that_there_is_not_stops_the_run_with_those_there_are(config):
    with pytest.raises(Failure, match="eval/fid is not measured. These are: eval/kid_a2b, "):
        trained(config, best_by="eval/fid")


def test_a_run_that_is_no_longer_measured_goes_on(watched, tmp_path, untraced):
    shutil.copytree(watched.config.checkpoint_dir, tmp_path, dirs_exist_ok=True)
    more = dataclasses.replace(
        watched.config, checkpoint_dir=str(tmp_path), iteration=5, eval_freq=0
    )
    runs.run_phase("train", more)
    assert list(checkpoints.saved(more.run_folder)) == [4, 5]
    assert len([line for line in lines_of(more) if "eval/kid" in line]) == 2
    assert checkpoints.best(more.run_folder)[1]["tag"] == "eval/kid"
