"""The official graph's numbers, in the small form that tests/trim_golden.py makes."""

import json
import os
import shutil
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests import fidelity, trajectory
from ugatit_tf.config import Config
from ugatit_tf.interchange import official_pytorch, official_tf
from ugatit_tf.layers.weights import named_weights
from ugatit_tf.networks.generator import Generator
from ugatit_tf.networks.model import build_generator

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(
    "name",
    [
        "light_lsgan",
        pytest.param("light_wgan_gp", marks=pytest.mark.slow),
        pytest.param("light_pytorch", marks=pytest.mark.slow),
    ],
)
def test_every_group_is_within_its_tolerance_of_the_official_graph(name, untraced):
    tf.config.run_functions_eagerly(name == "light_lsgan")  # an ensemble is worth a graph
    errors = fidelity.errors(GOLDEN / name)
    assert set(errors) == set(fidelity.TOLERANCES)
    over = {k: v for k, v in errors.items() if not v <= fidelity.TOLERANCES[k]}
    assert not over


@pytest.fixture(params=["light_lsgan", "light_pytorch"])
def one_step(request, tmp_path):
    """A golden of one iteration, which for a few looks is faster untraced."""
    shutil.copytree(GOLDEN / request.param, tmp_path / "short")
    options = json.loads((tmp_path / "short" / "config.json").read_text())
    if "steps" in options:
        (tmp_path / "short" / "config.json").write_text(json.dumps({**options, "steps": 1}))
    arrays = dict(np.load(tmp_path / "short" / "expected.npz"))
    np.savez(
        tmp_path / "short" / "expected.npz", **{**arrays, "trajectory": arrays["trajectory"][:1]}
    )
    tf.config.run_functions_eagerly(True)
    yield str(tmp_path / "short")
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("one_step", ["light_pytorch"], indirect=True)
def test_one_iteration_is_that_of_the_official_pytorch_program(one_step):
    errors = fidelity.errors(one_step)
    assert set(errors) == set(fidelity.TOLERANCES)
    over = {k: v for k, v in errors.items() if not v <= fidelity.TOLERANCES[k]}
    assert not over


def test_products_are_of_whole_float32_where_a_gpu_would_round_them(tmp_path):
    setting = tf.config.experimental
    before = setting.tensor_float_32_execution_enabled()
    setting.enable_tensor_float_32_execution(True)
    fidelity.main([str(tmp_path)])
    assert not setting.tensor_float_32_execution_enabled()
    setting.enable_tensor_float_32_execution(before)


@pytest.mark.slow
def test_each_planted_error_of_a_thousandth_is_over_and_nothing_else_is(one_step, capsys):
    def over(*planting):
        assert fidelity.main([*planting, one_step]) == (1 if planting else 0)
        table = capsys.readouterr().out.splitlines()
        return {line[2:26].strip() for line in table if line.endswith("OVER")}

    assert over() == set()
    assert "length of a step" in over("--plant", "lr")
    assert "losses" in over("--plant", "cycle_weight")
    assert over("--plant", "rho") == {"rho at its edges"}
    assert {"generator", "losses", "generator gradients"} & over("--plant", "variance")
    assert set(fidelity.PLANTS) == {"lr", "cycle_weight", "rho", "variance"}


OFFICIAL = np.array([[0.4, 8000.0], [0.3, 7000.0], [0.2, 6000.0]])
WIDE = np.linspace(-1, 1, trajectory.MEMBERS)[:, None, None]  # of the members around a number


def judged(found, official=OFFICIAL, spread=0.01):
    return trajectory.judge(found, official, lambda: found * (1 + spread * WIDE))


def test_a_trajectory_within_the_tolerance_needs_no_ensemble():
    errors = trajectory.judge(OFFICIAL * 1.0001, OFFICIAL, None)
    assert errors["trajectory"] == pytest.approx(1e-4)
    assert errors["ensemble"] == 0


@pytest.mark.parametrize(("error", "ok"), [(0.01, True), (0.029, True), (0.032, False)])
def test_a_number_over_the_tolerance_is_measured_by_the_spread_of_the_runs(error, ok, capsys):
    found = OFFICIAL.copy()
    found[2, 0] *= 1 + error
    errors = judged(found)
    assert errors["trajectory"] == 0
    assert (errors["ensemble"] <= trajectory.FACTOR) == ok
    assert "Discriminator_loss of iteration 3: official 0.2, 8 runs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("place", "error"), [((0, 0), 0.001), ((0, 1), 0.001), ((1, 1), 0.06), ((2, 0), 0.11)]
)
def test_neither_the_first_iteration_nor_a_large_error_is_excused_by_any_spread(place, error):
    found = OFFICIAL.copy()
    found[place] *= 1 + error
    assert judged(found, spread=0.5)["trajectory"] == pytest.approx(error)


