"""The test phase: every image, both directions, nothing overwritten, one page of all."""

import dataclasses
import errno
import os
import re
import threading
import types
import urllib.parse

import numpy as np
import pytest
import tensorflow as tf

from tests import runs
from ugatit_tf import atomic
from ugatit_tf.data import pipeline
from ugatit_tf.errors import Failure
from ugatit_tf.images import image_array, image_file, panels
from ugatit_tf.images.errors import UnreadableImage
from ugatit_tf.translation import loading, streaming, testing

TEST_A = ["face.png", "twin.jpg", "twin.png", "夏 photo.webp"]
TEST_B = ["<b> & co.png", "face.png"]
WRITTEN_A = ["face.png", "twin.jpg.png", "twin.png.png", "夏 photo.png"]


@pytest.fixture(scope="module")
def tested(tmp_path_factory):
    """A run, the result of its test phase, and the model."""
    root = runs.odd(tmp_path_factory.mktemp("tested"))
    config = runs.config_in(root)
    for seed, (part, names) in enumerate((("testA", TEST_A), ("testB", TEST_B))):
        runs.write_images(root / "dataset" / "tiny" / part, names, seed=seed)
    model = runs.make_run(config)
    report = testing.run_test(config)
    return types.SimpleNamespace(
        root=root, config=config, model=model, report=report, folder=os.path.dirname(report)
    )


def names_in(*parts):
    return sorted(os.listdir(os.path.join(*parts)))


def source(config, part, name):
    path = os.path.join(config.dataset_folder, part, name)
    return pipeline.load(
        path, size=config.img_size, channels=config.img_ch, antialias=False
    ).numpy()


def assert_levels(image, expected):
    """Equal but for the rounding of half a level."""
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= 1


def test_results_are_below_the_name_of_the_run_and_of_the_checkpoint(tested):
    assert tested.folder == str(tested.root / "results" / "tiny" / "step_0000003")
    assert names_in(tested.folder) == ["a2b", "a2b_attention", "b2a", "b2a_attention", "index.html"]


def test_each_direction_has_its_folders_and_its_own_names(tested):
    for folder in ("a2b", "a2b_attention"):
        assert names_in(tested.folder, folder) == WRITTEN_A
    for folder in ("b2a", "b2a_attention"):
        assert names_in(tested.folder, folder) == TEST_B


@pytest.mark.parametrize(("direction", "part"), [("a2b", "testA"), ("b2a", "testB")])
def test_an_image_is_what_the_model_makes_of_it(tested, direction, part):
    image = source(tested.config, part, "face.png")
    out = getattr(tested.model, direction)(image[None])
    expected = image_array.to_uint8(out.image[0].numpy())
    assert_levels(image_file.read(os.path.join(tested.folder, direction, "face.png")), expected)
    heatmap = panels.overlay(image_array.to_uint8(image), out.heatmap[0].numpy())
    found = image_file.read(os.path.join(tested.folder, f"{direction}_attention", "face.png"))
    assert_levels(found, heatmap)


def test_images_of_one_name_in_both_domains_have_each_their_result(tested):
    there, back = (
        image_file.read(os.path.join(tested.folder, d, "face.png")) for d in ("a2b", "b2a")
    )
    assert np.any(there != back)


def test_images_of_one_stem_have_each_their_result(tested):
    for name in ("twin.jpg", "twin.png"):
        out = tested.model.a2b(source(tested.config, "testA", name)[None])
        found = image_file.read(os.path.join(tested.folder, "a2b", f"{name}.png"))
        assert_levels(found, image_array.to_uint8(out.image[0].numpy()))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["horse.jpg"], ["horse.png"]),
        (["in/horse.jpg", "in/cat.jpg", "in/cat.png"], ["horse.png", "cat.jpg.png", "cat.png.png"]),
        (["a.b.jpg", "a.c.jpg", "no_suffix"], ["a.b.png", "a.c.png", "no_suffix.png"]),
        (["Cat.jpg", "cat.png"], ["Cat.jpg.png", "cat.png.png"]),  # one file on some disks
    ],
)
def test_a_translation_is_called_as_its_source(names, expected):
    assert testing.output_names(names) == expected


@pytest.mark.parametrize(
    "names",
    [
        ["a.jpg", "a.png", "a.jpg.png"],
        ["a.jpg", "a.jpg.png", "a.png"],
        ["a.jpg", "a.png", "A.JPG.gif", "a.jpg.png.bmp", "a.png.jpg"],
        ["a", "a.png", "a.png.png", "a.png.png.png"],
    ],
)
def test_no_two_translations_have_one_name(names):
    given = {name.lower() for name in testing.output_names(names)}
    assert len(given) == len(names)
    assert all(name.endswith(".png") for name in given)


