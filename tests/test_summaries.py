"""Tags with their weights; event files that are cut back to a step."""

import os

import pytest
import tensorflow as tf

from ugatit_tf.config import Config
from ugatit_tf.training import summaries


def test_a_term_is_written_with_its_weight_too():
    options = {"cycle_weight": 20.0, "cam_weight": 1000.0, "adv_weight": 2.0, "GP_ld": 5.0}
    terms = {
        "a2b/cycle": 0.5,
        "b2a/cam": 0.25,
        "a2b/adversarial": 3.0,
        "discriminator_a/local": 1.5,
        "discriminator_b/penalty": 0.5,
        "weight_decay/generators": 7.0,
        "Generator_loss": 9.0,
    }
    assert summaries.weighted(terms, Config(**options)) == {
        "a2b/cycle_weighted": 10.0,
        "b2a/cam_weighted": 250.0,
        "a2b/adversarial_weighted": 6.0,
        "discriminator_a/local_weighted": 3.0,
        "discriminator_b/penalty_weighted": 5.0,
    }


def write(folder, steps):
    """One event file with a number at each of `steps`; returns its path."""
    before = set(os.listdir(folder)) if os.path.isdir(folder) else set()
    written = summaries.TensorBoard(folder)
    written.open()
    for step in steps:
        written.scalars(step, {"number": float(step)})
    written.close()
    (name,) = set(os.listdir(folder)) - before
    return os.path.join(folder, name)


def steps_in(path):
    events = (tf.compat.v1.Event.FromString(r.numpy()) for r in tf.data.TFRecordDataset(path))
    return [event.step for event in events if event.summary.value]


@pytest.mark.parametrize(("step", "left"), [(0, []), (3, [1, 3]), (4, [1, 3]), (9, [1, 3, 5])])
def test_events_after_a_step_are_cut(tmp_path, step, left):
    path = write(str(tmp_path), [1, 3, 5])
    summaries.TensorBoard(str(tmp_path)).cut(step)
    assert steps_in(path) == left


def test_a_run_that_starts_anew_shows_step_0_once(tmp_path):
    path = write(str(tmp_path), [0, 1])
    summaries.TensorBoard(str(tmp_path)).cut(-1)
    assert steps_in(path) == []
    assert os.path.getsize(path) > 0  # the version of the file, which its readers want first
    again = write(str(tmp_path), [0, 1])
    assert [steps_in(path), steps_in(again)] == [[], [0, 1]]


def test_a_half_written_event_is_cut(tmp_path):
    path = write(str(tmp_path), [1, 3, 5])
    os.truncate(path, os.path.getsize(path) - 3)
    summaries.TensorBoard(str(tmp_path)).cut(9)
    assert steps_in(path) == [1, 3]


def test_all_files_are_cut_back_and_other_files_are_left_alone(tmp_path):
    paths = [write(str(tmp_path), steps) for steps in ([1, 2], [3, 4], [5, 6])]
    (tmp_path / "notes.txt").write_text("mine")
    summaries.TensorBoard(str(tmp_path)).cut(3)
    assert [steps_in(path) for path in paths] == [[1, 2], [3], []]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_cutting_where_nothing_was_written_does_nothing(tmp_path):
    summaries.TensorBoard(str(tmp_path / "nowhere")).cut(3)
    assert not list(tmp_path.iterdir())
