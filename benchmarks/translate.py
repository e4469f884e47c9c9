"""Images a second of `--phase test` and `translate`, beside the networks on constant tensors.

    python -m benchmarks.translate --img_size 256 --images 20

A row of the report takes two passes: the translation, and the reconstruction from it. The phase
does both, and so do the bare networks, in the same batches: the ratio is what decoding, encoding
and the report cost. `--phase translate` takes the first pass alone, as the bare networks then do.

The images are drawn, and the weights random. Loading, the first look at all files, and tracing
are not in the rates.
"""

import dataclasses
import itertools
import os
import sys
import tempfile

import tensorflow as tf

from benchmarks import measure
from ugatit_tf.config import Config
from ugatit_tf.data import demo, folders
from ugatit_tf.images import image_file
from ugatit_tf.images.report import write_report
from ugatit_tf.networks.model import build_model
from ugatit_tf.training import checkpoints, rewriting
from ugatit_tf.translation import image_files, loading, paths, testing
from ugatit_tf.translation.options import TranslateOptions
from ugatit_tf.translation.streaming import BATCH

DRAWN = 8  # different images; more files are copies


def main(argv) -> int:
    parser = measure.parser("benchmarks.translate", "Images a second of both phases.")
    parser.add_argument("--images", type=measure.positive, default=20)
    parser.add_argument("--rounds", type=measure.positive, default=3)
    options, given = measure.read(parser, argv)
    rewriting.leave_out_remapping()
    with tempfile.TemporaryDirectory() as folder:
        config = config_in(folder, given)
        count = options.images
        batches = dataclasses.replace(config, batch_size=BATCH)
        print(f"{measure.described(batches)}, {config.precision}, XLA {config.xla}")
        print(f"{count} images, {options.rounds} rounds")
        draw_images(os.path.join(config.dataset_folder, "testA"), count, config.img_size)
        _write_run(config)
        translator = loading.from_run(config, fixed_size=True)
        networks = translator.generators.networks
        start = measure.seconds_of(lambda: testing.run_test(config))
        competitors = {
            "phase": _phase(translator, config),
            "translate": _translate(config),
            "both": lambda: _bare(networks, config, count, reconstruct=True),
            "forward": lambda: _bare(networks, config, count, reconstruct=False),
        }
        measure.in_turn({name: competitors[name] for name in ("both", "translate")}, 1)  # traces
        seconds = measure.in_turn(competitors, options.rounds)
    _report(seconds, count, start)
    return 0


def config_in(folder, given):
    """The configuration of a run whose folders are all in `folder`."""
    names = ("dataset", "checkpoint", "result", "log", "sample", "export")
    places = {f"{name}_dir": os.path.join(folder, name) for name in names}
    return Config(**{**given, **places, "run": "benchmark"})


def draw_images(folder, count, size):
    """Writes `count` drawn faces into `folder` as JPEG; returns their paths."""
    faces = [demo.draw("A", i, size=size) for i in range(min(count, DRAWN))]
    paths = [os.path.join(folder, f"{i:04d}.jpg") for i in range(count)]
    for i, path in enumerate(paths):
        image_file.write(path, faces[i % DRAWN])
    return paths


def _write_run(config):
    """Writes a run with one checkpoint."""
    model = build_model(config)
    checkpoints.save(config.run_folder, 1, {"weights": model.weights()})
    config.save(config.run_folder)


def _phase(translator, config):
    """The work of the phase once its networks are traced, each time into a new folder."""
    sources = {"a2b": folders.images_in(os.path.join(config.dataset_folder, "testA"))}

    def run():
        folder = paths.make_fresh_folder(os.path.join(config.result_dir, "timed"))
        rows = testing.translate_all(translator, sources, folder)
        write_report(os.path.join(folder, "index.html"), rows, title="timed", facts={})

    return run


def _translate(config):
    """The work of the translate phase once its networks are traced, each time into a new folder."""
    translator = loading.from_run(config)
    folder = os.path.join(config.dataset_folder, "testA")
    numbers = itertools.count()

    def run():
        output = os.path.join(config.result_dir, f"translated_{next(numbers)}")
        image_files.translate_files(translator, TranslateOptions(folder, output))

    return run


def _bare(networks, config, count, *, reconstruct):
    """What the networks alone do for `count` images, with the last batch as short."""
    for start in range(0, count, BATCH):
        batch = min(BATCH, count - start)
        images = tf.zeros([batch, config.img_size, config.img_size, config.img_ch])
        forth = networks["a2b"](images).image
        (networks["b2a"](forth).image if reconstruct else forth).numpy()


def _report(seconds, count, start):
    rates = {name: [count / value for value in values] for name, values in seconds.items()}
    phase, both = rates["phase"], rates["both"]
    print(f"test phase: {measure.spread(phase)} images/s")
    print(f"bare networks, translation and reconstruction: {measure.spread(both)} images/s")
    print(f"bare networks, translation alone: {measure.spread(rates['forward'])} images/s")
    print(f"ratio phase / bare: {measure.spread(measure.ratios(phase, both))}")
    print(f"translate phase: {measure.spread(rates['translate'])} images/s")
    ratios = measure.ratios(rates["translate"], rates["forward"])
    print(f"ratio translate / bare translation alone: {measure.spread(ratios)}")
    print(f"the whole test phase, with loading and tracing: {start:.1f} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
