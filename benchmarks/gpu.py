"""What a training iteration takes on a GPU: time, memory and kernels, in each way to run it.

    python -m benchmarks.gpu --rounds 20
    python -m benchmarks.gpu --sizes 256 512 --steps_per_call 20

A Markdown table with a row for each size, precision, with and without XLA, and with one or several
steps in a call; each row in a process of its own. Every option of main.py is an option here. It
runs on a processor too, which is no measurement of anything but the script.
"""

import itertools
import json
import statistics
import sys

import tensorflow as tf

from benchmarks import kernels, measure
from benchmarks.train_step import images_of
from ugatit_tf import machine
from ugatit_tf.config import Config
from ugatit_tf.networks.model import build_model
from ugatit_tf.training import rewriting
from ugatit_tf.training.step import Trainer

SEVERAL = 10  # steps in a call, if none are given
TITLES = ("size", "precision", "XLA", "steps a call", "ms a step", "first call s", "GB", "kernels")


def rows(sizes, given) -> list:
    """The options of each row."""
    calls = 1, max(given.get("steps_per_call", SEVERAL), 2)
    combined = itertools.product(sizes, ("float32", "bfloat16"), (False, True), calls)
    names = "img_size", "precision", "xla", "steps_per_call"
    return [{**given, **dict(zip(names, values))} for values in combined]


def measured(given, rounds) -> dict:
    """What a row's process tells: seconds, bytes, number of kernels of one step."""
    config = Config(**given)
    trainer = Trainer(build_model(config), config)
    batches = iter(tf.data.Dataset.from_tensors(tuple(images_of(config))).repeat())

    def call():
        steps = trainer.steps(batches, config.steps_per_call)
        return [float(step["Generator_loss"]) for step in steps]  # waits for the device

    first, *seconds = measure.in_turn({"call": call}, 1 + rounds)["call"]
    return {
        "first": first,
        "seconds": statistics.median(seconds) / config.steps_per_call,
        "peak": machine.peak_memory(),
        "kernels": sum(kernels.kernels_of("ours", {**given, "steps_per_call": 1}).values()),
    }


def main(argv) -> int:
    parser = measure.parser("benchmarks.gpu", "A training iteration on a GPU, as a table.")
    parser.add_argument("--rounds", type=measure.positive, default=10, help="calls of each row")
    parser.add_argument("--sizes", type=measure.positive, nargs="+", default=[256, 512])
    parser.add_argument("--only", type=measure.boolean, default=False, help="one row, in JSON")
    options, given = measure.read(parser, argv)
    rewriting.leave_out_remapping()
    if options.only:
        print(json.dumps(measured(given, options.rounds)))
        return 0
    print(f"{machine.hardware('one')}; {measure.described(Config(**given)).split(';')[0]}\n")
    print(f"| {' | '.join(TITLES)} |\n{'|---' * len(TITLES)}|", flush=True)
    for row in rows(options.sizes, given):
        words = [f"--{name}={value}" for name, value in row.items()]
        told = measure.alone(
            "benchmarks.gpu", [*words, f"--rounds={options.rounds}", "--only=True"]
        )
        cells = [row["img_size"], row["precision"], "yes" if row["xla"] else "no"]
        cells += [row["steps_per_call"], f"{1e3 * told['seconds']:.1f}", f"{told['first']:.0f}"]
        cells += [f"{told['peak'] / 1e9:.2f}", told["kernels"]]
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
