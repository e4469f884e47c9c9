"""The drawn dataset: pure, the same at every size, measurable, and written whole."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from ugatit_tf.data import demo
from ugatit_tf.data.person import FRINGES, STYLES, random_person

SMALL = {"size": 16, "train": 3, "test": 2}


@pytest.fixture(scope="module")
def faces():
    """Forty faces of each domain."""
    return {d: np.stack([demo.draw(d, i, size=64) for i in range(40)]) for d in "AB"}


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("domain", ["A", "B"])
def test_a_face_depends_on_its_arguments_and_on_nothing_else(domain):
    face = demo.draw(domain, 3, size=32, seed=5)
    np.random.seed(0)
    np.testing.assert_array_equal(demo.draw(domain, 3, size=32, seed=5), face)
    assert face.shape == (32, 32, 3)
    assert face.dtype == np.uint8

    for other in (demo.draw(domain, 4, size=32, seed=5), demo.draw(domain, 3, size=32, seed=6)):
        assert np.abs(other.astype(float) - face).mean() > 8


@pytest.mark.parametrize("domain", ["A", "B"])
@pytest.mark.parametrize("index", [0, 1, demo.FIRST_TEST_INDEX])
def test_one_index_is_the_same_face_at_every_size(domain, index):
    small = demo.draw(domain, index, size=64).astype(float)
    large = demo.draw(domain, index, size=256).reshape(64, 4, 64, 4, 3).mean((1, 3))
    other = demo.draw(domain, index + 1, size=64)
    assert np.abs(large - small).mean() < 4  # grain and edges, in gray levels
    assert np.abs(other - small).mean() > 12


@pytest.mark.parametrize("size", [demo.SMALLEST, 33])
def test_any_size_can_be_drawn_down_to_the_smallest(size):
    for index in range(20):
        assert demo.draw("A", index, size=size).shape == (size, size, 3)
        assert demo.draw("B", index, size=size).shape == (size, size, 3)


def test_a_size_too_small_for_eyes_is_an_error():
    with pytest.raises(ValueError, match="at least 8 pixels. Received: 7"):
        demo.draw("A", 0, size=7)


def test_an_unknown_domain_is_an_error_that_lists_the_domains():
    with pytest.raises(ValueError, match=r"Expected one of \['A', 'B'\]. Received: 'C'"):
        demo.draw("C", 0)


def test_every_style_and_fringe_can_be_drawn_together():
    people = [random_person(np.random.default_rng(i)) for i in range(400)]
    assert {(p.style, p.fringe) for p in people} == {
        (style, fringe) for style in STYLES for fringe in FRINGES
    }


def test_the_eyes_of_b_are_at_least_four_times_larger_and_never_overlap_those_of_a(faces):
    a, b = demo.eye_area(faces["A"]), demo.eye_area(faces["B"])
    assert a.shape == (40,)
    assert a.min() > 0.0005
    assert b.mean() > 4 * a.mean()
    assert b.min() > 2 * a.max()


def test_the_eyes_can_still_be_measured_in_a_blurred_and_noisy_image(faces):
    def worse(images):
        small = [np.asarray(Image.fromarray(i).resize([48, 48]).resize([64, 64])) for i in images]
        noise = np.random.default_rng(0).normal(0, 8, images.shape)
        return np.clip(small + noise, 0, 255).astype(np.uint8)

    a, b = demo.eye_area(worse(faces["A"])), demo.eye_area(worse(faces["B"]))
    assert b.mean() > 4 * a.mean()
    assert b.min() > 2 * a.max()


@pytest.mark.parametrize("domain", ["A", "B"])
def test_nothing_but_the_eyes_is_dark(faces, domain):
    dark = faces[domain].max(-1) < 70
    dark[:, 24:49, 9:55] = False  # the band that `eye_area` looks at
    assert dark.mean() < 1e-5


def test_eye_area_is_the_dark_fraction_of_the_whole_image():
    images = np.full([2, 50, 50, 3], 255, np.uint8)
    images[1, 20:30, 10:20] = 0
    images[1, 0:10] = 0  # outside the band
    np.testing.assert_allclose(demo.eye_area(images), [0, 100 / 2500])


def test_a_is_shaded_and_b_is_flat(faces):
    a, b = demo.shading(faces["A"]), demo.shading(faces["B"])
    assert a.min() > 1
    assert b.max() < 0.1


def test_shading_is_the_step_of_a_ramp_and_does_not_see_an_edge():
    ramp = np.tile(np.arange(0, 128, 2, dtype=np.uint8), [64, 1])  # 2 across, 0 down
    edge = np.where(np.arange(64) < 32, 0, 200).astype(np.uint8) * np.ones([64, 1], np.uint8)
    both = ramp + ramp.T // 2 * 2  # 2 across, 2 down
    images = np.stack([both, edge])[..., None].repeat(3, -1)
    np.testing.assert_allclose(demo.shading(images), [2, 0])


def test_the_mean_moves_a_percentage_of_the_way():
    assert demo.percent_of_way([1, 3], [5, 7], [10, 14]) == pytest.approx(40)  # 2 -> 6 of 2 -> 12
    assert demo.percent_of_way([2], [2], [12]) == 0
    assert demo.percent_of_way([2], [12], [12]) == 100
    assert demo.percent_of_way([12], [14], [2]) == pytest.approx(-20)


def test_a_dataset_is_four_folders_of_different_faces_and_its_record(tmp_path):
    demo.write_dataset(tmp_path / "new" / "faces", **SMALL, seed=7)
    written = files(tmp_path / "new" / "faces")
    assert sorted(written) == [
        "demo.json",
        *[f"test{d}/face_0000{i}.png" for d in "AB" for i in (1, 2)],
        *[f"train{d}/face_0000{i}.png" for d in "AB" for i in (1, 2, 3)],
    ]
    assert len(set(written.values())) == len(written)
    assert json.loads(written["demo.json"]) == {**SMALL, "seed": 7, "version": demo.VERSION}

    second = np.asarray(Image.open(tmp_path / "new" / "faces" / "trainB" / "face_00002.png"))
    np.testing.assert_array_equal(second, demo.draw("B", 1, size=16, seed=7))
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "faces"]


def test_a_dataset_with_the_same_parameters_is_kept_untouched(tmp_path):
    demo.write_dataset(tmp_path / "faces", **SMALL)
    (tmp_path / "faces" / "trainA" / "face_00001.png").write_bytes(b"mine")
    before = files(tmp_path / "faces")
    demo.write_dataset(tmp_path / "faces", **SMALL)
    assert files(tmp_path / "faces") == before


def test_a_dataset_with_other_parameters_is_refused_untouched(tmp_path):
    demo.write_dataset(tmp_path / "faces", **SMALL)
    before = files(tmp_path / "faces")
    with pytest.raises(FileExistsError, match="size is 16, not 32; train is 3, not 4. Choose"):
        demo.write_dataset(tmp_path / "faces", size=32, train=4, test=2)
    assert files(tmp_path / "faces") == before


@pytest.mark.parametrize(
    "content",
    [{}, {"demo.json": "[1"}, {"demo.json": "[" * 100_000}, {"trainA/me.jpg": "photograph"}],
)
def test_a_folder_that_is_not_a_demo_dataset_is_refused_untouched(tmp_path, content):
    (tmp_path / "faces" / "trainA").mkdir(parents=True)
    for name, text in content.items():
        (tmp_path / "faces" / name).write_text(text)
    before = files(tmp_path / "faces")
    with pytest.raises(FileExistsError, match="was not written by the demo. Choose another"):
        demo.write_dataset(tmp_path / "faces", **SMALL)
    assert files(tmp_path / "faces") == before


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    drawn = []

    def interrupted(*args, **kwargs):
        drawn.append(args)
        if len(drawn) == 4:
            raise KeyboardInterrupt
        return np.zeros([16, 16, 3], np.uint8)

    monkeypatch.setattr(demo, "draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        demo.write_dataset(tmp_path / "faces", **SMALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("counts", [{"train": 0, "test": 1}, {"train": 1, "test": -1}])
def test_a_dataset_without_images_is_an_error(tmp_path, counts):
    with pytest.raises(ValueError, match="at least one image"):
        demo.write_dataset(tmp_path / "faces", size=16, **counts)
    assert list(tmp_path.iterdir()) == []


def test_the_results_of_a_test_are_told_in_words(tmp_path):
    demo.write_dataset(tmp_path / "faces", **{**SMALL, "size": 64})
    for name, images in (("a2b", "testB"), ("b2a", "testB")):  # all of the way, and none of it
        shutil.copytree(tmp_path / "faces" / images, tmp_path / "results" / name)
    told = demo.summarize_results(str(tmp_path / "faces"), str(tmp_path / "results"))
    assert told[1:-1] == [
        "  A to B, photographs to cartoons: 100% of the way in the size of the eyes, 100% in flat "
        "colors",
        "  B to A, cartoons to photographs: 0% of the way in the size of the eyes, 0% in light and "
        "grain",
    ]
    shutil.rmtree(tmp_path / "results" / "b2a")
    assert len(demo.summarize_results(str(tmp_path / "faces"), str(tmp_path / "results"))) == 3
