"""--phase evaluate: from test pictures to metrics.json, seeded, for any program's pictures."""

import json
import os

import numpy as np
import pytest

import main
from tests import runs
from ugatit_tf.evaluation import evaluate, fid, kid
from ugatit_tf.evaluation.inception import Protocol, features_of
from ugatit_tf.pictures import files
from ugatit_tf.runtime import Failure
from ugatit_tf.translation import load, translate

PROTOCOL = Protocol("random")


class Small:
    """Six features of a picture, which take no network."""

    key = "small"

    def __init__(self, protocol):
        del protocol

    def __call__(self, images):
        values = np.float32(images) / 255
        return np.concatenate([values.mean((1, 2)), values.std((1, 2))], -1)


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "Extractor", Small)
    config = runs.config_in(tmp_path)
    runs.write_dataset(config.dataset_folder, count=9)
    runs.make_run(config)
    return config


def features(paths):
    return features_of(Small(None), (files.read(path) for path in paths))


def paths_in(folder):
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


def test_the_numbers_are_those_of_the_translated_test_pictures(config):
    found, path = evaluate.evaluate(config, PROTOCOL)
    results = os.path.dirname(translate.test(config))
    for direction, source, target in (("a2b", "testA", "testB"), ("b2a", "testB", "testA")):
        fake = features(paths_in(os.path.join(results, direction)))
        real = {
            p: features(paths_in(os.path.join(config.dataset_folder, p))) for p in (source, target)
        }
        mean, std = kid.kid(real[target], fake)
        told = found[direction]
        assert told["kid_target"] == pytest.approx({"mean": mean, "spread": std}, abs=1e-3)
        assert told["fid"] == pytest.approx(fid.fid(real[target], fake), abs=1e-2)
        blocks = kid.block_kid(real[target], fake)[0], kid.block_kid(real[source], fake)[0]
        assert told["paper"]["figure"] == pytest.approx(kid.paper_figure(*blocks), abs=1e-3)
        assert told["pictures"] == {"fake": 9, "target": 9, "source": 9}
        assert told["subset_size"] == 4
    assert os.path.basename(path) == "step_0000003_metrics.json"
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert json.loads(text) == found and "NaN" not in text


def test_a_second_run_gives_the_same_file_and_another_protocol_another(config):
    found, path = evaluate.evaluate(config, PROTOCOL)
    assert evaluate.evaluate(config, PROTOCOL) == (found, path)
    _, other = evaluate.evaluate(config, Protocol("random", resize="antialias"))
    assert os.path.basename(other) == "step_0000003_metrics_2.json"


def test_pictures_of_another_program_are_measured_without_a_run(config, tmp_path):
    folder = tmp_path / "cyclegan"
    runs.write_pictures(folder / "b2a", [f"{i}.png" for i in range(7)], seed=5)
    runs.write_pictures(folder / "reals", ["x.png"])
    found, path = evaluate.evaluate(config, PROTOCOL, fake_dir=str(folder))
    assert path == str(folder / "metrics.json")
    assert "a2b" not in found
    assert found["b2a"]["pictures"] == {"fake": 7, "target": 9, "source": 9}
    fake = features(paths_in(folder / "b2a")[1:])  # without .cache
    assert fake.shape == (7, 6)
    real = features(paths_in(os.path.join(config.dataset_folder, "testA")))
    assert found["b2a"]["fid"] == pytest.approx(fid.fid(real, fake), rel=1e-6)


def test_the_table_says_what_it_is_a_table_of(config):
    found, _ = evaluate.evaluate(config, PROTOCOL)
    text = evaluate.table(found)
    a2b = next(line for line in text.splitlines() if line.startswith("a2b"))
    assert f"{100 * found['a2b']['kid_target']['mean']:.4g} +- " in a2b
    assert "9 / 9 / 9, subsets of 4" in a2b
    assert (
        "rehearsal" in text and "step_0000003" in text and "FID of 9 pictures is too high" in text
    )


@pytest.mark.parametrize(
    ("missing", "message"),
    [("testA", "No folder .*testA"), ("checkpoint", "No checkpoint in")],
)
def test_what_is_missing_is_said(config, tmp_path, missing, message):
    place = {"testA": os.path.join(config.dataset_folder, "testA"), "checkpoint": config.run_folder}
    os.rename(place[missing], tmp_path / "away")
    with pytest.raises(Failure, match=message):
        evaluate.evaluate(config, PROTOCOL)


def test_too_few_pictures_and_a_folder_without_directions_are_refused(config, tmp_path):
    runs.write_pictures(tmp_path / "few" / "a2b", ["1.png", "2.png", "3.png"])
    with pytest.raises(Failure, match="3 fake pictures; at least 4 are needed"):
        evaluate.evaluate(config, PROTOCOL, fake_dir=str(tmp_path / "few"))
    with pytest.raises(Failure, match="has no folder a2b and no folder b2a"):
        evaluate.evaluate(config, PROTOCOL, fake_dir=str(tmp_path))


def test_a_set_is_no_farther_from_itself_than_chance_and_farther_from_noise():
    draw = np.random.default_rng(0)
    real, fake = draw.normal(size=[60, 5]), draw.normal(size=[60, 5])
    same, other = (evaluate.measures(f, real, real + 1) for f in (fake, 3 * fake + 2))
    assert abs(same["kid_target"]["mean"]) < same["kid_target"]["spread"]
    assert other["kid_target"]["mean"] > 10 * same["kid_target"]["spread"]
    assert same["kid_source"]["mean"] > same["kid_target"]["mean"]


def test_the_command_prints_the_table_and_where_it_is_written(config, capsys):
    places = [
        f"--{k}={getattr(config, k)}" for k in ("dataset_dir", "checkpoint_dir", "result_dir")
    ]
    assert main.main(["--phase=evaluate", "--dataset=tiny", *places, "--inception=random"]) == 0
    out = capsys.readouterr().out
    assert "KID x 100" in out and "metrics.json" in out
    assert load.of_run(config).source in out
