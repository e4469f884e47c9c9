"""Several steps in a call give bit for bit what as many calls give, each at its own time."""

import contextlib
import os
import types

import numpy as np
import pytest
import tensorflow as tf

from tests import made, runs
from tests.test_step import everything, trainer_of
from ugatit_tf.data import folders
from ugatit_tf.errors import Failure
from ugatit_tf.training import checkpoints, history, loop
from ugatit_tf.training.step import Trainer

BATCHES = [made.images(5, 2, 8, 8, 1, seed=seed) for seed in (1, 2)]
CASE = {"gan_type": "dragan", "n_critic": 2, "ema": 0.9, "iteration": 1, "decay_epoch": 2}
ASKED = types.SimpleNamespace(requested=True)  # a signal
PERIODS = {"save_freq": 3, "print_freq": 5, "summary_freq": 4, "iteration": 7, "epoch": 1}


def assert_equal_to_single_steps(**options):
    """Three steps in one call and two in the next, with a rate that falls in every step."""
    one, several = trainer_of(**options), trainer_of(steps_per_call=3, **options)
    expected = [one.step(*map(tf.constant, batch)) for batch in zip(*BATCHES)]
    batches = iter(tf.data.Dataset.from_tensor_slices(tuple(BATCHES)))
    found = several.steps(batches, 3) + several.steps(batches, 2)
    assert [list(scalars) for scalars in found] == [list(scalars) for scalars in expected]
    for scalars, wanted in zip(found, expected):
        assert {k: float(v) for k, v in scalars.items()} == {k: float(v) for k, v in wanted.items()}
    state = everything(several)
    for name, array in everything(one).items():
        np.testing.assert_array_equal(state[name], array, err_msg=name)


def test_several_steps_in_a_call_are_single_steps(untraced):
    assert_equal_to_single_steps(**CASE)


@pytest.mark.slow
def test_so_they_are_as_one_graph():
    assert_equal_to_single_steps(**CASE)


@pytest.mark.slow
def test_so_are_accumulated_steps_in_half_precision():
    assert_equal_to_single_steps(precision="float16", accumulate=2)


def trained(root, **options):
    """The configuration of a new run that is finished."""
    runs.write_dataset(root / "dataset" / "tiny", folders.TRAIN)
    return run_of(root, **options)


def run_of(root, **options):
    """The configuration of a run that went on until its end, or a signal."""
    config = runs.config_in(root, **{**PERIODS, **options})
    splits = {
        name: folders.examine(os.path.join(config.dataset_folder, name)) for name in folders.TRAIN
    }
    loop.train(config, splits)
    return config


def told(config):
    """What a run has recorded, but for times and memory."""
    return runs.repeatable(history.read(config.run_folder))


@pytest.mark.slow
def test_what_is_due_in_the_middle_of_a_call_happens_at_its_step_in_a_resumed_run_too(
    untraced, tmp_path, monkeypatch, capsys
):
    single = trained(tmp_path / "single")
    with monkeypatch.context() as patch:
        patch.setattr(loop, "stop_requests", lambda: contextlib.nullcontext(ASKED))
        several = trained(tmp_path / "several", steps_per_call=100)
    assert list(checkpoints.saved(several.run_folder)) == [3]  # the end of the call
    assert "Stopped and saved after step 3" in capsys.readouterr().out
    run_of(tmp_path / "several", steps_per_call=100)
    assert [line["step"] for line in told(several)] == [4, 7]
    assert told(several) == told(single)
    samples, saved = (
        [sorted(os.listdir(os.path.join(c.sample_dir, c.run_name))) for c in (single, several)],
        [checkpoints.saved(c.run_folder) for c in (single, several)],
    )
    assert samples[0] == samples[1]
    assert list(saved[0]) == list(saved[1]) == [3, 6, 7]


def test_a_loss_that_is_not_finite_is_told_with_its_own_step(untraced, tmp_path, monkeypatch):
    real = Trainer.steps

    def steps(trainer, batches, count):
        found = real(trainer, batches, count)
        if count == 3:
            found[1]["finite"], found[1]["D_A_loss"] = 0.0, np.float32(np.nan)
        return found

    monkeypatch.setattr(Trainer, "steps", steps)
    with pytest.raises(Failure, match=r"Step 2: not a finite number: D_A_loss\. Images: trainA/"):
        trained(tmp_path, steps_per_call=3)


def test_the_steps_of_a_call_are_counted_at_once_for_a_true_rate(untraced, tmp_path, monkeypatch):
    real, counts = loop.Progress.update, []

    def update(bar, count=1, **values):
        counts.append((bar.unit, count))
        real(bar, count, **values)

    monkeypatch.setattr(loop.Progress, "update", update)
    monkeypatch.setattr(loop, "stop_requests", lambda: contextlib.nullcontext(ASKED))
    trained(tmp_path, steps_per_call=3)
    assert [count for unit, count in counts if unit == "step"] == [3]


def test_calls_end_where_something_is_due():
    config = made.tiny_config(steps_per_call=4, **{**PERIODS, "epoch": 2, "eval_freq": 13})
    steps = [0]
    while steps[-1] < config.total_steps:
        steps.append(steps[-1] + loop._steps_of_call(steps[-1], config))
    assert steps == [0, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14]
