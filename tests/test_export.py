"""An export computes what the model does, from and to bytes, with TensorFlow alone."""

import base64
import json
import os
import pathlib
import re
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from tests import drawn_files, made, runs
from tests.made import levels
from tests.tolerances import TOLERANCE
from ugatit_tf.data import pipeline
from ugatit_tf.errors import Failure
from ugatit_tf.images import image_array, image_file
from ugatit_tf.interchange import export
from ugatit_tf.interchange.difference import Difference, worst
from ugatit_tf.networks.model import build_model
from ugatit_tf.translation import fit

ROOT = pathlib.Path(__file__).parent.parent


def exported_in(folder, **options):
    """Exports a2b of a model; returns config, generator, largest difference, path and `loaded`."""
    config = runs.config_in(folder, **options)
    model = build_model(config)
    made.fill(model.weights())
    path = os.path.join(config.export_dir, "tiny", "a2b")
    difference = worst(export.export(model.a2b, config, path).values())
    return types.SimpleNamespace(
        config=config,
        generator=model.a2b,
        difference=difference,
        path=path,
        loaded=tf.saved_model.load(path),
    )


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    return exported_in(tmp_path_factory.mktemp("light"), light=True)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Not loaded alone, which takes seconds: `loaded_alone` does that in one process for both."""
    with runs.unchecked_exports():
        return exported_in(tmp_path_factory.mktemp("full"), light=False, img_ch=1)


@pytest.fixture(params=["light", "full"])
def either(request):
    return request.getfixturevalue(request.param)


def serve(case, images):
    signature = case.loaded.signatures["serving_default"]
    return {name: value.numpy() for name, value in signature(images=tf.constant(images)).items()}


def assert_levels(images, expected):
    assert images.dtype == np.uint8
    assert images.shape == expected.shape
    assert np.abs(images.astype(int) - expected).max() <= 1


def translated(case, images):
    """What the Keras model makes of uint8 images, and its heatmaps."""
    out = case.generator(tf.constant(image_array.to_float(images)))
    return image_array.to_uint8(out.image.numpy()), out.heatmap.numpy()


def test_a_process_with_tensorflow_alone_finds_no_difference_over_one_level(light):
    assert 0 <= light.difference.mean <= light.difference.largest <= 1


def test_the_folder_holds_the_export_and_no_scraps(either):
    assert os.listdir(os.path.dirname(either.path)) == ["a2b"]
    assert os.path.isfile(os.path.join(either.path, "saved_model.pb"))


def test_the_signatures_have_their_names_types_and_shapes(either):
    size, channels = either.config.img_size, either.config.img_ch
    side = None if either.config.light else size
    # The first is what converters take by default.
    names = ["translate", "serving_default", "exact", "encoded", "image_bytes"]
    assert list(either.loaded.signatures) == names
    translate = either.loaded.signatures["translate"]
    assert set(translate.structured_outputs) == {"translated", "heatmap"}

    serving = either.loaded.signatures["serving_default"]
    (given,) = serving.structured_input_signature[1].values()
    assert (given.name, given.dtype) == ("images", tf.uint8)
    assert given.shape.as_list() == [None, side, side, channels]
    assert {name: t.dtype for name, t in serving.structured_outputs.items()} == {
        "images": tf.uint8,
        "heatmap": tf.float32,
    }

    encoded = either.loaded.signatures["encoded"]
    (given,) = encoded.structured_input_signature[1].values()
    assert (given.name, given.dtype, given.shape.as_list()) == ("encoded", tf.string, [None])
    assert {name: t.dtype for name, t in encoded.structured_outputs.items()} == {
        "encoded": tf.string
    }


def test_the_request_in_the_documents_reaches_a_signature_and_its_answer_can_be_decoded(light):
    """In TensorFlow Serving's JSON {"b64": ...} is bytes, and so is an output named ..._bytes."""
    text = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    ((line),) = re.findall(r"^  -d '(.*)' \\$", text, re.MULTILINE)
    file = drawn_files.png(levels(8, 8, 3))
    request = json.loads(line.replace("'$(base64 -w0 me.png)'", base64.b64encode(file).decode()))
    signature = light.loaded.signatures[request["signature_name"]]
    (name,) = signature.structured_input_signature[1]
    files = [base64.b64decode(instance["b64"]) for instance in request["instances"]]
    ((answer, results),) = signature(**{name: tf.constant(files)}).items()
    assert answer.endswith("_bytes")
    expected = light.loaded.signatures["encoded"](encoded=tf.constant(files))["encoded"]
    assert results[0].numpy() == expected[0].numpy()


