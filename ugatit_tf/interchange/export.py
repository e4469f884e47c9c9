"""SavedModels that need TensorFlow alone, checked after writing in a process of their own."""

import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf

from ugatit_tf.data.pipeline import resized
from ugatit_tf.runtime import Failure, plain_path

LARGEST_DIFFERENCE = 1  # of 255 levels, between the Keras model and the loaded export

# Runs in isolated mode, where the project's folder is not importable.
USE_ALONE = """
import sys
import numpy as np
import tensorflow as tf
folder, given, result = sys.argv[1:]
serve = tf.saved_model.load(folder).signatures["serving_default"]
out = serve(images=tf.constant(np.load(given)))
assert "ugatit_tf" not in sys.modules
np.savez(result, **{name: value.numpy() for name, value in out.items()})
"""


class Translator(tf.Module):
    """One direction of the model, from and to bytes of a picture.

    Signatures:
        serving_default: `images` uint8 [N, H, W, img_ch] to `images` uint8, the same shape,
            and `heatmap` float32 [N, H, W] in [0, 1]. The light model takes any H and W that
            are multiples of 4, the full one only its own size.
        exact: `images` float32 [N, H, W, img_ch] in [-1, 1] to `images` of the same shape and
            range, and `heatmap` float32 [N, H / 4, W / 4], not scaled.
        encoded: `encoded` string [N], files as JPEG, PNG, BMP or GIF, resized to the training
            size as the test phase does, to `encoded` string [N], PNG files. TensorFlow's decoders
            do not turn pictures by EXIF, convert colour profiles or scale 16-bit greys.
    """

    def __init__(self, generator, config):
        super().__init__()
        self.generator = generator
        self.size = config.img_size
        self.trained_with = tf.Variable(config.img_size, trainable=False)
        self.channels = config.img_ch
        side = None if config.any_size else config.img_size
        shape = [None, side, side, config.img_ch]
        images, exact = (tf.TensorSpec(shape, kind, "images") for kind in (tf.uint8, tf.float32))
        encoded = tf.TensorSpec([None], tf.string, "encoded")
        self.served = {
            "serving_default": tf.function(self.translate, input_signature=[images]),
            "exact": tf.function(self.translate_exactly, input_signature=[exact]),
            "encoded": tf.function(self.translate_encoded, input_signature=[encoded]),
        }

    def translate(self, images):
        out = self.generator(tf.cast(images, tf.float32) / 127.5 - 1.0)
        if out.heatmap is None:
            return {"images": _to_uint8(out.image)}
        heatmap = tf.image.resize(out.heatmap[..., None], tf.shape(images)[1:3])[..., 0]
        lowest = tf.reduce_min(heatmap, [1, 2], keepdims=True)
        highest = tf.reduce_max(heatmap, [1, 2], keepdims=True)
        heatmap = tf.math.divide_no_nan(heatmap - lowest, highest - lowest)
        return {"images": _to_uint8(out.image), "heatmap": heatmap}

    def translate_exactly(self, images):
        out = self.generator(images)
        heat = {} if out.heatmap is None else {"heatmap": out.heatmap}
        return {"images": out.image, **heat}

    def translate_encoded(self, encoded):
        shape = tf.TensorSpec([self.size, self.size, self.channels])
        images = tf.map_fn(self._decoded, encoded, fn_output_signature=shape)
        out = _to_uint8(self.generator(images).image)
        return {"encoded": tf.map_fn(tf.io.encode_png, out, fn_output_signature=tf.string)}

    def _decoded(self, file):
        image = tf.io.decode_image(file, expand_animations=False)
        image = resized(_on_white(image, self.channels), self.size)
        return tf.ensure_shape(image, [self.size, self.size, self.channels])


def export(generator, config, folder) -> float:
    """Writes `generator` as a SavedModel into `folder`, which must not exist, and checks it.

    Returns:
        The largest difference in levels of 255 between the loaded SavedModel, in a process
        without this package, and `generator`, on a fixed picture.

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
        tf.saved_model.save(translator, written, signatures=translator.served)
        difference = _difference(translator, written, config, beside)
        if difference > LARGEST_DIFFERENCE:
            raise Failure(
                f"The exported model differs from the original by {difference:g} levels of 255; "
                f"at most {LARGEST_DIFFERENCE} is right. Nothing was kept in {folder}."
            )
        shutil.move(written, folder)
    return difference


def fixed_picture(size, channels):
    """uint8 [1, size, size, channels] with smooth parts, edges and noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size][..., None] / size
    waves = np.sin(2 * np.pi * (x * np.arange(1, channels + 1) + y))
    picture = 127 + 60 * waves + 40 * (x > y) + rng.normal(0, 8, [size, size, channels])
    return np.uint8(np.clip(picture, 0, 255))[None]


def _difference(translator, written, config, scratch):
    given, result = os.path.join(scratch, "given.npy"), os.path.join(scratch, "result.npz")
    picture = fixed_picture(config.img_size, config.img_ch)
    np.save(given, picture)
    command = [sys.executable, "-I", "-c", USE_ALONE, written, given, result]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Failure(f"The exported model cannot be used by TensorFlow alone: {last}")
    with np.load(result) as archive:
        loaded = dict(archive)
    heatmap = loaded.get("heatmap", np.zeros(1))
    if not (np.min(heatmap) >= 0.0 and np.max(heatmap) <= 1.0):
        raise Failure("The exported model's heatmap leaves [0, 1].")
    expected = translator.translate(tf.constant(picture))["images"].numpy()
    return float(np.max(np.abs(np.float32(loaded["images"]) - np.float32(expected))))


def _on_white(image, channels):
    """uint8 [h, w, 1 to 4] to `channels`; white shows through where it is transparent."""
    count = tf.shape(image)[-1]  # 2 and 4 end in alpha
    colour = tf.cast(image[..., : count - 1 + count % 2], tf.float32)
    alpha = tf.cast(image[..., -1:], tf.float32) / 255.0
    colour = tf.cond(count % 2 == 0, lambda: 255.0 + (colour - 255.0) * alpha, lambda: colour)
    colour = colour * tf.ones([3])  # grey to RGB
    if channels == 1:
        colour = tf.reduce_sum(colour * [0.299, 0.587, 0.114], -1, keepdims=True)
    return tf.round(colour)


def _to_uint8(images):
    return tf.cast(tf.round(tf.clip_by_value((images + 1.0) * 127.5, 0.0, 255.0)), tf.uint8)
