"""Bytes, seconds for an image and difference of the files that `--phase export` writes.

    .venv-formats/bin/python -m benchmarks.formats --sizes 128 256 --rounds 5

The a2b of a light model with random weights is written in each format, checked as the phase does,
and run by TensorFlow, ONNX Runtime and LiteRT in turn in one process, one image at a time. Needs
the packages of requirements-onnx.txt and requirements-litert.txt; `make test-formats` sets up an
environment with them.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks import measure
from ugatit_tf import machine
from ugatit_tf.config import Config
from ugatit_tf.interchange.difference import worst
from ugatit_tf.interchange.formats import FORMATS
from ugatit_tf.interchange.formats.format import Exported
from ugatit_tf.networks.model import build_model
from ugatit_tf.phases import export

FILES = ("saved_model", "npz", "keras", "onnx", "litert")


def main(argv) -> int:
    options = _parser().parse_args(argv)
    for name in FILES:
        FORMATS[name].require_packages()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    print(f"{machine.processor()}, {options.threads} threads; TensorFlow {tf.__version__}")
    rows = {}
    for size in options.sizes:
        config = Config(light=True, img_size=size, ch=options.ch, n_dis=2)
        generator = build_model(config).a2b
        with tempfile.TemporaryDirectory() as folder:
            exported = Exported(
                config, None, {"a2b": generator}, "step_0000001", half=True, size=size
            )
            for name in FILES:
                for model in export.write(FORMATS[name], exported, folder):
                    rows.setdefault(model.file, [name, _bytes(folder, model.file)])
                    rows[model.file].append(worst(model.compared.values()))
            seconds = measure.in_turn(
                _competitors(generator, folder, size, options), options.rounds
            )
        for file, values in seconds.items():
            rows.setdefault(file, ["TensorFlow", 0, "-"]).append(measure.spread(values, 3))
    print(f"file | format | bytes | for {options.sizes}: largest and mean difference, seconds")
    for file, (name, size, *numbers) in rows.items():
        print(" | ".join([file, name, f"{size:,}", *map(str, numbers)]))
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.formats", description="What the formats of an export cost."
    )
    parser.add_argument("--sizes", type=measure.positive, nargs="+", default=[128, 256])
    parser.add_argument("--ch", type=measure.positive, default=64)
    parser.add_argument("--rounds", type=measure.positive, default=5)
    parser.add_argument("--threads", type=measure.positive, default=2)
    return parser


def _bytes(folder, file):
    path = os.path.join(folder, file)
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(f) for f in Path(path).rglob("*") if f.is_file())


def _competitors(generator, folder, size, options):
    """file -> function that translates one image; each has done it once."""
    image = np.random.default_rng(0).uniform(-1, 1, [1, size, size, 3]).astype(np.float32)
    graph = tf.function(lambda images: generator(images).image)
    exact = tf.saved_model.load(os.path.join(folder, "a2b")).signatures["exact"]
    competitors = {
        "the Keras model": lambda: graph(image).numpy(),
        "a2b": lambda: exact(images=tf.constant(image))["images"].numpy(),
    }
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.endswith(".onnx"):
            competitors[name] = _onnx(path, image, options.threads)
        if name.endswith(".tflite"):
            competitors[name] = _litert(path, image, options.threads)
    measure.in_turn(competitors, 2)  # traces, plans
    return competitors


def _onnx(path, image, threads):
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.add_session_config_entry("session.force_spinning_stop", "1")  # for those after it
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(path, settings, providers=providers)
    return lambda: session.run(["translated"], {"images": image})


def _litert(path, image, threads):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=threads)
    runner = interpreter.get_signature_runner("translate")
    return lambda: runner(images=image)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
