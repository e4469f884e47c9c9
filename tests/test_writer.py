"""What a run records: means over periods, the same whether or not it was stopped in between."""

import os
import types

import numpy as np
import pytest
import tensorflow as tf

from tests import runs
from ugatit_tf.training import checkpoints, history, samples
from ugatit_tf.training.budget import Budget
from ugatit_tf.training.metrics import Metrics, saved_sums
from ugatit_tf.training.writer import Writer

TRAINER = types.SimpleNamespace(
    time_gone=0.0,
    model=types.SimpleNamespace(rhos=dict),
    replicas=types.SimpleNamespace(count=1, is_chief=True),
)
SPLITS = {
    name: types.SimpleNamespace(paths=[], images=[], fingerprint=name)
    for name in ("trainA", "trainB")
}
STATE = {"progress": {"steps_done": tf.Variable(0)}}


def config_in(root, **options):
    config = runs.config_in(root, **options)
    os.makedirs(config.run_folder)
    return config


def scalars_of(step, n_critic=1):
    """What a step returns: the generators' numbers only where they are updated."""
    draw = np.random.default_rng(step).normal(size=2).astype(np.float32)
    scalars = {
        "finite": True,
        "D_A_loss": draw[0],
        "D_B_loss": draw[0],
        "loss_scale/generators/skipped": float(step),
    }
    if (step - 1) % n_critic == 0:
        scalars["Generator_loss"] = draw[1]
    return {tag: tf.constant(value) for tag, value in scalars.items()}


@pytest.fixture(autouse=True)
def without_images(monkeypatch):
    monkeypatch.setattr(samples, "reals", lambda *_: np.zeros([4, 4, 3], np.uint8))
    monkeypatch.setattr(samples, "sheet", lambda *_: (np.zeros([4, 4, 3], np.uint8), ([], [])))


def writer_of(config, first_step=0, trainer=TRAINER):
    metrics = Metrics(config.best_metric, saved_sums(config.run_folder, first_step))
    return Writer(config, trainer, metrics, Budget(), SPLITS, first_step)


def recorded(config, first, last, writer=None):
    """Records these steps; returns the writer."""
    writer = writer or writer_of(config, first - 1).__enter__()
    for step in range(first, last + 1):
        writer.metrics.timer.start()
        writer.metrics.add(scalars_of(step, config.n_critic))
        if step % config.summary_freq == 0 or step == config.total_steps:
            writer.summaries(step)
    return writer


def lines_of(config):
    lines = history.read(config.run_folder)
    return runs.repeatable(lines)


def values(tag, steps):
    return [float(scalars_of(step)[tag]) for step in steps]


def test_a_summary_is_the_mean_of_its_period_and_states_are_the_last(tmp_path):
    config = config_in(tmp_path, summary_freq=3, epoch=1, iteration=8)
    recorded(config, 1, 8).__exit__(None, None, None)
    lines = lines_of(config)
    assert [line["step"] for line in lines] == [3, 6, 8]
    for line, steps in zip(lines, ([1, 2, 3], [4, 5, 6], [7, 8])):
        for tag in ("D_A_loss", "Generator_loss"):
            assert line[tag] == pytest.approx(np.mean(values(tag, steps)), rel=1e-12)
        assert line["loss_scale/generators/skipped"] == line["step"]
        assert "finite" not in line


@pytest.mark.parametrize(("n_critic", "summary_freq"), [(2, 4), (3, 3), (5, 10)])
def test_generators_are_recorded_though_the_periods_never_meet(tmp_path, n_critic, summary_freq):
    options = {"n_critic": n_critic, "summary_freq": summary_freq, "epoch": 1, "iteration": 20}
    config = config_in(tmp_path, **options, best_by="Generator_loss")
    metrics = recorded(config, 1, 20).metrics
    updated = [step for step in range(1, 21) if (step - 1) % n_critic == 0]
    for line in lines_of(config):
        period = range(line["step"] - summary_freq + 1, line["step"] + 1)
        mean = np.mean(values("Generator_loss", [step for step in period if step in updated]))
        if line["step"] % summary_freq == 0:
            assert line["Generator_loss"] == pytest.approx(mean, rel=1e-12)
    mean = np.mean(values("Generator_loss", updated))
    assert metrics.take_best_by() == pytest.approx(mean, rel=1e-12)
    assert metrics.take_best_by() is None


@pytest.mark.parametrize("stop", [1, 2, 3, 4, 5, 7])
def test_going_on_from_any_checkpoint_records_the_same_bits(tmp_path, stop):
    options = {"summary_freq": 3, "n_critic": 2, "best_by": "D_A_loss", "epoch": 1, "iteration": 8}
    straight, stopped = (config_in(tmp_path / name, **options) for name in ("straight", "stopped"))
    expected = recorded(straight, 1, 8)

    writer = recorded(stopped, 1, stop)
    checkpoints.save(stopped.run_folder, stop, STATE, notes=writer.metrics.notes())
    recorded(stopped, stop + 1, min(stop + 2, 8), writer)  # of these nothing is saved
    writer.__exit__(None, None, None)
    resumed = recorded(stopped, stop + 1, 8)
    assert lines_of(stopped) == lines_of(straight)
    assert resumed.metrics.notes() == expected.metrics.notes()
    assert resumed.metrics.take_best_by() == expected.metrics.take_best_by()


def test_an_end_that_is_moved_later_cuts_no_period(tmp_path):
    options = {"summary_freq": 5, "iteration": 4}
    long, short = (config_in(tmp_path / name, **options, epoch=2) for name in ("long", "short"))
    recorded(long, 1, 8)
    first = runs.config_in(tmp_path / "short", **options, epoch=1)
    checkpoints.save(first.run_folder, 4, STATE, notes=recorded(first, 1, 4).metrics.notes())
    recorded(short, 5, 8)
    assert [line["step"] for line in lines_of(short)] == [4, 5, 8]
    assert lines_of(short)[1:] == lines_of(long)


def test_a_checkpoint_of_an_older_version_begins_a_period(tmp_path):
    config = config_in(tmp_path, summary_freq=4, epoch=1, iteration=8)
    checkpoints.save(config.run_folder, 2, STATE)
    recorded(config, 3, 4)
    (line,) = lines_of(config)
    assert line["D_A_loss"] == pytest.approx(np.mean(values("D_A_loss", [3, 4])), rel=1e-12)


def test_another_best_by_does_not_take_over_what_was_summed_of_the_last(tmp_path):
    config = config_in(tmp_path, best_by="D_A_loss", epoch=1, iteration=8)
    checkpoints.save(config.run_folder, 2, STATE, notes=recorded(config, 1, 2).metrics.notes())
    other = runs.config_in(tmp_path, best_by="Generator_loss", epoch=1, iteration=8)
    mean = recorded(other, 3, 3).metrics.take_best_by()
    assert mean == pytest.approx(values("Generator_loss", [3])[0])


def test_a_writer_writes_nothing_before_it_is_entered_and_nothing_on_other_workers(tmp_path):
    config = config_in(tmp_path, epoch=1, iteration=8)
    writer_of(config)
    replicas = types.SimpleNamespace(count=2, is_chief=False)
    other = types.SimpleNamespace(model=TRAINER.model, replicas=replicas)
    with writer_of(config, trainer=other) as writer:
        writer.metrics.add(scalars_of(1))
        writer.summaries(1)
        writer.samples(1)
        writer.evaluation(1, lambda model: pytest.fail("evaluated"))
        writer.best_checkpoint(1)
        writer.checkpoint(1)
    assert runs.bytes_below(tmp_path) == {}
