"""SavedModels that need TensorFlow alone, checked after writing in a process of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf

from ugatit_tf import gpu
from ugatit_tf.config import Config
from ugatit_tf.data.pipeline import resized
from ugatit_tf.errors import Failure
from ugatit_tf.flavors import FLAVORS
from ugatit_tf.interchange.difference import Difference, between, worst
from ugatit_tf.interchange.graph_images import checked, on_white, reflected, to_uint8
from ugatit_tf.keras_settings import raw
from ugatit_tf.layers import target
from ugatit_tf.networks.generator import Generator
from ugatit_tf.networks.shapes import refuse_not_finite
from ugatit_tf.tf_paths import plain_path

# Converters take the first.
SIGNATURES = ("translate", "serving_default", "exact", "encoded", "image_bytes")
LARGEST_DIFFERENCE = 1  # of 255 levels, between the Keras model and the loaded export

# Runs in isolated mode, where the project's folder is not importable. The second loader, that of
# TensorFlow 1 and of TensorFlow Serving, restores variables in a way of its own.
USE_ALONE = """
import sys
import numpy as np
import tensorflow as tf
folder, inputs, results = sys.argv[1:]
inputs, outputs = dict(np.load(inputs)), {}
def use(function, loader):
    for key, value in inputs.items():
        signature, name = key.split("/")
        for output, values in function(signature, name, value).items():
            values = np.asarray(values)
            files = values.dtype == object  # bytes, which savez would pickle
            outputs[f"{signature}/{output}/{loader}"] = values.astype("S") if files else values
signatures = tf.saved_model.load(folder).signatures
use(lambda signature, name, value: signatures[signature](**{name: tf.constant(value)}), 2)
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    definitions = tf.compat.v1.saved_model.load(session, ["serve"], folder).signature_def
    def run(signature, name, value):
        definition = definitions[signature]
        tensors = {output: info.name for output, info in definition.outputs.items()}
        return session.run(tensors, {definition.inputs[name].name: value})
    use(run, 1)