def test_a_generator_of_nan_stops_the_test_with_its_name(tested, monkeypatch, tmp_path):
    broken = runs.with_networks(loading.from_run(tested.config), runs.blind)
    monkeypatch.setattr(loading, "from_run", lambda *_, **__: broken)
    message = "step_0000003: the generator a2b gives numbers that are not finite"
    with pytest.raises(Failure, match=message):
        testing.run_test(dataclasses.replace(tested.config, result_dir=str(tmp_path)))


def test_results_that_are_removed_meanwhile_are_a_failure(tmp_path):
    runs.write_images(tmp_path / "a2b", ["x.png"])
    testing._refuse_removed({"a2b": ["in/x.jpg"]}, str(tmp_path))
    with pytest.raises(Failure, match="1 of 2 results were removed meanwhile, e.g. .*y.png"):
        testing._refuse_removed({"a2b": ["in/x.jpg", "in/y.jpg"]}, str(tmp_path))


def test_the_page_shows_every_image_with_its_four_images(tested):
    with open(tested.report, encoding="utf-8") as file:
        page = file.read()
    for name in (*TEST_A, "face.png", "&lt;b&gt; &amp; co.png"):
        assert f'data-name="{name}"' in page
    assert "6 results" in page
    assert page.count("<img src=") == 6 * 4
    for title in ("Input", "Heatmap", "Output", "Reconstruction"):
        assert page.count(f"<figcaption>{title}</figcaption>") == 6
    assert page.count('data-direction="A to B"') == 4
    assert page.count('data-direction="B to A"') == 2
    assert "step_0000003" in page


def test_the_page_needs_nothing_but_itself_and_its_links_lead_to_the_images(tested):
    with open(tested.report, encoding="utf-8") as file:
        page = file.read()
    assert "http://" not in page
    assert "https://" not in page
    links = re.findall(r'<a href="\./([^"]+)"', page)
    assert len(links) == 6
    for link in links:
        assert os.path.isfile(os.path.join(tested.folder, urllib.parse.unquote(link)))


def test_a_second_run_has_a_folder_of_its_own_and_leaves_the_first(tested):
    before = runs.bytes_below(tested.folder)
    again = testing.run_test(tested.config)
    assert again == os.path.join(f"{tested.folder}_2", "index.html")
    assert runs.bytes_below(tested.folder) == before
    found = runs.bytes_below(os.path.dirname(again))
    assert found.keys() == before.keys()
    assert all(found[name] == data for name, data in before.items() if name.endswith(".png"))


def test_one_missing_test_folder_is_no_obstacle_and_grey_stays_grey(tmp_path):
    config = runs.config_in(tmp_path, img_ch=1)
    runs.write_images(tmp_path / "dataset" / "tiny" / "testB", ["a.png", "b.png"])
    model = runs.make_run(config)
    folder = os.path.dirname(testing.run_test(config))
    assert names_in(folder) == ["b2a", "b2a_attention", "index.html"]
    image = image_file.read(os.path.join(folder, "b2a", "a.png"))
    np.testing.assert_array_equal(image, np.repeat(image[:, :, :1], 3, -1))
    out = model.b2a(source(config, "testB", "a.png")[None])
    assert_levels(image[:, :, :1], image_array.to_uint8(out.image[0].numpy()))
    attention = image_file.read(os.path.join(folder, "b2a_attention", "a.png"))
    assert np.any(attention[..., 0] != attention[..., 2])


def test_without_test_folders_nothing_is_written(tmp_path):
    config = runs.config_in(tmp_path)
    with pytest.raises(Failure, match="Neither testA nor testB in .*tiny"):
        testing.run_test(config)
    assert os.listdir(tmp_path) == []


def test_without_a_checkpoint_nothing_is_translated(tmp_path):
    config = runs.config_in(tmp_path)
    runs.write_dataset(tmp_path / "dataset" / "tiny", ("testA", "testB"))
    with pytest.raises(Failure, match="No checkpoint in .*tiny"):
        testing.run_test(config)
    assert os.listdir(tmp_path) == ["dataset"]


def test_a_test_folder_without_a_readable_image_fails_before_anything_is_written(tested):
    config = runs.config_in(tested.root, dataset="empty")
    config = type(config)(**{**vars(config), "run": "tiny"})
    os.makedirs(os.path.join(config.dataset_folder, "testA"))
    before = runs.bytes_below(tested.root)
    with pytest.raises(Failure, match="No readable image in .*testA"):
        testing.run_test(config)
    assert runs.bytes_below(tested.root) == before


