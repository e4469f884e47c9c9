"""Time and memory to examine a dataset with many files: a folder of them, and packed.

    python -m benchmarks.listing --count 100000

Writes this many small images, all different, into a temporary folder, packs them, and then runs
each row in a process of its own. Its peak memory is what it takes beyond loading TensorFlow:

    names       the names of the files alone, as the operating system lists them
    folder      `folders.examine` decodes every file
    packed      `folders.examine` reads the manifest of the same images
    report      `packed`, and what the doctor and a run folder need of it
    records     `packed`, and a thousand images read from shards, in random order
"""

import argparse
import json
import os
import random
import sys
import tempfile

import tensorflow as tf

from benchmarks import measure
from ugatit_tf import machine
from ugatit_tf.data import folders, packing, storage
from ugatit_tf.images import image_array, image_file

ROWS = ("names", "folder", "packed", "report", "records")
SIDE, READ = 8, 1000  # pixels; records


def main(argv) -> int:
    options = _parser().parse_args(argv)
    if options.row:
        print(json.dumps(_measured(options.row, options.folder)))
        return 0
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        seconds = measure.seconds_of(
            lambda: write(os.path.join(folder, "set", "trainA"), options.count)
        )
        print(f"{options.count} files written in {seconds:.1f} s, {os.cpu_count()} CPU cores")
        plain, packed = os.path.join(folder, "set"), os.path.join(folder, "packed")
        seconds = measure.seconds_of(lambda: packing.pack(plain, packed))
        print(
            f"packed in {seconds:.1f} s\n{'':8} {'seconds':>8} {'peak MB':>8} {'bytes a file':>13}"
        )
        for row in ROWS:
            split = os.path.join(plain if row in ("names", "folder") else packed, "trainA")
            result = measure.alone("benchmarks.listing", ["--row", row, "--folder", split])
            each = result["peak"] / options.count
            print(
                f"{row:8} {result['seconds']:8.2f} {result['peak'] / 1e6:8.1f} {each:13.0f}",
                flush=True,
            )
    return 0


def write(folder, count):
    """Writes files with one small image each, and a number after its end."""
    os.makedirs(folder)
    content = image_file.encode(image_array.to_uint8(_ramp()))
    for number in range(count):
        with open(os.path.join(folder, f"image_{number:08d}.png"), "xb") as file:
            file.write(content + str(number).encode())


def _ramp():
    return [[[x / SIDE, y / SIDE, 0.0] for x in range(SIDE)] for y in range(SIDE)]


def _measured(row, folder):
    """{"seconds", "peak": bytes beyond those before}."""
    tf.config.set_visible_devices([], "GPU")  # the memory of the computer itself is measured
    before, results = machine.peak_memory(), []

    def run():
        if row == "names":
            results.append(storage.list_folder(folder))
            return
        split = folders.examine(folder)
        results.append(split)
        if row == "report":
            results.append((split.fingerprint, split.duplicates, split.smallest, split.largest))
        if row == "records":
            draw = random.Random(0)
            results.append(len(image_file.read(draw.choice(split.paths))) for _ in range(READ))
            list(results[-1])

    seconds = measure.seconds_of(run)
    return {"seconds": seconds, "peak": machine.peak_memory() - before}


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.listing", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("--count", type=measure.positive, default=100_000, help="of files")
    parser.add_argument("--folder", help="where they are written; a temporary folder if not given")
    parser.add_argument("--row", choices=ROWS, help="measures one row of what is in --folder")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