assert "ugatit_tf" not in sys.modules
np.savez(results, **outputs)
"""


class Translator(tf.Module):
    """One direction of the model, from and to bytes of an image.

    Signatures:
        serving_default: `images` uint8 [N, H, W, img_ch] to `images` uint8, the same shape,
            and `heatmap` float32 [N, H, W] in [0, 1]. The light model takes any H and W, and
            reflects them to multiples of 4 as `translation.fit` does; the full one takes only
            its own size.
        translate: the same, but that the result is called `translated`: converters want different
            names for what goes in and what comes out. It is the first, which they take by default.
        exact: `images` float32 [N, H, W, img_ch] in [-1, 1] to `images` of the same shape and
            range, and `heatmap` float32 [N, H / 4, W / 4], not scaled. H and W are multiples of
            4, and at least 8.
        image_bytes: the same as `encoded`, with the name that the REST interface of TensorFlow
            Serving wants of bytes: `image_bytes` string [N] to `image_bytes` string [N].
        encoded: `encoded` string [N], files as JPEG, PNG, BMP or GIF, resized to the training
            size as the test phase does, to `encoded` string [N], PNG files. TensorFlow's decoders
            do not turn images by EXIF, convert colour profiles or scale 16-bit greys.

    A batch of none, and sizes that do not fit, are an InvalidArgumentError that says what is
    expected.
    """

    def __init__(self, generator: Generator, config: Config) -> None:
        super().__init__()
        # Only the variables are tracked. A Keras 3 layer would be saved with its variables a
        # second time, and loaders other than TensorFlow 2's would restore that set alone.
        self.weights = [raw(weight) for weight in generator.variables]
        self.trained_with = tf.Variable(config.img_size, trainable=False)
        self.antialias = tf.Variable(FLAVORS[config.flavor].antialias, trainable=False)
        self.direction = generator.name
        self._size = config.img_size
        self._channels = config.img_ch
        self._any_size = config.any_size
        self._antialias = FLAVORS[config.flavor].antialias
        side = None if config.any_size else config.img_size
        shape = [None, side, side, config.img_ch]
        self._generate = _tracing(generator, config.any_size)  # a function is not tracked
        images, exact = (tf.TensorSpec(shape, kind, "images") for kind in (tf.uint8, tf.float32))
        encoded = tf.TensorSpec([None], tf.string, "encoded")
        image_bytes = tf.TensorSpec([None], tf.string, "image_bytes")
        self._serve = tf.function(self.translate, input_signature=[images])
        served = (
            tf.function(self.translate_under_other_names, input_signature=[images]),
            self._serve,
            tf.function(self.translate_exactly, input_signature=[exact]),
            tf.function(self.translate_encoded, input_signature=[encoded]),
            tf.function(self.translate_image_bytes, input_signature=[image_bytes]),
        )
        self.served = dict(zip(SIGNATURES, served))

    def translate(self, images: tf.Tensor) -> dict:
        images = checked(images, f"images, uint8 [N, height, width, {self._channels}]")
        height, width = tf.unstack(tf.shape(images)[1:3])
        if self._any_size:
            images = reflected(reflected(images, 1), 2)
        out = self._generate(tf.cast(images, tf.float32) / 127.5 - 1.0)
        image = to_uint8(out.image)[:, :height, :width]
        if out.heatmap is None:
            return {"images": image}
        # No `[..., None]`, which is an operation that converters do not know.
        heatmap = tf.image.resize(tf.expand_dims(out.heatmap, -1), tf.shape(images)[1:3])
        heatmap = tf.squeeze(heatmap, -1)[:, :height, :width]
        lowest = tf.reduce_min(heatmap, [1, 2], keepdims=True)
        highest = tf.reduce_max(heatmap, [1, 2], keepdims=True)
        heatmap = tf.math.divide_no_nan(heatmap - lowest, highest - lowest)
        return {"images": image, "heatmap": heatmap}

    def translate_under_other_names(self, images: tf.Tensor) -> dict:
        out = self._serve(images)
        return {"translated": out.pop("images"), **out}

    def translate_exactly(self, images: tf.Tensor) -> dict:
        images = checked(images, f"images, float32 [N, height, width, {self._channels}] in [-1, 1]")
        out = self._generate(images)
        heat = {} if out.heatmap is None else {"heatmap": out.heatmap}
        return {"images": out.image, **heat}

    def translate_encoded(self, encoded: tf.Tensor) -> dict:
        encoded = checked(encoded, "encoded, the contents of N image files")
        shape = tf.TensorSpec([self._size, self._size, self._channels])
        images = tf.map_fn(self._decoded, encoded, fn_output_signature=shape)
        out = to_uint8(self._generate(images).image)
        return {"encoded": tf.map_fn(tf.io.encode_png, out, fn_output_signature=tf.string)}

    def translate_image_bytes(self, image_bytes: tf.Tensor) -> dict:
        image_bytes = checked(image_bytes, "image_bytes, the contents of N image files")
        return {"image_bytes": self.translate_encoded(image_bytes)["encoded"]}

    def _decoded(self, file):
        image = tf.io.decode_image(file, expand_animations=False)
        image = on_white(image, self._channels)
        if self._antialias:  # as Pillow, but for its rounding in between: within one level
            image = tf.image.resize(image, [self._size, self._size], antialias=True)
            image = tf.round(image)
        image = resized(image, self._size)
        return tf.ensure_shape(image, [self._size, self._size, self._channels])


def export(generator: Generator, config: Config, folder: str) -> dict[tuple, Difference]:
    """Writes `generator` as a SavedModel into `folder`, which must not exist, and checks it.

    Returns:
        Shape of the images -> the difference between `generator` and the SavedModel in a process
        without this package: all signatures, with TensorFlow 2's loader and with TensorFlow 1's.

    Raises:
        Failure: the difference is above one level, or the process failed. Nothing is left.
    """
    if os.path.exists(folder):
        raise Failure(f"{folder} exists. Remove it, or choose another --export_dir.")
    parent = os.path.dirname(folder)
    os.makedirs(parent, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=parent, prefix=".export_") as scratch,
        plain_path(scratch) as beside,
    ):
        written = os.path.join(beside, "model")
        translator = Translator(generator, config)
        inputs = _inputs(config)
        expected = _outputs(translator, inputs)  # first: it refuses what is not finite
        tf.saved_model.save(translator, written, signatures=translator.served)
        compared = _compared(expected, _outputs_alone(written, inputs, beside))
        difference = worst(compared.values())
        if difference.largest > LARGEST_DIFFERENCE:
            raise Failure(
                f"The exported model differs from the original by {difference.largest:g} levels of "
                f"255; at most {LARGEST_DIFFERENCE} is right. Nothing was kept in {folder}."
            )
        shutil.move(written, folder)
    return compared


def _tracing(generator, any_size):
    """A function that traces the generator, in operations for converters where sizes may vary.

    Those of one size are faster as they are, and converters take them.
    """

    def traced(images):
        with target.traced_for(portable=True) if any_size else contextlib.nullcontext():
            return generator(images)

    return traced


def fixed_image(size: int, channels: int) -> np.ndarray:
    """uint8 [1, size, size, channels] with smooth parts, edges and noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size][..., None] / size
    waves = np.sin(2 * np.pi * (x * np.arange(1, channels + 1) + y))
    image = 127 + 60 * waves + 40 * (x > y) + rng.normal(0, 8, [size, size, channels])
    return np.uint8(np.clip(image, 0, 255))[None]