@pytest.mark.parametrize("number", [1, 2, 5])
def test_any_number_of_images_becomes_what_the_model_makes_of_them(either, number):
    size, channels = either.config.img_size, either.config.img_ch
    images = levels(number, size, size, channels)
    expected, _ = translated(either, images)
    assert_levels(serve(either, images)["images"], expected)


@pytest.mark.parametrize(("height", "width"), [(8, 12), (12, 8), (64, 20)])
def test_the_light_model_takes_any_size_in_multiples_of_4(light, height, width):
    images = levels(2, height, width, 3)
    expected, _ = translated(light, images)
    out = serve(light, images)
    assert_levels(out["images"], expected)
    assert out["heatmap"].shape == (2, height, width)


@pytest.mark.parametrize(("height", "width"), [(61, 67), (9, 8), (5, 7), (2, 13)])
def test_the_light_model_reflects_an_odd_size_as_the_program_does(light, height, width):
    images = levels(2, height, width, 3)
    how = fit.make_fit(height, width, "keep")
    x = np.stack([how.apply(image_array.to_float(image)) for image in images])
    out, found = light.generator(x), serve(light, images)
    expected = np.stack([how.undo(image) for image in out.image.numpy()])
    assert_levels(found["images"], image_array.to_uint8(expected))
    assert found["heatmap"].shape == (2, height, width)
    assert 0 <= found["heatmap"].min() <= found["heatmap"].max() <= 1


def test_a_single_pixel_becomes_one(light):
    # Of which color is not said: normalization leaves nothing of a plain image but its rounding.
    found = serve(light, levels(2, 1, 1, 3))
    assert found["images"].shape == (2, 1, 1, 3) and found["images"].dtype == np.uint8
    assert found["heatmap"].shape == (2, 1, 1)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("serving_default", (0, 8, 8, 3), "at least one image: images, uint8 .N, height, width"),
        ("serving_default", (8, 8, 3), r"\[8,8,3\] is not compatible with expected shape"),
        ("serving_default", (1, 8, 8, 1), r"\[1,8,8,1\] is not compatible with expected shape"),
        ("exact", (0, 8, 8, 3), "at least one image: images, float32"),
        ("exact", (1, 9, 8, 3), "multiples of 4 and at least 8 pixels.*1 9 8 3"),
        ("exact", (1, 4, 4, 3), "multiples of 4 and at least 8 pixels"),
        ("encoded", (0,), "at least one image: encoded"),
    ],
)
def test_images_that_do_not_fit_are_refused_with_what_is_expected(light, name, shape, message):
    signature = light.loaded.signatures[name]
    ((key, spec),) = signature.structured_input_signature[1].items()
    images = tf.zeros(shape, spec.dtype) if spec.dtype != tf.string else tf.fill(shape, "")
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"(?s){message}"):
        signature(**{key: images})


def test_another_type_of_images_is_refused_with_what_is_expected(light):
    with pytest.raises((TypeError, tf.errors.InvalidArgumentError), match="uint8"):
        serve(light, np.zeros([1, 8, 8, 3], np.float32))


def test_the_full_model_takes_its_own_size_only(full):
    with pytest.raises(tf.errors.InvalidArgumentError, match="(?s)1,12,12,1.*expected shape"):
        serve(full, levels(1, 12, 12, 1))


# A process of its own, since the eager one keeps variables alive that this loader must restore.
LOAD_AS_TENSORFLOW_1_DOES = """
import sys
import numpy as np
import tensorflow as tf
for folder in sys.argv[1:]:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        definitions = tf.compat.v1.saved_model.load(session, ["serve"], folder).signature_def
        found = {}
        for name in ("translate", "serving_default", "exact"):
            (images,) = definitions[name].inputs.values()
            pixels = np.load(f"{folder}.npy")
            if images.dtype == tf.float32:
                pixels = np.float32(pixels / 127.5 - 1)
            outputs = {key: info.name for key, info in definitions[name].outputs.items()}
            for key, value in session.run(outputs, {images.name: pixels}).items():
                found[f"{name}/{key}"] = value
    np.savez(f"{folder}.npz", **found)
"""


@pytest.fixture(scope="module")
def loaded_alone(light, full):
    """path of an export -> (pixels, "signature/output" -> what it makes of them)."""
    # Not of one colour: normalizations would make of it what rounding has left.
    pixels = {case.path: levels(1, 8, 8, case.config.img_ch) for case in (light, full)}
    for path, given in pixels.items():
        np.save(f"{path}.npy", given)
    command = [sys.executable, "-I", "-c", LOAD_AS_TENSORFLOW_1_DOES, *pixels]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = {}
    for path, given in pixels.items():
        with np.load(f"{path}.npz") as arrays:
            found[path] = given, dict(arrays)
        for suffix in ("npy", "npz"):
            os.remove(f"{path}.{suffix}")
    return found


