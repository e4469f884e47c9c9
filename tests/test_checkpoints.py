"""A checkpoint is written whole or not at all, and restored whole or not at all."""

import errno
import os

import numpy as np
import pytest
import tensorflow as tf

from tests.runs import ODD_NAMES
from ugatit_tf.errors import Failure
from ugatit_tf.training import checkpoints


def state_of(number=0, **extra):
    """Two groups of variables with numbers that depend on `number`."""
    draw = np.random.default_rng(number)
    return {
        "weights": {
            "a2b/stem/kernel": tf.Variable(draw.normal(size=[3, 2]).astype(np.float32)),
            "a2b/stem/bias": tf.Variable(draw.normal(size=[2]).astype(np.float32)),
            **extra,
        },
        "progress": {"steps_done": tf.Variable(number, dtype=tf.int64)},
    }


def arrays(state):
    return {group: {n: v.numpy() for n, v in named.items()} for group, named in state.items()}


def assert_same(state, expected):
    assert arrays(state).keys() == expected.keys()
    for group, named in arrays(state).items():
        assert named.keys() == expected[group].keys()
        for name, array in named.items():
            np.testing.assert_array_equal(array, expected[group][name], err_msg=name)


def failing(*_, **__):
    raise OSError("no space left on device")


def test_what_is_restored_is_bit_for_bit_what_was_saved(tmp_path):
    path = checkpoints.save(str(tmp_path), 7, state_of(7))
    assert path == str(tmp_path / "step_0000007")
    assert checkpoints.newest(str(tmp_path)) == path
    fresh = state_of(0)
    checkpoints.restore(path, fresh)
    assert_same(fresh, arrays(state_of(7)))


def test_the_run_folder_is_made_where_it_is_missing(tmp_path):
    checkpoints.save(str(tmp_path / "checkpoint" / "new"), 1, state_of())
    assert os.listdir(tmp_path / "checkpoint" / "new") == ["step_0000001"]


def test_the_newest_few_are_kept(tmp_path):
    for step in (2, 3, 5, 7, 11, 13, 17):
        checkpoints.save(str(tmp_path), step, state_of(step))
    assert list(checkpoints.saved(str(tmp_path))) == [5, 7, 11, 13, 17]
    checkpoints.save(str(tmp_path), 19, state_of(19), keep=2)
    assert list(checkpoints.saved(str(tmp_path))) == [17, 19]
    assert sorted(os.listdir(tmp_path)) == ["step_0000017", "step_0000019"]


def test_the_order_is_that_of_numbers_beyond_seven_digits(tmp_path):
    for step in (10_000_000, 9_999_999, 100_000_000):
        checkpoints.save(str(tmp_path), step, state_of())
    assert list(checkpoints.saved(str(tmp_path))) == [9_999_999, 10_000_000, 100_000_000]
    assert checkpoints.newest(str(tmp_path)) == str(tmp_path / "step_100000000")


def test_a_step_that_is_saved_already_stays_as_it_is(tmp_path):
    checkpoints.save(str(tmp_path), 4, state_of(1))
    path = checkpoints.save(str(tmp_path), 4, state_of(2))
    fresh = state_of(0)
    checkpoints.restore(path, fresh)
    assert_same(fresh, arrays(state_of(1)))


def test_only_finished_checkpoints_are_taken_for_one(tmp_path):
    for name in (".step_0000009.unfinished", "step_12", "step_0000001.old", "my step_0000002"):
        (tmp_path / name).mkdir()
    (tmp_path / "config.json").write_text("{}")
    assert checkpoints.saved(str(tmp_path)) == {}
    with pytest.raises(Failure, match="No checkpoint in .* Train first"):
        checkpoints.newest(str(tmp_path))


