"""Images a second of the input pipeline, compared with a plain loop of Pillow and NumPy.

    python -m benchmarks.input_pipeline --img_size 256 --step_seconds 10

Ours is measured with each `--cache`, after a first pass that fills it. It prepares batches ahead,
so the first few of a round cost nothing; a round has many more. The ratio to the training step
uses its time from `--step_seconds`, or measures it with `--measure_step True`.
"""

import dataclasses
import itertools
import os
import random
import sys
import tempfile

import numpy as np
from PIL import Image

from benchmarks import measure, train_step
from benchmarks.translate import draw_images
from ugatit_tf.config import CACHES, Config
from ugatit_tf.data import pipeline
from ugatit_tf.flavors import FLAVORS

FLIP = Image.Transpose.FLIP_LEFT_RIGHT
IMAGES = 16  # files of each domain


def main(argv) -> int:
    options, config_options = measure.read(_parser(), argv)
    config = Config(**config_options)
    size = options.source_size or config.img_size
    print(f"{measure.described(config)}; files of {size} px, {options.rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        paths = [draw_images(os.path.join(folder, domain), IMAGES, size) for domain in "AB"]
        batches = {
            cache: iter(pipeline.batches(*paths, dataclasses.replace(config, cache=cache)))
            for cache in CACHES
        }
        batches["plain"] = plain_batches(*paths, config)
        runs = {name: _taking(stream, options.batches) for name, stream in batches.items()}
        measure.in_turn(runs, 1)  # starts threads, fills buffers and caches
        seconds = measure.in_turn(runs, options.rounds)
        batches.clear()
    count = 2 * config.batch_size * options.batches
    rates = {name: [count / value for value in values] for name, values in seconds.items()}
    for name, values in rates.items():
        print(f"{name:6} {measure.spread(values, 1)} images/s")
    for cache in CACHES:
        faster = measure.spread(measure.ratios(rates[cache], rates["plain"]))
        print(f"--cache {cache:6} ratio ours / plain: {faster}")
    step_seconds = options.step_seconds
    if options.measure_step:
        step = train_step.step_of("ours", config_options)
        step()  # traces
        step_seconds = measure.seconds_of(step)
    if step_seconds:
        consumed = 2 * config.batch_size / step_seconds
        print(f"a step of {step_seconds:.3f} s takes {consumed:.1f} images/s")
        for cache in CACHES:
            faster = measure.spread([rate / consumed for rate in rates[cache]], 1)
            print(f"--cache {cache:6} ratio ours / step: {faster}")
    return 0


def plain_batches(paths_a, paths_b, config):
    """Endless batches of both domains, made image by image."""
    while True:
        yield tuple(
            np.stack([plain_image(random.choice(paths), config) for _ in range(config.batch_size)])
            for paths in (paths_a, paths_b)
        )


def plain_image(path, config):
    """Decodes, resizes, flips, enlarges, crops and scales one image."""
    size = config.img_size
    with Image.open(path) as file:
        image = file.convert("RGB" if config.img_ch == 3 else "L")
    image = image.resize((size, size), Image.Resampling.BILINEAR)
    if config.augment_flag:
        if random.random() < 0.5:
            image = image.transpose(FLIP)
        large = FLAVORS[config.flavor].enlarged(size)
        image = image.resize((large, large), Image.Resampling.BILINEAR)
        left, top = (random.randint(0, large - size) for _ in range(2))
        image = image.crop((left, top, left + size, top + size))
    pixels = np.asarray(image, np.float32).reshape(size, size, config.img_ch)
    return pixels / 127.5 - 1.0


def _taking(batches, count):
    def run():
        for _ in itertools.islice(batches, count):
            pass

    return run


def _parser():
    parser = measure.parser("benchmarks.input_pipeline", "Images a second of the input.")
    parser.add_argument("--rounds", type=measure.positive, default=5)
    parser.add_argument("--batches", type=measure.positive, default=200, help="in each round")
    parser.add_argument(
        "--source_size", type=measure.positive, help="of the files; --img_size if not given"
    )
    parser.add_argument("--step_seconds", type=float, help="of a training iteration")
    parser.add_argument(
        "--measure_step", type=measure.boolean, default=False, help="measure that time"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
