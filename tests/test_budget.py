"""The time of a run: it ends in time, counts over all starts, and the last checkpoint fits in."""

import pytest
import tensorflow as tf

from tests.clock import Clock
from ugatit_tf.training import budget, checkpoints
from ugatit_tf.training.budget import Budget, used_seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(budget, "time", clock)
    return clock


def save(folder, step, notes):
    state = {"weights": {"w": tf.Variable(1.0)}}
    checkpoints.save(str(folder), step, state, notes=notes)


def work(clock, time, step, writing=0.0):
    """One step, and what is written after it unless the time is up; whether it is."""
    clock.now += step
    time.steps_end()
    if time.is_up():
        return True
    clock.now += writing
    time.writing_ends()
    return False


def test_a_run_without_a_limit_counts_and_never_ends(clock):
    time = Budget()
    assert not work(clock, time, 1e6, 1e6)
    assert (time.seconds, time.gone, time.limit) == (2e6, 0.0, 0.0)


def test_the_last_step_leaves_the_time_that_the_slowest_writing_took(clock):
    time, steps = Budget(minutes=2), 0
    writing = {3: 9.0, 5: 2.0}
    while not work(clock, time, 4.0, writing.get(steps, 0.0)):
        steps += 1
    assert 9.0 <= time.left <= 9.0 + 4.0
    clock.now += 9.0  # the last writing
    assert time.seconds <= 120


def test_before_anything_was_written_a_twentieth_of_the_time_is_kept_for_it(clock):
    time = Budget(minutes=2)
    while not work(clock, time, 1.0):
        pass
    assert 6.0 <= time.left <= 7.0
    assert Budget(minutes=600).is_up() is False


def test_the_first_step_which_builds_the_graph_does_not_end_a_short_run(clock):
    time = Budget(minutes=1)
    assert not work(clock, time, 40.0)
    assert not work(clock, time, 1.0)


def test_the_time_of_a_call_grows_with_its_steps(clock):
    time = Budget(minutes=2)
    for steps in (4, 2):
        clock.now += 10.0 * steps
        time.steps_end(steps)
    assert not time.is_up(5)  # 60 seconds are left, of which 6 are for writing
    assert time.is_up(6)


def test_the_part_that_is_gone_grows_from_0_to_1_over_all_starts(clock):
    time = Budget(minutes=1, used=15.0)
    assert time.gone == 0.25
    clock.now += 30
    assert time.gone == 0.75
    clock.now += 30
    assert time.gone == 1.0
    assert time.left == 0.0


def test_an_ended_run_has_used_all_of_its_time_and_goes_on_if_it_gets_more(clock, tmp_path):
    time = Budget(minutes=1)
    clock.now += 57
    time.end()
    assert time.seconds == 60
    save(tmp_path, 7, time.notes())
    used = used_seconds(str(tmp_path), 7)
    assert Budget(1, used).gone == 1
    assert Budget(2, used).gone == 0.5


def test_a_checkpoint_without_a_note_has_used_no_time(tmp_path):
    save(tmp_path, 1, {})
    save(tmp_path, 2, {budget.NOTE: ["edited"]})
    assert [used_seconds(str(tmp_path), step) for step in (0, 1, 2)] == [0, 0, 0]