def _inputs(config) -> dict:
    """signature/input -> value: what the check gives to each signature."""
    image = fixed_image(config.img_size, config.img_ch)
    odd = image[:, 1:, 2:] if config.any_size else image
    files = np.array([tf.io.encode_png(image[0]).numpy()])
    return {
        "translate/images": odd,
        "serving_default/images": odd,
        "exact/images": np.float32(image / 127.5 - 1.0),
        "encoded/encoded": files,
        "image_bytes/image_bytes": files,
    }


def _outputs(translator, inputs) -> dict:
    """signature/output -> what the model itself computes."""
    results = {}
    for key, value in inputs.items():
        signature = key.split("/")[0]
        outputs = translator.served[signature].python_function(tf.constant(value))
        results.update({f"{signature}/{name}": out.numpy() for name, out in outputs.items()})
    refuse_not_finite(results["exact/images"], f"The generator {translator.direction}")
    return results


def _outputs_alone(folder, inputs, scratch) -> dict:
    """signature/output/loader -> what a process with TensorFlow alone computes."""
    given, results = (os.path.join(scratch, name) for name in ("inputs.npz", "results.npz"))
    np.savez(given, **inputs)
    command = [sys.executable, "-I", "-c", USE_ALONE, folder, given, results]
    # Without GPUs, whose memory this process may have.
    environment = {**os.environ, **gpu.HIDDEN, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Failure(f"The exported model cannot be used by TensorFlow alone: {last}")
    with np.load(results) as loaded:
        return dict(loaded)


def _compared(expected, exported) -> dict:
    """Shape of the images -> the `Difference` of all of them; heatmaps must lie in [0, 1]."""
    found = {}
    for key, values in exported.items():
        signature, name, _ = key.split("/")
        if name == "heatmap" and signature != "exact":
            if not (np.min(values) >= 0.0 and np.max(values) <= 1.0):
                raise Failure("The exported model's heatmap leaves [0, 1].")
        elif name != "heatmap":
            images = _levels(values)
            difference = between(images, _levels(expected[f"{signature}/{name}"]))
            found.setdefault(images.shape, []).append(difference)
    return {shape: worst(differences) for shape, differences in found.items()}


def _levels(values):
    """Images of any signature as float32 from 0 to 255."""
    if values.dtype.kind in "SO":  # bytes
        return np.stack([np.float32(tf.io.decode_png(file)) for file in values])
    return (values + 1.0) * 127.5 if values.dtype == np.float32 else np.float32(values)