@pytest.fixture
def folder_of_six(tested, tmp_path):
    """A configuration whose run is that of `tested`, with six images: a batch and a half."""
    places = {"dataset_dir": str(tmp_path / "dataset"), "result_dir": str(tmp_path / "results")}
    config = dataclasses.replace(tested.config, dataset="six", run="tiny", **places)
    folder = os.path.join(config.dataset_folder, "testA")
    runs.write_images(folder, [f"{i}.png" for i in range(6)])
    return config


def translated_in(folder, config):
    """Name -> pixels of what the phase writes, for the images of testA in both directions."""
    paths = [os.path.join(config.dataset_folder, "testA", f"{i}.png") for i in range(6)]
    translator = loading.from_run(config)
    networks = translator.generators.networks
    rows = testing.translate_all(translator, dict.fromkeys(networks, paths), str(folder))
    names = [(row.direction, row.name) for row in rows]
    assert names == [(d, f"{i}.png") for d in ("A to B", "B to A") for i in range(6)]
    counts = {network.experimental_get_tracing_count() for network in networks.values()}
    assert counts == {1}
    return {name: image_file.read(folder / name) for name in runs.bytes_below(folder)}


@pytest.mark.parametrize(("batch", "xla"), [(1, False), (4, False), (4, True)])
def test_batches_and_xla_change_no_level_but_by_rounding_and_trace_once(
    tested, folder_of_six, tmp_path, monkeypatch, batch, xla
):
    monkeypatch.setattr(streaming, "BATCH", batch)
    config = dataclasses.replace(folder_of_six, xla=xla)
    found = translated_in(tmp_path / "found", config)
    assert len(found) == 6 * 4
    for direction in ("a2b", "b2a"):
        for i in range(6):
            name = f"{i}.png"
            out = getattr(tested.model, direction)(source(config, "testA", name)[None])
            expected = image_array.to_uint8(out.image[0].numpy())
            assert_levels(found[os.path.join(direction, name)], expected)


def test_an_image_that_breaks_after_the_first_look_is_named(folder_of_six, monkeypatch):
    paths = testing.folders.images_in(os.path.join(folder_of_six.dataset_folder, "testA"))
    monkeypatch.setattr(testing.folders, "images_in", lambda _: paths)
    os.truncate(paths[4], 60)
    assert_fails(folder_of_six, UnreadableImage, "testA.4.png: the image is damaged")


@pytest.mark.parametrize("full", ["4.png", "index.html"])
def test_a_full_disk_is_the_error_that_the_system_gives(folder_of_six, monkeypatch, full):
    replacing = atomic.replacing

    def failing(path, **options):
        if os.path.basename(path) == full:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return replacing(path, **options)

    monkeypatch.setattr(atomic, "replacing", failing)
    assert_fails(folder_of_six, OSError, f"No space left on device: .*{full}")


def assert_fails(config, error, message):
    """Nothing of it is left but whole images: no page, no thread."""
    threads = threading.active_count()
    with pytest.raises(error, match=message):
        testing.run_test(config)
    left = runs.bytes_below(config.result_dir)
    assert all(name.endswith(".png") and ".unfinished" not in name for name in left)
    assert threading.active_count() <= threads


def test_a_report_that_fails_in_the_middle_stops_the_threads(folder_of_six, tmp_path):
    paths = [os.path.join(folder_of_six.dataset_folder, "testA", f"{i}.png") for i in range(6)]
    translator = loading.from_run(folder_of_six)
    threads = threading.active_count()
    rows = testing.translate_all(translator, {"a2b": paths}, str(tmp_path))
    next(rows)
    assert threading.active_count() > threads
    rows.close()
    assert threading.active_count() <= threads


def refusing(_):
    def run(x):
        raise tf.errors.UnimplementedError(None, None, "no such kernel\nmore")

    return run


def test_what_xla_cannot_compile_is_said_with_the_way_out(folder_of_six, tmp_path):
    paths = {"a2b": [os.path.join(folder_of_six.dataset_folder, "testA", "0.png")]}
    for xla, error, message in (
        (True, Failure, "XLA cannot compile .*: no such kernel. Use --xla False"),
        (False, tf.errors.UnimplementedError, "no such kernel"),
    ):
        config = dataclasses.replace(folder_of_six, xla=xla)
        translator = runs.with_networks(loading.from_run(config), refusing)
        with pytest.raises(error, match=message):
            list(testing.translate_all(translator, paths, str(tmp_path)))
