"""A trained model from a run folder, an export or a generator file, used from Python."""

import dataclasses
import errno
import io
import json
import os
import pathlib
import re
import shutil
import threading
import types
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import ugatit_tf
from tests import made, runs
from tests.made import levels
from tests.tolerances import TOLERANCE
from ugatit_tf.errors import Failure
from ugatit_tf.images import image_array, image_file
from ugatit_tf.interchange import generator_file
from ugatit_tf.networks import model as network_model
from ugatit_tf.options import ConfigError
from ugatit_tf.training import checkpoints
from ugatit_tf.training.step import Trainer
from ugatit_tf.translation import devices, loading
from ugatit_tf.translation.fit import resize


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A light run, its networks, and what its export wrote."""
    root = runs.odd(tmp_path_factory.mktemp("trained"))
    config = runs.config_in(root)
    networks = runs.make_run(config)
    with runs.unchecked_exports():
        runs.run_phase("export", config)
    exported = os.path.join(config.export_dir, "tiny", "step_0000003")
    return types.SimpleNamespace(config=config, networks=networks, exported=exported)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    config = runs.config_in(tmp_path_factory.mktemp("full"), light=False, img_ch=1)
    return types.SimpleNamespace(networks=runs.make_run(config), config=config)


@pytest.fixture(scope="module")
def model(trained):
    return ugatit_tf.load(trained.config.run_folder)


def assert_levels(image, expected, most=1):
    assert (image.dtype, image.shape) == (np.uint8, expected.shape)
    assert np.abs(image.astype(int) - expected).max() <= most


def expected_of(generator, pixels):
    """What the generator makes of an image whose sides it takes as they are."""
    out = generator(image_array.to_float(pixels)[None])
    return image_array.to_uint8(out.image[0].numpy()), out.heatmap[0].numpy()


@pytest.mark.parametrize("place", ["run", "export", "export/a2b", "a2b.npz"])
def test_every_source_translates_alike(trained, place):
    folder = {"run": trained.config.run_folder, "export": trained.exported}.get(place)
    model = ugatit_tf.load(folder or os.path.join(trained.exported, os.path.basename(place)))
    assert (model.size, model.channels, model.any_size) == (8, 3, True)
    assert model.directions == (("a2b", "b2a") if place in ("run", "export") else ("a2b",))
    assert model.has_discriminators == (place == "run")
    pixels = levels(12, 16, 3)
    found = model.translate(pixels, size="native")
    assert_levels(found, expected_of(trained.networks.a2b, pixels)[0])
    if "b2a" in model.directions:
        expected, _ = expected_of(trained.networks.b2a, pixels)
        assert_levels(model.translate(pixels, direction="b2a", size="native"), expected)


@made.needs_half
def test_a_generator_file_of_b2a_knows_it_and_its_precision_may_be_chosen(trained):
    path = os.path.join(trained.exported, "b2a.npz")
    assert ugatit_tf.load(path).directions == ("b2a",)
    generator, config, direction = generator_file.load(path, precision="bfloat16")
    assert (generator.precision, config.precision, direction) == ("bfloat16", "bfloat16", "b2a")


@pytest.mark.parametrize("shape", [(9, 13, 3), (2, 9, 13, 3), (6, 8, 8, 3)])
def test_arrays_come_back_as_they_were(model, shape):
    pixels = levels(*shape)
    found = model.translate(pixels)
    assert (found.dtype, found.shape) == (np.uint8, shape)
    exact = model.translate(image_array.to_float(pixels))
    assert (exact.dtype, exact.shape) == (np.float32, shape)
    assert np.abs(exact).max() <= 1
    np.testing.assert_array_equal(image_array.to_uint8(exact), found)


def test_a_batch_is_its_images_one_by_one(model):
    pixels = levels(6, 9, 13, 3)
    images, heat = model.translate(pixels, heatmap=True)
    assert heat.shape == (6, 9, 13)
    for i in range(6):
        image, one = model.translate(pixels[i], heatmap=True)
        assert_levels(images[i], image)
        np.testing.assert_allclose(heat[i], one, atol=1e-3)


def test_a_pillow_image_is_seen_as_people_see_it(model):
    pixels = levels(9, 13, 3)
    expected = model.translate(pixels)
    sideways = Image.fromarray(np.rot90(pixels).copy())
    sideways.getexif()[0x0112] = 6  # to be turned clockwise
    np.testing.assert_array_equal(np.asarray(model.translate(sideways)), expected)
    deep = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    grey = np.repeat(pixels[..., :1], 3, -1)
    np.testing.assert_array_equal(np.asarray(model.translate(deep)), model.translate(grey))
    clear = Image.fromarray(pixels)
    clear.putalpha(Image.fromarray(levels(9, 13, seed=1)))
    found = model.translate(clear)
    assert found.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(found)[..., 3], np.asarray(clear)[..., 3])


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK"])
def test_pillow_images_come_back_as_such(model, mode):
    image = Image.fromarray(levels(9, 13, 3)).convert(mode)
    found = model.translate(image)
    assert isinstance(found, Image.Image)
    assert (found.size, found.mode) == ((13, 9), "RGB")


def test_a_list_of_different_sizes_gives_a_list(model):
    found, heat = model.translate([levels(9, 13, 3), levels(20, 8, 3)], heatmap=True)
    assert [image.shape for image in found] == [(9, 13, 3), (20, 8, 3)]
    assert [h.shape for h in heat] == [(9, 13), (20, 8)]
    assert model.translate([]) == []
    assert model.translate([], heatmap=True) == ([], [])


def test_a_heatmap_lies_between_0_and_1_and_rises_with_the_generator_s(trained, model):
    pixels = levels(16, 16, 3)
    _, heat = model.translate(pixels, heatmap=True, size="native")
    assert (heat.min(), heat.max()) == (0.0, 1.0)
    _, small = expected_of(trained.networks.a2b, pixels)
    middle = heat.reshape(4, 4, 4, 4).mean((1, 3))
    assert np.corrcoef(middle.ravel(), small.ravel())[0, 1] > 0.9


def test_the_full_model_takes_its_own_size_alone(full):
    model = ugatit_tf.load(full.config.run_folder)
    assert not model.any_size
    pixels = levels(8, 8, 1)
    assert_levels(model.translate(pixels), expected_of(full.networks.a2b, pixels)[0])
    assert model.translate(levels(9, 30, 1)).shape == (9, 30, 1)
    for options in ({"fit": "keep"}, {"size": 16}, {"size": "native"}):
        with pytest.raises(ValueError, match="takes 8 x 8 pixels only.*--light True"):
            model.translate(pixels, **options)


def test_large_images_are_translated_in_tiles_and_look_alike(trained, model):
    """Alike and no more, since each tile has its own statistics; but there is no seam."""
    y, x = np.mgrid[:96, :160]
    image = np.stack([np.sin(x / 2), np.cos(y / 2), np.sin((x + y) / 3)], -1).astype(np.float32)
    (whole,) = runs.results_of(model, [image])
    options = {"tile_pixels": 64 * 64, "heatmap": True, "discriminator_heatmaps": True}
    (tiled,) = runs.results_of(model, [image], **options)
    assert tiled.heatmaps.generator.shape == (96, 160)
    assert tiled.heatmaps.local.ndim == tiled.heatmaps.global_.ndim == 2
    assert tiled.image.shape == whole.image.shape
    assert np.corrcoef(tiled.image.ravel(), whole.image.ravel())[0, 1] > 0.8
    for axis in (0, 1):
        images = tiled.image, whole.image
        steps, usual = (np.abs(np.diff(image, axis=axis)).max() for image in images)
        assert steps < 1.5 * usual
    by_option = model.translate(image, size="native", tile_pixels=64 * 64)
    np.testing.assert_array_equal(by_option, np.clip(tiled.image, -1, 1))


def test_the_discriminators_look_at_the_result_in_the_size_of_training(trained, model):
    image = image_array.to_float(levels(8, 8, 3))
    options = {"direction": "b2a", "discriminator_heatmaps": True}
    (result,) = runs.results_of(model, [image], **options)
    local, deep = trained.networks.discriminator_a(result.image[None])
    for found, expected in ((result.heatmaps.local, local), (result.heatmaps.global_, deep)):
        np.testing.assert_allclose(found, expected.heatmap[0], **TOLERANCE["network"])


def test_a_result_may_be_translated_back(trained, model):
    image = image_array.to_float(levels(8, 8, 3))
    (result,) = runs.results_of(model, [image], reconstruct=True)
    expected = trained.networks.b2a(result.image[None]).image[0]
    np.testing.assert_allclose(result.reconstruction, expected, **TOLERANCE["network"])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (levels(8, 8, 4), r"\[height, width, 3\].*Received: uint8 \[8, 8, 4\]"),
        (levels(8), r"Received: uint8 \[8\]"),
        ("no such file.png", "no such file.png: no such file"),
        (np.zeros([8, 8, 3], int), "Received: int64"),
        (np.full([8, 8, 3], 255.0), "between -1 and 1. Received: 255 to 255. .* / 127.5 - 1, or"),
        (np.full([8, 8, 3], np.nan), "floats between -1 and 1. Received: nan"),
        (np.zeros([0, 8, 8, 3], np.uint8), "not empty"),
    ],
)
def test_what_is_no_image_is_refused(model, images, message):
    with pytest.raises(ValueError, match=message):
        model.translate(images)


@pytest.mark.parametrize(
    "options",
    [
        {"fit": "squeeze"},
        {"size": 10},
        {"size": 4},
        {"size": -8},
        {"size": "large"},
        {"size": "native", "fit": "crop"},
    ],
)
def test_a_fit_that_cannot_be_is_refused(model, options):
    with pytest.raises(ValueError, match="Expected a fit of auto.*multiple of 4 from 8 on"):
        model.translate(levels(8, 8, 3), **options)


def test_a_direction_that_the_model_does_not_have_is_refused(trained):
    model = ugatit_tf.load(os.path.join(trained.exported, "a2b.npz"))
    with pytest.raises(ValueError, match="a2b.npz translates a2b only. Received: 'b2a'"):
        model.translate(levels(8, 8, 3), direction="b2a")


@pytest.mark.parametrize(
    ("shape", "options", "seen", "scale"),
    [
        ((10, 30), {}, (10, 30), 1),
        ((11, 44), {}, (8, 32), 8 / 11),
        ((7, 100), {}, (7, 100), 1),
        ((512, 768), {}, (8, 12), 1 / 64),
        ((512, 768), {"size": "native"}, (512, 768), 1),
        ((512, 768), {"size": 16}, (16, 24), 1 / 32),
        ((512, 768), {"max_side": 6}, (4, 6), 1 / 128),
        ((16, 32), {"fit": "stretch"}, (8, 8), 0.5),
    ],
)
def test_what_is_much_larger_than_the_training_images_is_scaled_down_to_them(
    model, shape, options, seen, scale
):
    fit = model.fit_of(shape, **options)
    assert (fit.inner, fit.result) == (seen, shape)
    assert fit.scale == pytest.approx(scale)


def test_a_large_image_is_translated_at_the_training_size_and_scaled_back(trained, model):
    large = np.kron(levels(8, 8, 3), np.ones([4, 4, 1], np.uint8))
    small = model.fit_of(large.shape).apply(image_array.to_float(large))
    expected = trained.networks.a2b(small[None]).image[0].numpy()
    expected = image_array.to_uint8(np.clip(resize(expected, (32, 32)), -1, 1))
    assert_levels(model.translate(large), expected)


def test_a_path_is_its_image(model, tmp_path):
    pixels = levels(9, 8, 3)
    image_file.write(tmp_path / "me.png", pixels, alpha=levels(9, 8))
    image = model.translate(tmp_path / "me.png")
    assert (image.size, image.mode) == ((8, 9), "RGBA")
    with Image.open(tmp_path / "me.png") as opened:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(model.translate(opened)))
    (again,), (heat,) = model.translate([str(tmp_path / "me.png")], heatmap=True)
    np.testing.assert_array_equal(np.asarray(again), np.asarray(image))
    assert heat.shape == (9, 8)


def test_grey_arrays_are_images_for_a_model_of_colours(model):
    pixels = levels(2, 9, 8)
    expected = model.translate(np.repeat(pixels[..., None], 3, -1))
    np.testing.assert_array_equal(model.translate(pixels[0]), expected[0])
    np.testing.assert_array_equal(model.translate(pixels[0, ..., None]), expected[0])
    np.testing.assert_array_equal(model.translate(pixels[..., None]), expected)
    exact = model.translate(image_array.to_float(pixels[0]))
    np.testing.assert_array_equal(image_array.to_uint8(exact), expected[0])


def test_colours_are_images_for_a_grey_model(full):
    model = ugatit_tf.load(full.config.run_folder)
    pixels = levels(2, 8, 8, 3)
    brightness = np.stack([np.asarray(Image.fromarray(one).convert("L")) for one in pixels])
    expected = model.translate(brightness[..., None])
    assert_levels(model.translate(pixels), expected)
    assert_levels(model.translate(brightness[0]), expected[0, ..., 0])
    colours = image_array.to_float(pixels[0])
    brightness = colours @ np.float32([0.299, 0.587, 0.114])  # not rounded to levels
    exact = model.translate(colours)
    assert exact.shape == (8, 8, 1)
    assert_levels(
        image_array.to_uint8(exact), image_array.to_uint8(model.translate(brightness[..., None]))
    )


def test_a_generator_of_nan_is_named(trained):
    model = ugatit_tf.load(os.path.join(trained.exported, "b2a.npz"))
    broken = runs.with_networks(model, runs.blind)
    with pytest.raises(Failure, match="b2a.npz: the generator b2a gives numbers that are not fini"):
        broken.translate(levels(8, 8, 3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_side": 4}, "max_side of 0, or at least 8"),
        ({"max_side": 16, "fit": "crop"}, "max_side .* with the fit keep. Received: 16, 'crop'"),
        ({"tile_pixels": 100}, "tile_pixels of at least 4096. Received: 100"),
    ],
)
def test_sides_and_tiles_that_cannot_be_are_refused(model, options, message):
    with pytest.raises(ValueError, match=message):
        model.translate(levels(8, 8, 3), **options)


def test_a_longer_side_may_be_bounded(model):
    pixels = levels(16, 40, 3)
    bounded = model.translate(pixels, size="native", max_side=20)
    np.testing.assert_array_equal(bounded, model.translate(pixels, size=8))


@made.needs_half
@pytest.mark.parametrize("source", ["run", "a2b.npz"])
def test_how_a_model_is_executed_may_be_chosen(trained, source):
    is_run = source == "run"
    path = trained.config.run_folder if is_run else os.path.join(trained.exported, source)
    chosen = ugatit_tf.load(path, precision="bfloat16", xla=True, strategy="one")
    assert chosen.generators.xla and chosen.generators.copies.count == 1
    plain, pixels = ugatit_tf.load(path), levels(8, 8, 3)
    assert not plain.generators.xla
    exact = plain.translate(image_array.to_float(pixels))
    half = ugatit_tf.load(path, precision="bfloat16").translate(image_array.to_float(pixels))
    assert 0 < np.abs(half - exact).max() < 0.5


def test_an_export_computes_as_it_was_exported(trained):
    path = os.path.join(trained.exported, "a2b")
    assert ugatit_tf.load(path, strategy="one").generators.copies.count == 1
    message = "computes as it was exported: --precision and --xla cannot change that. Use its run"
    with pytest.raises(Failure, match=message):
        ugatit_tf.load(path, precision="bfloat16", xla=True)


@pytest.mark.parametrize("source", ["export", "a2b.npz"])
def test_options_that_mean_nothing_are_refused(trained, source):
    name = "" if source == "export" else source
    path = os.path.join(trained.exported, name)
    with pytest.raises(Failure, match="is no run folder.* Leave out --which best"):
        ugatit_tf.load(path, which="best")
    with pytest.raises(ConfigError, match="--precision must be one of float32"):
        ugatit_tf.load(path, precision="float8")


@pytest.mark.parametrize("sizes", [(4, 4, 2, 1), (1, 3, 2, 4)])
def test_xla_is_given_no_more_sizes_of_batches_than_it_must_compile(trained, sizes):
    model, shapes = ugatit_tf.load(trained.config.run_folder), []

    def spied(network):
        def run(x):
            shapes.append(len(x))
            return network(x)

        return run

    spy = runs.with_networks(model, spied)
    spy.generators.xla = True
    for count in sizes:
        x = made.images(count, 8, 8, 3)
        results = spy.generators.run(x, "a2b")
        expected = trained.networks.a2b(x).image
        np.testing.assert_allclose(
            [result.image for result in results], expected, **TOLERANCE["network"]
        )
    assert shapes == [max(sizes[: i + 1]) for i in range(len(sizes))]


def signature_of(shape=(None, None, None, 3), kind=tf.float32, name="images", function=None):
    images = tf.TensorSpec(shape, kind, name)
    function = function or (lambda x: {"images": x})
    return tf.function(function, input_signature=[images])


@pytest.mark.parametrize(
    ("signatures", "size", "message"),
    [
        ({"other": signature_of()}, 8, "no signature exact"),
        ({"exact": signature_of()}, None, "does not say which size"),
        ({"exact": signature_of()}, [8, 8], "does not say which size"),
        ({"exact": signature_of()}, -8, "does not say which size"),
        ({"exact": signature_of(None)}, 8, "its exact takes"),
        ({"exact": signature_of([None, 3])}, 8, "its exact takes"),
        ({"exact": signature_of([None, 8, None, 3])}, 8, "its exact takes"),
        ({"exact": signature_of([None, None, None, 2])}, 8, "its exact takes"),
        ({"exact": signature_of(kind=tf.uint8)}, 8, "its exact takes"),
        ({"exact": signature_of(name="x")}, 8, "its exact takes"),
        ({"exact": signature_of(function=lambda x: {"y": x})}, 8, "its exact gives"),
        ({"exact": signature_of(function=lambda x: {"images": x[0]})}, 8, "its exact gives"),
        (
            {"exact": signature_of(function=lambda x: {"images": x, "heatmap": x})},
            8,
            "its exact gives",
        ),
    ],
)
def test_a_strange_saved_model_is_refused_in_one_line(tmp_path, signatures, size, message):
    strange = tf.Module()
    if size is not None:
        strange.trained_with = tf.Variable(size)
    tf.saved_model.save(strange, str(tmp_path / "a2b"), signatures=signatures)
    with pytest.raises(Failure, match=f"a2b cannot be used .*{message}") as caught:
        ugatit_tf.load(tmp_path / "a2b")
    assert "\n" not in str(caught.value)


def test_a_strange_saved_model_that_gives_another_size_is_refused(tmp_path):
    strange = tf.Module()
    strange.trained_with = tf.Variable(8)
    halves = signature_of(function=lambda x: {"images": x[:, ::2]})
    tf.saved_model.save(strange, str(tmp_path / "a2b"), signatures={"exact": halves})
    with pytest.raises(Failure, match="cannot be used .its images .* become"):
        ugatit_tf.load(tmp_path).translate(levels(8, 8, 3))


def test_the_mean_is_that_of_the_generators_of_all_checkpoints(tmp_path):
    config = runs.config_in(tmp_path, ema=0.5)
    networks = runs.make_run(config)
    trainer = Trainer(networks, config)
    draw, kept = np.random.default_rng(0), []
    for step in (5, 7):
        for weight in networks.weights().values():
            weight.assign(draw.uniform(0.1, 0.9, weight.shape))
        trainer.start_average()
        checkpoints.save(config.run_folder, step, trainer.state())
        kept.append(made.arrays(networks.weights()))
    shutil.rmtree(os.path.join(config.run_folder, "step_0000003"))
    found, source = loading.load_networks(config, "mean")
    assert os.path.basename(source) == "step_0000007_mean"
    for name, weight in found.weights().items():
        first, last = (arrays[name] for arrays in kept)
        expected = last if name.startswith("discriminator") else (first + np.float64(last)) / 2
        np.testing.assert_allclose(weight, expected, err_msg=name, **TOLERANCE["exact"])


def test_for_a_checkpoint_its_run_is_suggested(tmp_path):
    checkpoint = tmp_path / "step_0000003"
    checkpoint.mkdir()
    (checkpoint / "time.json").touch()
    with pytest.raises(Failure, match="faces, horse2zebra.$"):
        loading.load(checkpoint)
    (tmp_path / "config.json").touch()
    with pytest.raises(Failure, match=f"Did you mean {tmp_path}[?]$"):
        loading.load(checkpoint)


def test_where_there_is_no_model_it_is_said_what_would_be_one(tmp_path):
    for path, message in ((tmp_path, "has none of these"), (tmp_path / "x", "does not exist")):
        with pytest.raises(Failure, match=f"{message}. Expected a run folder.*a2b.npz"):
            loading.load(path)
    below = tmp_path / "step_0000003" / "b2a" / "saved_model.pb"
    below.parent.mkdir(parents=True)
    below.touch()
    with pytest.raises(Failure, match=f"Did you mean {below.parent.parent}[?]$"):
        loading.load(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(Failure, match="cannot be used .*export again"):
        loading.load(tmp_path)


def test_a_generator_file_that_is_damaged_or_something_else_is_refused(trained, tmp_path):
    content = pathlib.Path(trained.exported, "a2b.npz").read_bytes()
    kernel = trained.networks.a2b.residual[0].weights[0]
    middle = content.index(made.raw(kernel).numpy().tobytes())
    changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    other = tmp_path / "arrays.npz"
    np.savez(other, weight=np.zeros(3))
    np.save(tmp_path / "array.npy", np.zeros(3))
    array = (tmp_path / "array.npy").read_bytes()
    for number, data in enumerate((content[:middle], changed, b"", other.read_bytes(), array)):
        broken = tmp_path / f"{number}.npz"
        broken.write_bytes(data)
        with pytest.raises(Failure, match="not a generator file, or it is damaged"):
            loading.load(broken)


DEEP = "[" * 100_000 + "]" * 100_000
STRANGE = {  # what a stranger's file may say, of the wrong size or kind
    "many blocks": ({"n_res": 10**7}, {}),
    "some more blocks": ({"n_res": 200}, {}),
    "wide": ({"ch": 4096}, {}),
    "deep discriminators": ({"n_dis": 10**6}, {}),
    "the full model": ({"light": False, "img_size": 8192}, {}),
    "no options": ({}, {"options": [1]}),
    "nothing but a list": ({}, None),
    "deep JSON": ({}, DEEP),
}


def rewritten(path, target, change):
    """Copies an archive, each of its entries as `change(name, content)` returns it."""
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(target, "w") as new:
        for entry in archive.infolist():
            new.writestr(entry.filename, change(entry.filename, archive.read(entry)))


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("case", STRANGE)
def test_a_generator_file_that_says_more_than_it_holds_is_refused_at_once(
    trained, tmp_path, case, monkeypatch
):
    options, more = STRANGE[case]

    def change(name, content):
        if name != "about.npy":
            return content
        about = json.loads(str(np.load(io.BytesIO(content))))
        about["options"].update(options)
        about = [1] if more is None else {**about, **more} if isinstance(more, dict) else more
        return npy(np.array(about if isinstance(about, str) else json.dumps(about)))

    monkeypatch.setattr(generator_file, "build_generator", None)  # nothing is built
    rewritten(os.path.join(trained.exported, "a2b.npz"), tmp_path / "x.npz", change)
    with pytest.raises(Failure, match="is not a generator file|its own description"):
        loading.load(tmp_path / "x.npz")


def test_an_array_that_is_larger_than_its_bytes_is_refused_without_its_memory(trained, tmp_path):
    def change(name, content):
        if name != "stem/convolution/kernel.npy":
            return content
        return re.sub(rb"'shape': \(7, 7, [^)]*\), } *", lambda found: (
            b"'shape': (70368744177664,), }".ljust(len(found.group()))
        ), content)  # fmt: skip

    rewritten(os.path.join(trained.exported, "a2b.npz"), tmp_path / "x.npz", change)
    with pytest.raises(Failure, match=r"shape \(70368744177664,\) in [0-9]+ bytes"):
        loading.load(tmp_path / "x.npz")


def test_an_archive_that_unpacks_to_more_than_the_file_is_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("about.npy", bytes(10**7))
    assert path.stat().st_size < 10**5
    monkeypatch.setattr(zipfile.ZipFile, "read", None)
    with pytest.raises(Failure, match="more in it than the file is long"):
        loading.load(path)


def test_a_generator_file_that_the_system_does_not_give_is_not_called_damaged(trained, monkeypatch):
    def no_more_files(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", no_more_files)
        with pytest.raises(Failure, match="a2b.npz cannot be read: too many open files"):
            generator_file.load(os.path.join(trained.exported, "a2b.npz"))


def test_a_generator_file_holds_the_generator_and_nothing_else(trained):
    with np.load(os.path.join(trained.exported, "a2b.npz")) as archive:
        arrays = dict(archive)
    weights = made.arrays(trained.networks.generator_weights())
    expected = {name[4:] for name in weights if name.startswith("a2b/")}
    assert set(arrays) == {*expected, generator_file.ABOUT}
    for name in expected:
        np.testing.assert_array_equal(arrays[name], weights[f"a2b/{name}"])


def test_a_run_folder_may_be_moved(trained, tmp_path):
    moved = tmp_path / "elsewhere" / "other name"
    os.makedirs(moved.parent)
    os.rename(trained.config.run_folder, moved)
    try:
        model = ugatit_tf.load(moved)
    finally:
        os.rename(moved, trained.config.run_folder)
    pixels = levels(8, 8, 3)
    assert_levels(model.translate(pixels), expected_of(trained.networks.a2b, pixels)[0])
    assert dataclasses.asdict(trained.config)["run"] == ""


@pytest.mark.parametrize("place", ["run", "b2a", "b2a.npz"])
def test_threads_share_the_devices_whatever_the_model_is_from(trained, place, monkeypatch):
    monkeypatch.setattr(devices, "names", lambda *_: ["CPU:0"] * 2)
    is_run = place == "run"
    model = ugatit_tf.load(
        trained.config.run_folder if is_run else os.path.join(trained.exported, place)
    )
    assert model.generators.copies.count == 2
    networks, meet = [], threading.Barrier(2)

    def watched(found):
        networks.append(found["b2a"])
        meet.wait(60)
        return found["b2a"](image_array.to_float(pixels)[None]).image.numpy()

    pixels = levels(8, 8, 3)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(model.generators.copies.use, [watched] * 2)
    assert networks[0] is not networks[1]
    np.testing.assert_array_equal(one, other)
    assert_levels(image_array.to_uint8(one[0]), expected_of(trained.networks.b2a, pixels)[0])


def test_networks_in_memory_stay_on_their_device(trained, monkeypatch):
    monkeypatch.setattr(devices, "names", lambda *_: ["CPU:0"] * 2)
    assert loading.from_networks(trained.networks, trained.config).generators.copies.count == 1


def test_weights_that_a_checkpoint_holds_are_not_drawn_before(trained, monkeypatch):
    monkeypatch.setattr(network_model, "_draw_weights", None)
    found = loading.load(trained.config.run_folder).generators.networks["a2b"]
    x = made.numbers(1, 8, 8, 3)
    expected = trained.networks.a2b(x).image
    np.testing.assert_allclose(found(x).image, expected, **TOLERANCE["network"])


def test_strategy_one_is_one_device(trained, monkeypatch):
    two = [tf.config.LogicalDevice(f"/device:CPU:{i}", "CPU") for i in range(2)]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: two)
    for strategy, count in (("auto", 2), ("one", 1)):
        config = dataclasses.replace(trained.config, strategy=strategy)
        assert loading.from_run(config).generators.copies.count == count