def test_the_loader_of_tensorflow_1_restores_every_weight(either, loaded_alone):
    pixels, found = loaded_alone[either.path]
    expected, _ = translated(either, pixels)
    for name in ("translate/translated", "serving_default/images"):
        assert_levels(found[name], expected)
    exact = either.generator(np.float32(pixels / 127.5 - 1))
    np.testing.assert_allclose(found["exact/images"], exact.image, **TOLERANCE["network"])
    np.testing.assert_allclose(found["exact/heatmap"], exact.heatmap, **TOLERANCE["network"])


def test_an_export_holds_each_weight_once_and_no_layer(either):
    names = [name for name, _ in tf.train.list_variables(f"{either.path}/variables/variables")]
    weights = [name for name in names if name.startswith("weights/")]
    assert len(weights) == len(either.generator.weights)
    others = {name.split("/")[0] for name in names} - {"weights"}
    assert others == {"trained_with", "antialias", "_CHECKPOINTABLE_OBJECT_GRAPH"}


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_tensorflow_lite_takes_an_export(light):
    converter = tf.lite.TFLiteConverter.from_saved_model(light.path, signature_keys=["translate"])
    content = converter.convert()
    runner = tf.lite.Interpreter(model_content=content).get_signature_runner("translate")
    images = levels(1, 9, 13, 3)
    assert_levels(runner(images=images)["translated"], serve(light, images)["images"])


def test_the_heatmap_is_that_of_the_model_between_0_and_1(either):
    size, channels = either.config.img_size, either.config.img_ch
    images = levels(3, size, size, channels)
    heatmap = serve(either, images)["heatmap"]
    assert heatmap.dtype == np.float32
    assert heatmap.shape == (3, size, size)
    np.testing.assert_array_equal(heatmap.min((1, 2)), [0, 0, 0])
    np.testing.assert_allclose(heatmap.max((1, 2)), [1, 1, 1], **TOLERANCE["exact"])
    assert heatmap.max() <= 1
    _, expected = translated(either, images)
    for ours, theirs in zip(heatmap, expected):
        enlarged = tf.image.resize(theirs[..., None], [size, size]).numpy()[..., 0]
        scaled = (enlarged - enlarged.min()) / (enlarged.max() - enlarged.min())
        np.testing.assert_allclose(ours, scaled, **TOLERANCE["network"])


def test_a_heatmap_without_contrast_is_0_and_not_nan(light):
    config = light.config

    def constant(images):
        heatmap = tf.fill([tf.shape(images)[0], 2, 2], 3.0)
        return types.SimpleNamespace(image=images, heatmap=heatmap)

    out = export.Translator(Plain(constant), config).translate(tf.constant(levels(2, 8, 8, 3)))
    np.testing.assert_array_equal(out["heatmap"], np.zeros([2, 8, 8]))


def test_levels_are_kept_by_a_generator_that_changes_nothing(light):
    def same(images):
        return types.SimpleNamespace(image=images, heatmap=images[..., 0])

    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, -1)
    out = export.Translator(Plain(same), light.config).translate(tf.constant(images))
    np.testing.assert_array_equal(out["images"], images)


def test_encoded_images_of_any_size_become_what_the_test_phase_makes(either, tmp_path):
    size, channels = either.config.img_size, either.config.img_ch
    paths = [
        *runs.write_images(tmp_path, ["wide.png"], height=10, width=31, seed=1),
        *runs.write_images(tmp_path, ["tall.bmp"], height=21, width=6, seed=2),
        *runs.write_images(tmp_path, ["small.png"], height=3, width=3, seed=3),
    ]
    if channels == 1:  # TensorFlow's BMP decoder has no grey, its brightness rounds otherwise
        paths = []
        for number, shape in enumerate([(10, 31), (21, 6), (3, 3)]):
            paths.append(str(tmp_path / f"grey_{number}.png"))
            image_file.write(paths[-1], levels(*shape, seed=number))
    encoded = [pathlib.Path(path).read_bytes() for path in paths]
    out = either.loaded.signatures["encoded"](encoded=tf.constant(encoded))["encoded"]
    assert out.shape == [3]
    for path, data in zip(paths, out.numpy()):
        assert data.startswith(b"\x89PNG")
        (tmp_path / "result.png").write_bytes(data)
        source = pipeline.load(path, size=size, channels=channels, antialias=False)
        expected = image_array.to_uint8(either.generator(source[None]).image[0].numpy())
        assert_levels(image_file.read(tmp_path / "result.png", channels=channels), expected)