def test_a_run_folder_that_is_not_there_has_no_checkpoint(tmp_path):
    assert checkpoints.saved(str(tmp_path / "nowhere")) == {}
    with pytest.raises(Failure, match="No checkpoint in"):
        checkpoints.newest(str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("where", "name"), [(tf.raw_ops, "SaveV2"), (checkpoints.os, "rename")], ids=["write", "rename"]
)
def test_a_write_that_fails_leaves_the_old_ones_and_the_next_one_cleans_up(
    tmp_path, monkeypatch, where, name
):
    for step in (1, 2, 3, 4, 5):
        checkpoints.save(str(tmp_path), step, state_of(step))
    with monkeypatch.context() as patch:
        patch.setattr(where, name, failing)
        with pytest.raises(Failure, match="step_0000006 could not be written: no space left"):
            checkpoints.save(str(tmp_path), 6, state_of(6))
    assert list(checkpoints.saved(str(tmp_path))) == [1, 2, 3, 4, 5]
    fresh = state_of(0)
    checkpoints.restore(checkpoints.newest(str(tmp_path)), fresh)
    assert_same(fresh, arrays(state_of(5)))

    checkpoints.save(str(tmp_path), 6, state_of(6))
    assert sorted(os.listdir(tmp_path)) == [f"step_000000{step}" for step in (2, 3, 4, 5, 6)]


def refused(path, state):
    """The message with which a restore is refused; nothing may have changed."""
    before = arrays(state)
    with pytest.raises(Failure) as caught:
        checkpoints.restore(path, state)
    assert_same(state, before)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_variable_that_the_checkpoint_lacks_is_named(tmp_path):
    path = checkpoints.save(str(tmp_path), 1, state_of(1))
    message = refused(path, state_of(0, rho=tf.Variable([1.0])))
    assert "another architecture" in message
    assert "weights/rho" in message


def test_a_variable_that_is_left_over_is_named(tmp_path):
    path = checkpoints.save(str(tmp_path), 1, state_of(1, rho=tf.Variable([1.0])))
    assert "weights/rho" in refused(path, state_of(0))


def test_a_variable_of_another_shape_is_named(tmp_path):
    path = checkpoints.save(str(tmp_path), 1, state_of(1, rho=tf.Variable([1.0, 2.0])))
    assert "weights/rho" in refused(path, state_of(0, rho=tf.Variable([[1.0, 2.0]])))


