"""`--format onnx`: an ONNX file of each direction, for ONNX Runtime on any device and in browsers.

The weights are in the file. All numbers are float32; with `--half` a second file has the kernels
in float16, which is half as long. A runtime makes float32 of them when it loads the file, so that
it computes the same as with rounded weights, on processors without float16 too.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterator

import numpy as np

from ugatit_tf.config import Config
from ugatit_tf.errors import Failure, reason
from ugatit_tf.interchange.formats import comparison
from ugatit_tf.interchange.formats.format import (
    OF_FLOAT16,
    Exported,
    Format,
    Limit,
    Model,
    Package,
    exact_signature,
    shapes_of,
)

OPSET = 18  # the newest that tf2onnx 1.17 writes
NAMES = {"images": ("batch", "height", "width"), "translated": ("batch", "height", "width")}
NAMES["heatmap"] = ("batch", "height / 4", "width / 4")

LOAD = """
import onnxruntime
def load(path, direction):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda images: dict(zip(names, session.run(names, {"images": images})))
"""


def _check(config: Config) -> None:
    del config
    for name in ("tensorflow", "tensorflow-cpu"):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if [int(number) for number in version.split(".")[:2]] < [2, 16]:
            raise Failure(
                f"--format onnx needs TensorFlow 2.16 or later: ONNX needs a protobuf that "
                f"TensorFlow {version} cannot use. Export the same run in an environment of "
                f"requirements.txt and requirements-onnx.txt."
            )


def _write(exported: Exported, folder: str) -> Iterator[Model]:
    config = exported.config
    signature = exact_signature(config)
    shapes = shapes_of(config, config.img_size, batches=(1, 2))
    for direction, generator in exported.generators.items():
        try:
            model = _converted(generator, config)
        except Exception as error:  # whatever the converter raises
            raise Failure(
                f"--format onnx: {direction} cannot be converted: {reason(error)}"
            ) from None
        _describe(model, exported, direction, signature)
        files = [(f"{direction}.onnx", "float32", Limit())]
        if exported.half:
            files.append((f"{direction}_float16.onnx", "float16", OF_FLOAT16))
        for file, weights, limit in files:
            if weights == "float16":
                _halve(model)
            with open(os.path.join(folder, file), "wb") as opened:
                opened.write(model.SerializeToString())
            notes = {"weights": weights, "opset": OPSET}
            yield Model(file, direction, shapes, limit, True, **signature, notes=notes)


def _converted(generator, config):
    """An onnx.ModelProto of the generator."""
    import tf2onnx

    from ugatit_tf.interchange.formats import graph

    side = None if config.any_size else config.img_size
    shape = (None, side, side, config.img_ch)
    function = graph.portable_function(generator, config, shape).function
    model, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=OPSET)
    return model


def _describe(model, exported, direction, signature):
    """Names the sizes that may vary, and writes what the file is into it."""
    import onnx

    for value in (*model.graph.input, *model.graph.output):
        for dimension, name in zip(value.type.tensor_type.shape.dim, NAMES[value.name]):
            if not dimension.HasField("dim_value"):
                dimension.dim_param = name
    about = {"direction": direction, **signature["inputs"], **signature["outputs"]}
    if exported.license:
        about["license"] = exported.license
    onnx.helper.set_model_props(model, about)


def _halve(model):
    """Stores the kernels of `model` in float16, each with a cast to float32 behind it."""
    import onnx

    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or len(weight.dims) < 2:
            continue  # scales and shifts: few, and some are large or tiny
        name, values = weight.name, onnx.numpy_helper.to_array(weight)
        stored = onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}__float16")
        weight.CopyFrom(stored)
        casts.append(
            onnx.helper.make_node(
                "Cast", [stored.name], [name], f"{name}__cast", to=onnx.TensorProto.FLOAT
            )
        )
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


ONNX = Format(
    "onnx",
    "an ONNX file of each direction, for ONNX Runtime and browsers",
    _write,
    comparison.verifier(LOAD, "ONNX Runtime alone"),
    _check,
    packages=(Package("tf2onnx", "tf2onnx"), Package("onnxruntime", "onnxruntime")),
    extra="onnx",
    options=("half",),
)
