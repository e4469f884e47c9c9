"""Pictures a second of `--phase test`, beside the bare generator on constant tensors.

    python -m benchmarks.translate --img_size 256 --pictures 20

The pictures are drawn, and the weights random. The phase runs on a folder of one picture and on
one of many: the difference is the work for the others, without loading and tracing.
"""

import dataclasses
import os
import sys
import tempfile

import tensorflow as tf

from benchmarks import measure
from ugatit_tf.config import Config
from ugatit_tf.data import demo
from ugatit_tf.networks.model import build_model
from ugatit_tf.pictures import files
from ugatit_tf.training import checkpoints
from ugatit_tf.translation import translate

DRAWN = 8  # different pictures; more files are copies


def main(argv) -> int:
    parser = measure.parser("benchmarks.translate", "Pictures a second of the test phase.")
    parser.add_argument(
        "--pictures", type=measure.positive, default=20, help="in the larger folder"
    )
    parser.add_argument("--rounds", type=measure.positive, default=3)
    options, given = measure.read(parser, argv)
    if options.pictures < 2:
        parser.error("--pictures must be at least 2: the first one is not timed.")
    measure.keep_graphs_as_written()
    with tempfile.TemporaryDirectory() as folder:
        config = config_in(folder, given)
        print(f"{measure.described(config)}; {options.pictures} pictures, {options.rounds} rounds")
        one, many = (_with_dataset(config, count) for count in (1, options.pictures))
        generator = _make_run(config)
        seconds = measure.in_turn(
            {
                "one": lambda: translate.test(one),
                "many": lambda: translate.test(many),
                "bare": _bare(generator, config, options.pictures - 1),
            },
            options.rounds,
        )
    _report(seconds, options.pictures - 1)
    return 0


def config_in(folder, given):
    """The configuration of a run whose folders are all in `folder`."""
    names = ("dataset", "checkpoint", "result", "log", "sample", "export")
    places = {f"{name}_dir": os.path.join(folder, name) for name in names}
    return Config(**{**given, **places, "run": "benchmark"})


def draw_pictures(folder, count, size):
    """Writes `count` drawn faces into `folder` as JPEG; returns their paths."""
    faces = [demo.draw("A", i, size=size) for i in range(min(count, DRAWN))]
    paths = [os.path.join(folder, f"{i:04d}.jpg") for i in range(count)]
    for i, path in enumerate(paths):
        files.write(path, faces[i % DRAWN])
    return paths


def _with_dataset(config, count):
    config = dataclasses.replace(config, dataset=f"pictures_{count}")
    draw_pictures(os.path.join(config.dataset_folder, "testA"), count, config.img_size)
    return config


def _make_run(config):
    """Writes a run with one checkpoint; returns its generator."""
    model = build_model(config)
    checkpoints.save(config.run_folder, 1, {"weights": model.weights()})
    config.save(config.run_folder)
    return model.a2b


def _bare(generator, config, count):
    image = tf.zeros([1, config.img_size, config.img_size, config.img_ch])
    forward = tf.function(lambda x: generator(x).image)

    def run():
        for _ in range(count):
            forward(image).numpy()

    forward(image)  # traces
    return run


def _report(seconds, count):
    others = [many - one for one, many in zip(seconds["one"], seconds["many"])]
    if min(others) <= 0:
        print("Too short to be timed: more --pictures or a larger --img_size would tell.")
    phase = [count / value for value in others]
    bare = [count / value for value in seconds["bare"]]
    print(f"test phase:     {measure.spread(phase)} pictures/s")
    print(f"bare generator: {measure.spread(bare)} pictures/s")
    print(f"ratio phase / bare: {measure.spread(measure.ratios(phase, bare))}")
    print(f"the phase on one picture, with loading: {measure.spread(seconds['one'])} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