@pytest.mark.parametrize("file", ["state.index", "state.data-00000-of-00001"])
@pytest.mark.parametrize("damage", ["garbage", "cut off", "gone"])
def test_a_damaged_checkpoint_is_refused_with_what_to_do(tmp_path, file, damage):
    path = checkpoints.save(str(tmp_path), 1, state_of(1))
    damaged = tmp_path / "step_0000001" / file
    if damage == "gone":
        damaged.unlink()
    else:
        data = damaged.read_bytes()
        damaged.write_bytes(b"garbage" * 9 if damage == "garbage" else data[: len(data) // 2])
    message = refused(path, state_of(0))
    assert "cannot be read" in message and "Remove that folder" in message
    with pytest.raises(Failure, match="cannot be read") as caught:
        checkpoints.groups(path)
        checkpoints.restore(path, state_of(0))  # the index alone names the groups
    assert "Remove that folder" in str(caught.value)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_run_of_any_name_is_restored(tmp_path, name):
    run = str(tmp_path / name)
    path = checkpoints.save(run, 7, state_of(7))
    fresh = state_of(0)
    checkpoints.restore(checkpoints.newest(run), fresh)
    assert_same(fresh, arrays(state_of(7)))
    assert checkpoints.groups(path) == {"weights", "progress"}


def test_a_checkpoint_that_the_system_does_not_give_is_not_called_bad(tmp_path, monkeypatch):
    path = checkpoints.save(str(tmp_path), 1, state_of(1))

    def no_more_files(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    def fails(*_):
        raise tf.errors.OpError(None, None, "state.index; Too many open files", 2)

    monkeypatch.setattr(tf.train, "load_checkpoint", fails)
    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", no_more_files)
        with pytest.raises(Failure) as caught:
            checkpoints.restore(path, state_of(0))
    assert "may be whole" in str(caught.value) and "Remove" not in str(caught.value)


def test_a_checkpoint_that_can_be_read_after_all_is_not_called_bad(tmp_path, monkeypatch):
    path = checkpoints.save(str(tmp_path), 1, state_of(1))
    answers = [tf.errors.OpError(None, None, "once", 2), tf.train.load_checkpoint(path + "/state")]

    def load_checkpoint(_):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(tf.train, "load_checkpoint", load_checkpoint)
    with pytest.raises(Failure, match="A second attempt could read it: start again"):
        checkpoints.restore(path, state_of(0))


def test_an_empty_folder_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "step_0000001").mkdir()
    message = refused(checkpoints.newest(str(tmp_path)), state_of(0))
    assert "Remove that folder" in message


def test_one_group_can_be_restored_without_the_others(tmp_path):
    path = checkpoints.save(str(tmp_path), 7, state_of(7))
    weights = {"weights": state_of(0)["weights"]}
    checkpoints.restore(path, weights)
    assert_same(weights, {"weights": arrays(state_of(7))["weights"]})


def test_the_best_is_the_one_with_the_smallest_value_and_only_that_is_kept(tmp_path):
    run = str(tmp_path)
    for step, value in ((1, 0.5), (2, 0.75), (3, 0.25), (4, 0.25)):
        checkpoints.save_if_best(run, step, state_of(step), "kid", value)
    path, metric = checkpoints.best(run)
    assert metric == {"tag": "kid", "value": 0.25}
    assert path == checkpoints.chosen(run, "best") == str(tmp_path / "best" / "step_0000003")
    assert os.listdir(tmp_path / "best") == ["step_0000003"]
    assert checkpoints.saved(run) == {}
    fresh = state_of(0)
    checkpoints.restore(path, fresh)
    assert_same(fresh, arrays(state_of(3)))


def test_by_another_metric_the_best_is_looked_for_anew_even_at_an_earlier_step(tmp_path):
    checkpoints.save_if_best(str(tmp_path), 5, state_of(5), "kid", 0.5)
    checkpoints.save_if_best(str(tmp_path), 4, state_of(4), "a2b/cycle", 3.0)
    path, metric = checkpoints.best(str(tmp_path))
    assert os.path.basename(path) == "step_0000004"
    assert metric["tag"] == "a2b/cycle"


def test_without_a_best_one_the_option_that_keeps_it_is_named(tmp_path):
    checkpoints.save(str(tmp_path), 1, state_of())
    with pytest.raises(Failure, match="--best_by"):
        checkpoints.chosen(str(tmp_path), "best")
    assert checkpoints.chosen(str(tmp_path), "latest") == checkpoints.newest(str(tmp_path))


def test_networks_that_a_checkpoint_cannot_hold_are_refused_before_they_are_built(tmp_path):
    path = checkpoints.save(str(tmp_path), 1, state_of(1))  # 8 float32, and one int64
    checkpoints.check_room(path, 10)
    with pytest.raises(Failure, match="another architecture: it has at most 10 numbers.* 11"):
        checkpoints.check_room(path, 11)
    checkpoints.check_room(str(tmp_path / "step_0000009"), 11)  # what is missing, reading says


def test_two_best_ones_stay_until_the_run_cannot_fall_back_behind_the_newer(tmp_path):
    run, best = str(tmp_path), str(tmp_path / "best")
    for step, value in ((1, 0.5), (2, 0.25)):
        checkpoints.save_if_best(run, step, state_of(step), "kid", value)
        checkpoints.save(run, step, state_of(step))
        assert os.path.basename(checkpoints.best(run)[0]) == checkpoints.folder_name(step)
        assert list(checkpoints.saved(best)) == list(range(1, step + 1))
    for step, value in ((3, 0.2), (4, 0.1)):  # measured between two checkpoints
        checkpoints.save_if_best(run, step, state_of(step), "kid", value)
        assert list(checkpoints.saved(best)) == [2, step]
        assert os.path.basename(checkpoints.best(run)[0]) == checkpoints.folder_name(step)
    checkpoints.remove_older_best(run)
    assert list(checkpoints.saved(best)) == [4]


def test_best_ones_of_later_steps_are_cut_and_the_one_before_is_taken(tmp_path):
    run = str(tmp_path)
    checkpoints.save(run, 2, state_of(2))
    for step, value in ((1, 0.5), (3, 0.25)):
        checkpoints.save_if_best(run, step, state_of(step), "kid", value)
    later, _ = checkpoints.best(run)
    assert checkpoints.tidy(run, 2) == [later]
    assert checkpoints.best(run) == (
        str(tmp_path / "best" / "step_0000001"),
        {"tag": "kid", "value": 0.5},
    )
    assert checkpoints.tidy(run, 2) == []


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "[]",
        '{"tag": "kid"}',
        '{"tag": "k',
        "3",
        '{"tag": "kid", "value": "1"}',
        "[" * 100_000,
    ],
    ids=lambda content: str(content)[:20],
)
def test_an_incomplete_best_one_blocks_nothing(tmp_path, content):
    """As older versions left it, which removed file by file."""
    run, half = str(tmp_path), tmp_path / "best" / "step_0000003"
    checkpoints.save_if_best(run, 2, state_of(2), "kid", 0.5)
    half.mkdir()
    if content is not None:
        (half / checkpoints.METRIC).write_text(content)
    assert os.path.basename(checkpoints.best(run)[0]) == "step_0000002"
    checkpoints.save_if_best(run, 4, state_of(4), "kid", 0.25)
    checkpoints.save(run, 4, state_of(4))
    assert checkpoints.tidy(run, 4) == []
    assert os.listdir(tmp_path / "best") == ["step_0000004"]


