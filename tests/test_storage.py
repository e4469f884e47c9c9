"""Datasets on another file system: TensorFlow's in memory stands for all that have a scheme."""

import os
import uuid

import numpy as np
import pytest
import tensorflow as tf

from tests import made, runs
from ugatit_tf import doctor
from ugatit_tf.data import folders, pipeline, storage
from ugatit_tf.errors import Failure
from ugatit_tf.images.errors import UnreadableImage

NAMES = ["été 夏.png", "#a?b&c=d 100%.png", "plain.png"]


@pytest.fixture
def far():
    """A folder in TensorFlow's memory that no other test has."""
    return f"ram://bucket/{uuid.uuid4().hex}"


def copy(folder, far):
    """Copies a local folder with all below it."""
    for name, content in runs.bytes_below(folder).items():
        path = f"{far}/{name}"
        tf.io.gfile.makedirs(os.path.dirname(path))
        with tf.io.gfile.GFile(path, "wb") as file:
            file.write(content)


@pytest.fixture
def both(tmp_path, far):
    """The same dataset on disk and far away."""
    for split, seed in (("trainA", 1), ("trainB", 2)):
        runs.write_images(str(tmp_path / split), NAMES, seed=seed)
        runs.write_images(str(tmp_path / split), ["large.jpg"], height=300, width=200)
    (tmp_path / "trainA" / "page.png").write_bytes(b"<html>not found</html>")
    copy(tmp_path, far)
    return str(tmp_path), far


def test_a_remote_folder_is_examined_like_a_local_one(both):
    near, far = (folders.examine(storage.join(folder, "trainA")) for folder in both)
    assert list(far.images) == list(near.images)
    assert len(far.images) == len(NAMES) + 1
    assert far.refused == near.refused == [("page.png", near.refused[0][1])]
    assert far.fingerprint == near.fingerprint
    assert far.paths == [f"{both[1]}/trainA/{p.name}" for p in near.images]


@pytest.mark.parametrize("cache", ["none", "memory"])
def test_batches_of_a_remote_dataset_are_those_of_a_local_one(both, cache):
    config = made.tiny_config(img_ch=3, batch_size=2, cache=cache)
    actual, named = [], []
    for folder in both:
        paths = [folders.images_in(storage.join(folder, split)) for split in folders.TRAIN]
        actual.append(list(pipeline.batches(*paths, config).take(6).as_numpy_iterator()))
        named.append(pipeline.names_of_step(*paths, config, 3))
    np.testing.assert_array_equal(*actual)
    assert named[0] == named[1]
    assert len(named[0]) == 4
    assert all(name.startswith(("trainA/", "trainB/")) for name in named[0])


def test_a_cache_on_disk_is_refused_with_a_warning_and_does_without(both, caplog, tmp_path):
    paths = folders.examine(f"{both[1]}/trainB").paths
    config = made.tiny_config(img_ch=3, cache="disk")
    near = folders.examine(f"{both[0]}/trainB").paths
    expected = list(pipeline.batches(near, near, made.tiny_config(img_ch=3)).take(3))
    caplog.clear()
    actual = list(pipeline.batches(paths, paths, config).take(3))
    np.testing.assert_array_equal(np.array(actual), np.array(expected))
    messages = {record.getMessage() for record in caplog.records}
    assert len(messages) == 1
    assert f"{both[1]}/trainB" in messages.pop()
    assert not os.path.exists("ram:")


def test_one_image_of_a_remote_folder_can_be_loaded_by_its_path(both):
    near, far = (
        pipeline.load(f"{p}/trainA/{NAMES[0]}", size=8, channels=3, antialias=False) for p in both
    )
    np.testing.assert_array_equal(near, far)


def test_a_remote_folder_that_is_not_there_is_a_split_without_images(far):
    split = folders.examine(f"{far}/trainA")
    assert (list(split.images), split.refused) == ([], [])
    with pytest.raises(Failure, match="There is no folder ram://.*trainA. Expected"):
        folders.images_in(f"{far}/trainA")


def test_a_folder_in_a_remote_folder_is_no_image(both):
    tf.io.gfile.makedirs(f"{both[1]}/trainB/sub")
    assert ("sub", "this is a folder, not an image") in folders.examine(f"{both[1]}/trainB").refused


def test_an_image_that_is_gone_is_unreadable(far):
    with pytest.raises(UnreadableImage, match="ram://.*a.png: no such file"):
        pipeline.load(f"{far}/a.png", size=8, channels=3, antialias=False)


def test_a_scheme_that_tensorflow_does_not_know_is_a_failure_that_names_the_path():
    with pytest.raises(Failure, match="nowhere://bucket/trainA.* cannot be read: .*nowhere"):
        folders.examine("nowhere://bucket/trainA")


def test_a_line_that_is_down_stops_rather_than_leaving_images_out(both, monkeypatch):
    def failing(path, mode="rb"):
        raise tf.errors.UnavailableError(None, None, "no connection\nat all")

    monkeypatch.setattr(storage, "open_file", failing)
    with pytest.raises(Failure, match="ram://.* cannot be read: no connection. Check"):
        folders.examine(f"{both[1]}/trainA")


def test_the_doctor_examines_a_remote_dataset(both, tmp_path):
    reports = []
    for folder in both:
        folder, _, name = folder.rpartition("/")
        config = made.tiny_config(dataset_dir=folder, dataset=name, img_ch=3)
        reports.append(doctor.check(config))
    assert [split.fingerprint for split in reports[0].splits.values()] == [
        split.fingerprint for split in reports[1].splits.values()
    ]
    assert [len(report.warnings) for report in reports] == [len(reports[0].warnings)] * 2


@pytest.mark.parametrize("name", [b"latin-1 \xe9", "夏 #?".encode()])
def test_a_file_appears_in_its_place_whole_or_not_at_all(tmp_path, far, name):
    for folder in (str(tmp_path / os.fsdecode(name)), far):
        path = storage.join(folder, "a.bin")
        for content, fails in ((b"old", False), (b"new", True), (b"newer", False)):
            try:
                with storage.replacing(path) as temporary:
                    with storage.open_file(temporary, "wb") as file:
                        file.write(content)
                    if fails:
                        raise KeyboardInterrupt
            except KeyboardInterrupt:
                content = b"old"
            assert storage.read_bytes(path) == content
            assert storage.list_folder(folder) == ["a.bin"]
        assert storage.num_bytes(path) == 5
        assert storage.read_bytes(path, 1, 3) == b"ewe"
        assert storage.read_bytes(path, 9, 3) == b""
        storage.remove(path)
        storage.remove(path)
        assert storage.num_bytes(path) is None


def test_free_bytes_are_those_of_the_disk_that_the_folder_will_be_on(tmp_path):
    there, not_yet = storage.free_bytes(tmp_path), storage.free_bytes(tmp_path / "not" / "yet")
    assert there > 0
    assert abs(not_yet - there) < 0.05 * there