def test_a_trajectory_of_nan_is_over():
    assert not judged(OFFICIAL * np.nan)["trajectory"] <= trajectory.TOLERANCE


class Frozen:
    """A trainer of one rho, whose step does what it is given."""

    def __init__(self, step):
        self.rho = tf.Variable(tf.fill([4], 0.5))
        state = types.SimpleNamespace(weights={"a2b/rho": self.rho}, state=dict)
        self.generator_optimizer = self.discriminator_optimizer = state
        self.model = types.SimpleNamespace(weights=lambda: state.weights)
        self._step = step

    def step(self, *_, **__):
        self.rho.assign(self._step(self.rho))
        return dict.fromkeys(trajectory.KINDS, 0.0)


@pytest.mark.parametrize(
    ("low", "high", "rate", "error"),
    [(0, 1, 1e-4, 0), (0.001, 1, 1e-4, 9e-4), (0, 0.999, 1e-4, 9e-4), (-1, 1, 1e-4, 1e-4),
     (0, 1.001, 1e-4, 1e-4), (0, 1, 1.1e-4, 1e-5)],
)  # fmt: skip
def test_a_rho_at_an_edge_may_only_move_inwards_by_the_rate(low, high, rate, error):
    found = []
    for sign in (1, -1):
        trainer = Frozen(lambda rho, sign=sign: tf.clip_by_value(rho + sign * rate, low, high))
        start = trajectory.Start(trainer)
        found.append(start.beyond_edges([np.zeros(1)] * 2, 1e-4))
        start.restore()
        np.testing.assert_array_equal(trainer.rho, np.float32([0.5] * 4))
    assert max(found) == pytest.approx(error, abs=2e-7)  # 1 has a rounding of 6e-8


def test_the_full_generator_computes_what_the_official_graph_does():
    golden = dict(np.load(GOLDEN / "full_generator.npz"))
    generator = Generator(ch=4, smoothing=False)
    generator(golden["real_A"])
    for path, weight in named_weights(generator, "a2b").items():
        official = golden["weight/" + official_tf.official_name(path, sn=False)]
        weight.assign(official.reshape(weight.shape))
    out = generator(golden["real_A"])
    for name, value in out._asdict().items():
        difference = np.abs(value.numpy() - golden[name]).max() / np.abs(golden[name]).max()
        assert difference <= fidelity.TOLERANCES["generator"], name


def test_a_lone_full_generator_computes_what_the_official_pytorch_one_does():
    source = official_pytorch.find(str(GOLDEN / "full_pytorch" / "genA2B.pt"))
    assert source.lone_generators == ("a2b",)
    generator = build_generator(Config(**source.architecture), "a2b")
    source.restore_generator(generator)
    expected = dict(np.load(GOLDEN / "full_pytorch" / "expected.npz"))
    for name, value in generator(expected["real_A"])._asdict().items():
        official = np.squeeze(expected[f"generator/ab/{name}"])
        difference = np.abs(np.squeeze(value) - official).max() / np.abs(official).max()
        assert difference <= fidelity.TOLERANCES["generator"], name


def test_folders_that_cannot_be_compared_with_are_named_at_once(tmp_path, capsys):
    (tmp_path / "README.md").touch()
    (tmp_path / "empty").mkdir()
    assert fidelity.main([*map(str, tmp_path.iterdir()), str(GOLDEN / "full_pytorch")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        f"No expected.npz in {tmp_path / 'empty'}.",
        f"No checkpoint of a whole model in {GOLDEN / 'full_pytorch'}.",
    ]


@pytest.mark.parametrize(
    "one_step",
    ["light_lsgan", pytest.param("light_pytorch", marks=pytest.mark.slow)],
    indirect=True,
)
def test_a_wrong_number_is_over_its_tolerance_and_fails_the_check(one_step, monkeypatch, capsys):
    monkeypatch.setitem(fidelity.TOLERANCES, "losses", 0.0)
    path = os.path.join(one_step, "expected.npz")
    arrays = dict(np.load(path))
    arrays["trajectory"] = arrays["trajectory"] * 1.001
    np.savez(path, **arrays)
    assert fidelity.main([one_step]) == 1
    table = capsys.readouterr().out
    assert table.count("OVER") == 2
    assert "trajectory" in [line.split()[0] for line in table.splitlines() if "OVER" in line]


def test_a_group_that_is_not_there_is_an_error_and_not_a_pass(tmp_path):
    shutil.copytree(GOLDEN / "light_lsgan", tmp_path / "hollow")
    arrays = dict(np.load(tmp_path / "hollow" / "expected.npz"))
    kept = {name: array for name, array in arrays.items() if not name.startswith("discriminator/")}
    np.savez(tmp_path / "hollow" / "expected.npz", **kept)
    with pytest.raises(ValueError, match="discriminator"):
        fidelity.errors(tmp_path / "hollow")
