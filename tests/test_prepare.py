"""`prepare` makes a dataset of people's own images; their files stay as they are."""

import filecmp
import importlib.util
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import main
from tests.loopback import png
from ugatit_tf.data import folders
from ugatit_tf.images import image_file
from ugatit_tf.translation import face

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture(autouse=True)
def sources(tmp_path, monkeypatch):
    """20 photographs and 11 drawings."""
    monkeypatch.chdir(tmp_path)
    for folder, count in (("photos", 20), ("drawings", 11)):
        os.mkdir(folder)
        for number in range(count):
            with open(f"{folder}/{number}.png", "wb") as file:
                file.write(png(10 * number + len(folder), side=8))


@pytest.fixture
def run(capsys):
    """run(*words) -> (exit code, output, errors)."""

    def called(*words):
        needed = ["--folder_a", "photos", "--folder_b", "drawings", "--smallest", "8"]
        code = main.main(["prepare", "mine", *needed, *words])
        return (code, *capsys.readouterr())

    return called


def names(split, dataset="mine"):
    return set(os.listdir(f"dataset/{dataset}/{split}"))


def rotated(path, size=(8, 16)):
    """A JPEG whose upper half is red once it is turned upright; its pixels lie on their side."""
    image = Image.new("RGB", (size[1], size[0]), BLUE)
    image.paste(RED, (0, 0, size[1] // 2, size[0]))
    exif = Image.Exif()
    exif[image_file.ORIENTATION] = 6
    image.save(path, exif=exif, quality=95)


def test_two_folders_become_a_dataset_and_stay(run):
    before = {name: Path("photos", name).read_bytes() for name in os.listdir("photos")}
    code, out, err = run()
    assert (code, err) == (0, "")
    assert "A: 18 images to train, 2 to test, of photos\n" in out
    assert "B: 10 images to train, 1 to test, of drawings\n" in out
    assert "To use it: --dataset mine" in out
    assert names("trainA") | names("testA") == set(before) and len(names("testA")) == 2
    assert not names("trainA") & names("testA") and len(names("testB")) == 1
    for name, content in before.items():
        split = "testA" if name in names("testA") else "trainA"
        for path in (f"dataset/mine/{split}/{name}", f"photos/{name}"):
            assert Path(path).read_bytes() == content


def test_the_test_images_are_a_function_of_the_seed_and_the_names(run):
    def tested(dataset, *words):
        assert main.main(["prepare", dataset, "--folder_a", "photos", "--folder_b", "drawings",
                          "--smallest", "0", "--test", "5", *words]) == 0  # fmt: skip
        return names("testA", dataset)

    first = tested("a")
    assert tested("b") == first and tested("c", "--seed", "1") != first
    with open("photos/new.png", "wb") as file:
        file.write(png(255))
    assert len(tested("d") & first) >= 4


def test_what_cannot_be_used_is_left_out_and_counted(run):
    with open("photos/broken.jpg", "wb") as file:
        file.write(png(1)[:30])
    with open("photos/notes.txt", "w") as file:
        file.write("notes")
    with open("photos/small.png", "wb") as file:
        file.write(png(123, side=7))
    shutil.copy("photos/3.png", "photos/again.png")
    os.mkdir("photos/older")
    code, out, _ = run("--test", "3")
    assert code == 0 and "A: 17 images to train, 3 to test" in out
    assert "left out, broken or no image: 3 (broken.jpg: " in out
    assert "left out, smaller than 8 pixels: 1 (small.png)\n" in out
    assert "left out, copies of others: 1 (again.png)\n" in out
    found = names("trainA") | names("testA")
    assert len(found) == 20 and not found & {"broken.jpg", "notes.txt", "small.png", "older"}


def test_the_new_dataset_has_nothing_to_complain_of(run):
    run("--test", "2")
    for split in ("trainA", "trainB", "testA", "testB"):
        examined = folders.examine(f"dataset/mine/{split}")
        assert examined.refused == [] and examined.duplicates == []


def test_whole_photographs_keep_their_bytes_and_their_rotation(run):
    rotated("photos/turned.jpg")
    assert run("--test", "0")[0] == 0
    path = "dataset/mine/trainA/turned.jpg"
    assert filecmp.cmp(path, "photos/turned.jpg", shallow=False)
    assert image_file.read(path).shape == (16, 8, 3)


@pytest.fixture
def detector(monkeypatch):
    """A face is the upper square of an image that is not square; OpenCV is not needed."""
    monkeypatch.setattr(face, "require", lambda option: None)

    def find(pixels):
        height, width = pixels.shape[:2]
        return None if height == width else (0, 0, min(height, width))

    monkeypatch.setattr(face, "find", find)


def test_faces_are_cut_out_of_photographs_that_stand_upright(run, detector):
    for number, size in enumerate([(8, 16), (10, 30), (4, 16)]):
        rotated(f"photos/turned{number}.jpg", size)
    code, out, _ = run("--faces", "a", "--test", "1")
    assert code == 0 and "A: 1 image to train, 1 to test" in out
    assert "left out, without a face: 20 (" in out
    assert "left out, smaller than 8 pixels: 1 (turned2.jpg)" in out
    assert names("trainA") | names("testA") == {"turned0.jpg.png", "turned1.jpg.png"}
    for name, side in (("turned0.jpg.png", 8), ("turned1.jpg.png", 10)):
        split = "testA" if name in names("testA") else "trainA"
        pixels = image_file.read(f"dataset/mine/{split}/{name}")
        assert pixels.shape == (side, side, 3)
        assert np.abs(pixels[: side - 2].astype(int) - RED).max() < 40  # nothing of the lower half
    assert len(names("trainB") | names("testB")) == 11  # drawings stay whole


def test_without_opencv_faces_are_refused_in_one_line(run, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "cv2" else find(name, *a)
    )
    code, _, err = run("--faces", "both")
    assert code == 1 and err.startswith("error: --faces needs OpenCV. Install it: pip install")
    assert not os.path.exists("dataset")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--test", "11"], "drawings has 11 usable images, and 11 are for the test"),
        (["--smallest", "9"], "photos has 0 usable images.* Left out, smaller than 9 pixels: 20"),
    ],
)
def test_too_few_images_are_an_error_and_leave_nothing(run, words, told):
    code, _, err = run(*words)
    assert code == 1 and re.search(told, err) and os.listdir("dataset") == []


def test_a_dataset_is_not_overwritten(run):
    os.makedirs("dataset/mine")
    code, _, err = run()
    assert code == 1 and "dataset/mine already exists" in err
    assert os.listdir("dataset/mine") == []


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--folder_a", "drawings"], 2, "are the same folder"),
        (["--folder_b", "./photos/"], 2, "are the same folder"),
        (["--folder_b", "none"], 1, "--folder_b: there is no folder none"),
        (["--test", "some"], 2, "expected a whole number or auto"),
        (["--test", "-1"], 2, "--test must be auto or at least 0"),
        (["--faces", "c"], 2, "--faces must be one of none, a, b, both"),
    ],
)
def test_a_mistake_is_told_before_anything_is_done(run, words, code, told):
    found, _, err = run(*words)
    assert found == code and told in err and not os.path.exists("dataset")


def test_the_new_dataset_needs_a_name(capsys):
    assert main.main(["prepare", "--folder_a", "photos", "--folder_b", "drawings"]) == 2
    assert "needs --dataset, the name of the new dataset" in capsys.readouterr().err
