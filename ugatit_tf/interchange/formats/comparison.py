"""What a written file computes in a process of its own, beside what the Keras model computes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Callable

import numpy as np

from ugatit_tf import gpu
from ugatit_tf.errors import Failure
from ugatit_tf.interchange.difference import between, worst
from ugatit_tf.interchange.formats.format import Exported, Model

# Runs in isolated mode, where the project's folder is not importable.
PROGRAM = """
import json
import os
import sys
import numpy as np
folder, given, results, about = sys.argv[1:]
about = json.loads(about)
{load}
models, outputs = {{}}, {{}}
for key, images in np.load(given).items():
    case = tuple(about["cases"][int(key)])
    if case not in models:
        models[case] = load(os.path.join(folder, case[0]), case[1])
    for name, values in models[case](images).items():
        outputs[key + "/" + name] = np.asarray(values)
assert "ugatit_tf" not in sys.modules or about["package"]
np.savez(results, **outputs)
"""
OF_THIS_PACKAGE = 'sys.path.insert(0, about["package"])\n'


def verifier(
    load: str, runner: str, *, with_package: bool = False
) -> Callable[[Exported, str, list[Model]], None]:
    """The `verify` of a `Format`.

    Args:
        load: Python code that defines `load(path, direction)`, which returns a function from
            images to a dict of arrays: `translated`, `heatmap`. It may use `about`, a dict with
            `options` of the architecture and `precision`.
        runner: what computes there, for messages.
        with_package: bool. Whether that process may import this package.
    """
    load = OF_THIS_PACKAGE + load if with_package else load

    def verify(exported: Exported, folder: str, models: list[Model]) -> None:
        cases = [(model, shape) for model in models for shape in model.shapes]
        inputs = {str(number): _image(shape) for number, (_, shape) in enumerate(cases)}
        package = str(Path(__file__).parents[3]) if with_package else ""
        about = {
            "cases": [(model.file, model.direction) for model, _ in cases],
            "package": package,
            "options": {**exported.config.architecture(), "img_size": exported.config.img_size},
            "precision": exported.config.precision,
        }
        found = outputs_alone(PROGRAM.format(load=load), folder, inputs, about, runner)
        for number, (model, shape) in enumerate(cases):
            outputs = {
                key.split("/")[1]: values
                for key, values in found.items()
                if key.startswith(f"{number}/")
            }
            _note(exported, model, shape, outputs)

    return verify


def outputs_alone(
    program: str, folder: str, inputs: Mapping, about: Mapping, runner: str
) -> dict[str, np.ndarray]:
    """case/output -> what a process of its own computes."""
    with tempfile.TemporaryDirectory(prefix="ugatit_tf_") as scratch:
        given, results = (os.path.join(scratch, name) for name in ("inputs.npz", "results.npz"))
        np.savez(given, **inputs)
        words = [os.path.abspath(folder), given, results, json.dumps(about)]
        done = subprocess.run(
            [sys.executable, "-I", "-c", program, *words],
            capture_output=True,
            text=True,
            errors="replace",
            # Without GPUs, whose memory this process may have.
            env={**os.environ, **gpu.HIDDEN, "TF_CPP_MIN_LOG_LEVEL": "3"},
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            files = " and ".join(dict.fromkeys(file for file, _ in about["cases"]))
            raise Failure(f"{files} cannot be used by {runner}: {last}. Nothing was kept.")
        with np.load(results) as loaded:
            return dict(loaded)


def _note(exported, model, shape, outputs):
    """Notes in `model` how far the outputs are from the Keras model; refuses what is too far."""
    expected = _expected(exported, model, shape)
    if set(outputs) != set(expected):
        raise Failure(
            f"{model.file} gives {', '.join(sorted(outputs))}; expected "
            f"{', '.join(sorted(expected))}. Nothing was kept."
        )
    difference = worst(between(_levels(k, outputs[k]), _levels(k, v)) for k, v in expected.items())
    if not model.limit.allows(difference):
        raise Failure(
            f"{model.file} differs from the original by {difference}. Expected at most: "
            f"{model.limit}. Nothing was kept."
        )
    model.compared[shape] = difference


def _expected(exported, model, shape):
    """output -> what the Keras model makes of the fixed image."""
    from ugatit_tf.interchange.formats import graph
    from ugatit_tf.networks.shapes import refuse_not_finite

    generator = exported.generators[model.direction]
    if model.in_float32:
        generator = graph.in_float32(generator, exported.config)
    outputs = {name: np.asarray(v) for name, v in graph.exact(generator)(_image(shape)).items()}
    refuse_not_finite(outputs["translated"], f"The generator {generator.name}")
    return outputs


def _image(shape):
    """float32 images in [-1, 1], the same in each call."""
    from ugatit_tf.interchange import export

    batch, height, width, channels = shape
    whole = export.fixed_image(max(height, width), channels)
    image = np.float32(whole[:, :height, :width] / 127.5 - 1.0)
    return np.concatenate([image[:, :: (-1) ** number] for number in range(batch)])


def _levels(name, values):
    return values * 255.0 if name == "heatmap" else (values + 1.0) * 127.5