@pytest.mark.parametrize("mode", ["grey", "transparent"])
def test_encoded_images_are_seen_as_the_test_phase_sees_them(light, tmp_path, mode):
    pixels = levels(8, 8, 4) if mode == "transparent" else levels(8, 8)
    path = str(tmp_path / "image.png")
    with open(path, "wb") as file:
        file.write(tf.io.encode_png(pixels.reshape(8, 8, -1)).numpy())
    out = light.loaded.signatures["encoded"](encoded=tf.constant([pathlib.Path(path).read_bytes()]))
    (tmp_path / "result.png").write_bytes(out["encoded"][0].numpy())
    source = pipeline.load(path, size=8, channels=3, antialias=False)
    expected = image_array.to_uint8(light.generator(source[None]).image[0].numpy())
    assert np.abs(image_file.read(tmp_path / "result.png").astype(int) - expected).max() <= 2


def test_a_difference_over_a_level_fails_and_leaves_nothing(tmp_path, monkeypatch):
    off = np.full([1, 7, 6, 3], 129, np.uint8)
    monkeypatch.setattr(export, "_outputs_alone", lambda *_: {"translate/translated/1": off})
    monkeypatch.setattr(
        export, "_outputs", lambda *_: {"translate/translated": np.full_like(off, 127)}
    )
    config = runs.config_in(tmp_path)
    folder = tmp_path / "export" / "tiny" / "a2b"
    with pytest.raises(Failure, match="differs from the original by 2 levels of 255"):
        export.export(linear(), config, str(folder))
    assert os.listdir(tmp_path / "export" / "tiny") == []


def test_an_export_that_cannot_be_loaded_fails_with_the_reason_and_leaves_nothing(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(export, "USE_ALONE", "raise SystemExit('no kernel for this machine')")
    config = runs.config_in(tmp_path)
    with pytest.raises(Failure, match="TensorFlow alone: no kernel for this machine"):
        export.export(linear(), config, str(tmp_path / "export" / "a2b"))
    assert os.listdir(tmp_path / "export") == []


def test_a_generator_of_nan_is_not_exported(tmp_path):
    generator = linear()
    generator.weight.assign(np.nan)
    config = runs.config_in(tmp_path)
    with pytest.raises(Failure, match="The generator a2b gives numbers that are not finite"):
        export.export(generator, config, str(tmp_path / "export" / "a2b"))
    assert os.listdir(tmp_path / "export") == []


def test_a_folder_that_is_there_is_never_overwritten(light):
    before = runs.bytes_below(light.path)
    with pytest.raises(Failure, match="exists. Remove it, or choose another --export_dir"):
        export.export(light.generator, light.config, light.path)
    assert runs.bytes_below(light.path) == before


def test_the_phase_writes_both_directions_and_never_into_a_folder_that_exists(
    tmp_path, monkeypatch, capsys
):
    config = runs.config_in(tmp_path)
    model = runs.make_run(config)
    written = []

    def write(generator, config, folder):
        written.append((os.path.basename(folder), [w.numpy() for w in generator.weights]))
        os.mkdir(folder)
        return {(1, 8, 8, 3): Difference(0.5, 0.25)}

    monkeypatch.setattr(export, "export", write)
    with runs.unchecked_exports():
        runs.run_phase("export", config)
        runs.run_phase("export", config)
    folder = os.path.join(config.export_dir, "tiny", "step_0000003")
    assert [name for name, _ in written] == 2 * ["a2b", "b2a"]
    for parent in (folder, f"{folder}_2"):
        assert sorted(os.listdir(parent)) == ["a2b", "a2b.npz", "b2a", "b2a.npz", "export.json"]
    for (_, found), generator in zip(written, (model.a2b, model.b2a)):
        for array, weight in zip(found, generator.weights):
            np.testing.assert_array_equal(array, weight.numpy())
    told = "largest difference from the original 0.5, mean 0.25 of 255 levels"
    assert capsys.readouterr().out.count(told) == 4


def test_the_phase_leaves_nothing_where_one_direction_fails(tmp_path, monkeypatch):
    config = runs.config_in(tmp_path)
    runs.make_run(config)

    def fail_at_b2a(generator, config, folder):
        if folder.endswith("b2a"):
            raise Failure("differs")
        os.mkdir(folder)
        return {}

    monkeypatch.setattr(export, "export", fail_at_b2a)
    with pytest.raises(Failure, match="differs"):
        runs.run_phase("export", config)
    assert runs.bytes_below(config.export_dir) == {}
    assert os.listdir(os.path.join(config.export_dir, "tiny")) == []


class Plain(tf.Module):
    """A function as a generator, which is quick to export."""

    def __init__(self, function):
        super().__init__(name="a2b")
        self.weight = tf.Variable(0.5)
        self.function = function

    def __call__(self, images):
        return self.function(images)


def linear():
    """A generator of one weight."""

    def scaled(images):
        image = generator.weight * images
        return types.SimpleNamespace(image=image, heatmap=images[..., 0])

    generator = Plain(scaled)
    return generator
