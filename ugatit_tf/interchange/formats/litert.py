"""`--format litert`: files of LiteRT (TensorFlow Lite) of each direction, for phones.

Three files: float32; kernels in float16, half as long; and kernels in 8 bits, a quarter as long,
whose convolutions take 8-bit maps too, which are scaled anew for each image.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

from ugatit_tf import streams
from ugatit_tf.errors import Failure, reason
from ugatit_tf.flavors import FLAVORS
from ugatit_tf.interchange.formats import comparison
from ugatit_tf.interchange.formats.format import (
    Exported,
    Format,
    Limit,
    Model,
    Package,
    exact_signature,
    shapes_of,
)

SIGNATURE = "translate"


class Kind(NamedTuple):
    """One of the files of a direction."""

    ending: str
    weights: str
    limit: Limit


KINDS = (
    Kind(".tflite", "float32", Limit()),
    # Rounding each weight to 11 bits moved a pixel by up to 0.9 levels in our measurements.
    Kind("_float16.tflite", "float16", Limit(2.0)),
    # The maps of all layers have 8 bits: a pixel may be anywhere, and the mean says whether the
    # image is the same. We measured means of 1.4 to 4 levels; an image and its mirror image: 42.
    Kind("_int8.tflite", "int8", Limit(None, 8.0)),
)

LOAD = """
from ai_edge_litert.interpreter import Interpreter
def load(path, direction):
    runner = Interpreter(model_path=path, num_threads=2).get_signature_runner("translate")
    return lambda images: {name: values.copy() for name, values in runner(images=images).items()}
"""


def _write(exported: Exported, folder: str) -> Iterator[Model]:
    config, size = exported.config, exported.size
    signature = exact_signature(config, (1, size, size))
    shapes = shapes_of(config, size)
    if FLAVORS[config.flavor].unbiased:  # the file divides by a number of pixels, which is its own
        shapes = shapes[:1]
    for direction, generator in exported.generators.items():
        with _saved(generator, config, size) as saved:
            for kind in KINDS:
                try:
                    content = _converted(saved, kind.weights)
                except Exception as error:  # whatever the converter raises
                    raise Failure(
                        f"--format litert: {direction} cannot be converted: {reason(error)}"
                    ) from None
                file = direction + kind.ending
                with open(os.path.join(folder, file), "wb") as opened:
                    opened.write(content)
                notes = {"weights": kind.weights, "signature": SIGNATURE}
                yield Model(file, direction, shapes, kind.limit, True, **signature, notes=notes)


@contextlib.contextmanager
def _saved(generator, config, size):
    """A temporary SavedModel of one image of this size: the way to names of inputs and outputs."""
    import tensorflow as tf

    from ugatit_tf.interchange.formats import graph

    module = graph.portable_function(generator, config, (1, size, size, config.img_ch))
    with tempfile.TemporaryDirectory(prefix="ugatit_tf_") as folder:
        tf.saved_model.save(module, folder, signatures={SIGNATURE: module.function})
        yield folder


@contextlib.contextmanager
def _quiet():
    """Within it nothing is shown of what TensorFlow's converter says, which is for its authors."""
    streams.flush(sys.stderr)
    terminal = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        streams.flush(sys.stderr)
        os.dup2(terminal, 2)
        os.close(terminal)


def _converted(saved, weights):
    """The bytes of a file, from operations of LiteRT's own alone."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(saved, signature_keys=[SIGNATURE])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    with _quiet():
        return converter.convert()


LITERT = Format(
    "litert",
    "LiteRT files of each direction (float32, float16, int8), for phones",
    _write,
    comparison.verifier(LOAD, "LiteRT alone"),
    packages=(Package("ai_edge_litert", "ai-edge-litert"),),
    requirements="requirements-litert.txt",
    options=("size",),
)