def test_tidying_removes_what_killed_processes_left(tmp_path, monkeypatch):
    run = str(tmp_path)
    with monkeypatch.context() as patch:  # as if killed before older ones were removed
        patch.setattr(checkpoints.atomic, "remove", lambda path: None)
        for step in range(1, 8):
            checkpoints.save(run, step, state_of(step))
    for folder in (tmp_path, tmp_path / "best"):
        (folder / f".{'a' * 32}.unfinished").mkdir(parents=True)
    checkpoints.tidy(run, 7)
    assert sorted(os.listdir(tmp_path)) == ["best", *(f"step_000000{n}" for n in range(3, 8))]
    assert os.listdir(tmp_path / "best") == []


@pytest.mark.parametrize("damage", [b"garbage" * 9, b"", None])
def test_looking_for_groups_in_a_damaged_checkpoint_says_what_to_do(tmp_path, damage):
    path = checkpoints.save(str(tmp_path), 1, state_of(1))
    assert checkpoints.groups(path) == {"weights", "progress"}
    index = tmp_path / "step_0000001" / "state.index"
    index.unlink() if damage is None else index.write_bytes(damage)
    with pytest.raises(Failure, match="step_0000001 cannot be read: .* Remove that folder"):
        checkpoints.groups(path)


def test_notes_come_back_and_a_damaged_one_says_what_to_do(tmp_path):
    path = checkpoints.save(str(tmp_path), 1, state_of(1), notes={"means.json": [0.1, 2]})
    assert checkpoints.note(path, "means.json") == [0.1, 2]
    with pytest.raises(FileNotFoundError):
        checkpoints.note(path, "other.json")
    (tmp_path / "step_0000001" / "means.json").write_text("[0.1,")
    with pytest.raises(Failure, match="step_0000001 cannot .*means.json is not valid JSON"):
        checkpoints.note(path, "means.json")
