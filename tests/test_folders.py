"""What is in the folders of a dataset, and the files that are left out."""

import hashlib
import logging
import os

import numpy as np
import pytest

from tests import runs
from ugatit_tf.data import folders
from ugatit_tf.errors import Failure
from ugatit_tf.images import image_file


def test_a_split_knows_its_images_and_their_sizes(tmp_path):
    paths = runs.write_images(str(tmp_path), ["b.png", "d.bmp"], height=10, width=14)
    paths += runs.write_images(str(tmp_path), ["a.jpg"], height=300, width=200)
    paths += runs.write_images(str(tmp_path), ["c.webp"], height=9, width=400)
    split = folders.examine(tmp_path)
    assert split.paths == sorted(paths)
    assert (split.smallest, split.largest) == ((9, 400), (300, 200))
    assert (split.refused, split.near_empty) == ([], [])


@pytest.mark.parametrize("kind", ["missing", "a file"])
def test_no_folder_is_a_split_without_images(tmp_path, kind):
    if kind == "a file":
        (tmp_path / "trainA").write_text("text")
    split = folders.examine(tmp_path / "trainA")
    assert (split.paths, split.refused, split.smallest, split.largest) == ([], [], None, None)


def test_a_thin_drawing_in_a_large_image_is_not_empty(tmp_path):
    pixels = np.full([1000, 1500, 3], 255, np.uint8)
    pixels[::100] = 0
    image_file.write(tmp_path / "drawing.png", pixels)
    assert folders.examine(tmp_path).near_empty == []


def test_the_fingerprint_is_of_names_and_contents_and_not_of_times(tmp_path):
    path, other = runs.write_images(str(tmp_path / "one"), ["a.png", "b.png"])
    first = folders.examine(tmp_path / "one").fingerprint
    assert len(first) == 64
    os.utime(path, (1, 1))
    assert folders.examine(tmp_path / "one").fingerprint == first
    os.rename(tmp_path / "one", tmp_path / "two")
    assert folders.examine(tmp_path / "two").fingerprint == first
    (tmp_path / "two" / "broken.png").write_bytes(b"")
    assert folders.examine(tmp_path / "two").fingerprint == first
    os.rename(tmp_path / "two" / "b.png", tmp_path / "two" / "c.png")
    renamed = folders.examine(tmp_path / "two").fingerprint
    runs.write_images(str(tmp_path / "two"), ["a.png"], seed=1)
    assert len({first, renamed, folders.examine(tmp_path / "two").fingerprint}) == 3


def test_the_fingerprint_is_the_one_that_run_folders_hold_already(tmp_path):
    names = ["ü.png", "z.png", "夏.png", "😀.png", os.fsdecode(b"latin-1 \xe9.png"), "q\"'.png"]
    for number, name in enumerate(names):
        (path,) = runs.write_images(str(tmp_path), ["one.png"], seed=number)
        os.rename(path, tmp_path / name)
    for count in (len(names), 1, 0):
        for name in sorted(os.listdir(tmp_path))[count:]:
            os.remove(tmp_path / name)
        split = folders.examine(tmp_path)
        ordered = sorted((os.fsencode(p.name), p.num_bytes, p.digest) for p in split.images)
        assert len(ordered) == count
        assert split.fingerprint == hashlib.sha256(repr(ordered).encode()).hexdigest()


def test_files_that_cannot_be_read_are_named_in_one_warning_and_left_out(tmp_path, caplog):
    good = runs.write_images(str(tmp_path), ["b.png", "a.png"])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "page.jpg").write_bytes(b"<html>not found</html>")
    (tmp_path / "folder.png").mkdir()
    with caplog.at_level(logging.WARNING):
        assert folders.images_in(str(tmp_path)) == sorted(good)
    assert len(caplog.records) == 1
    message = caplog.records[0].getMessage()
    assert f"3 of 5 files in {tmp_path} cannot be read and are left out" in message
    for name in ("empty.png", "page.jpg", "folder.png"):
        assert message.count(name) == 1
    assert "a.png" not in message


def test_a_warning_stays_readable_however_many_files_it_is_about(tmp_path, caplog):
    runs.write_images(str(tmp_path), ["good.png"])
    for number in range(60):
        (tmp_path / f"bad_{number:02d}.jpg").write_bytes(b"")
    folders.images_in(str(tmp_path))
    (record,) = caplog.records
    assert record.getMessage().count("bad_") == 50
    assert "and 10 more. " in record.getMessage()


def test_a_folder_of_good_images_warns_of_nothing(tmp_path, caplog):
    paths = runs.write_images(str(tmp_path), ["1.png", "2.jpg"])
    assert folders.images_in(str(tmp_path)) == paths
    assert caplog.records == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"There is no folder .*trainA.* Expected JPEG.* in dataset/NAME/trainA"),
        ({}, r"No readable image in .*trainA"),
        ({"only.png": b"text"}, r"No readable image in .*trainA"),
    ],
)
def test_a_folder_without_an_image_is_a_failure_that_says_what_is_expected(
    tmp_path, content, message
):
    folder = tmp_path / "trainA"
    if content is not None:
        folder.mkdir()
        for name, data in content.items():
            (folder / name).write_bytes(data)
    with pytest.raises(Failure, match=message):
        folders.images_in(str(folder))
