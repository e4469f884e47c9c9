"""A run folder records where the run comes from, and its numbers over time."""

import json

import pytest

from ugatit_tf import config_file
from ugatit_tf.config import VERSION, Config
from ugatit_tf.data import folders
from ugatit_tf.training import history


def split(*names):
    """A folder with images of these names, whose contents are their names."""
    images = [folders.ImageInfo(n, (8, 8), num_bytes=1, digest=n, deviation=9.0) for n in names]
    return folders.Split("folder", images, [])


def lines_of(folder):
    return [json.loads(line) for line in (folder / history.FILE).read_text().splitlines()]


def test_each_summary_adds_one_line_of_json(tmp_path):
    history.append(str(tmp_path), 100, {"D_A_loss": 0.5})
    history.append(str(tmp_path), 200, {"D_A_loss": 0.25, "lr": 1})
    assert lines_of(tmp_path) == [
        {"step": 100, "D_A_loss": 0.5},
        {"step": 200, "D_A_loss": 0.25, "lr": 1.0},
    ]


def test_lines_after_the_checkpoint_and_half_lines_are_cut(tmp_path):
    for step in (1, 2, 3):
        history.append(str(tmp_path), step, {})
    with open(tmp_path / history.FILE, "a") as file:
        file.write('{"step": 2, "D_A')
    history.cut(str(tmp_path), 2)
    assert [line["step"] for line in lines_of(tmp_path)] == [1, 2]
    assert [path.name for path in tmp_path.iterdir()] == [history.FILE]


def test_cutting_where_there_is_no_history_does_nothing(tmp_path):
    history.cut(str(tmp_path), 2)
    assert not list(tmp_path.iterdir())


def test_a_run_records_its_versions_and_its_dataset():
    splits = {"trainA": split("1", "2"), "trainB": split("3")}
    record = history.about(Config(), splits, ({}, {}), 0)
    assert record["versions"]["ugatit_tf"] == VERSION
    assert {name: split["pictures"] for name, split in record["dataset"].items()} == {
        "trainA": 2,
        "trainB": 1,
    }
    assert record["dataset"]["trainA"]["fingerprint"] == splits["trainA"].fingerprint
    assert record["changes"] == []


def test_what_was_changed_is_recorded_with_its_step_and_added_to_what_was_before(tmp_path):
    first = {"step": 1, "option": "epoch", "from": 2, "to": 3}
    Config(lr=1e-4).save(str(tmp_path), {"changes": [first]})
    record = history.about(Config(lr=2e-4), {}, config_file.read_about(str(tmp_path)), 50)
    assert record["changes"] == [
        first,
        {"step": 50, "option": "lr", "from": 1e-4, "to": 2e-4},
    ]


def test_other_images_than_before_are_recorded():
    splits = {"trainA": split("1", "2"), "trainB": split("3")}
    before = history.about(Config(), splits, ({}, {}), 0)
    after = history.about(Config(), {**splits, "trainB": split("4")}, ({}, before), 9)
    (change,) = after["changes"]
    assert (change["step"], change["option"]) == (9, "trainB")
    assert change["to"] == after["dataset"]["trainB"] != change["from"]


@pytest.mark.parametrize("entry", [7, "x", [1], [[]], {"a": 1}, [{"step": 9}], None])
def test_entries_in_the_record_of_a_run_may_be_of_any_kind(entry):
    before = {"changes": entry, "dataset": entry, "devices": entry}
    splits = {"trainA": split("1"), "trainB": split("3")}
    assert history.about(Config(), splits, ({}, before), 9)["changes"] == []


def test_lines_of_any_kind_are_no_numbers(tmp_path):
    lines = ["[1]", "7", '{"step": "x"}', '{"step": 3}', "[" * 100_000, '{"step": 4, "a']
    (tmp_path / history.FILE).write_text("\n".join(lines))
    assert history.read(tmp_path) == [{"step": "x"}, {"step": 3}]
    history.cut(tmp_path, 3)
    assert lines_of(tmp_path) == [{"step": 3}]
