"""One training iteration: this program's beside the plain one, in turn in one process.

    python -m benchmarks.train_step --img_size 256 --rounds 3

Every option of main.py is an option here and goes to ours, e.g. --precision bfloat16; the plain
step is float32 and takes the batch as one. Peak memory is that of four iterations in a process
of each one's own.
"""

import json
import statistics
import sys

import tensorflow as tf

from benchmarks import flops, measure
from benchmarks.plain import PlainTrainer
from ugatit_tf import machine
from ugatit_tf.config import Config
from ugatit_tf.networks.model import build_model
from ugatit_tf.training import rewriting
from ugatit_tf.training.step import Trainer

OURS_ALONE = ("precision", "recompute", "accumulate", "ema")  # options that plain does not have


def ours(given):
    config = Config(**given)
    return Trainer(build_model(config), config)


def plain(given):
    config = plain_config(given)
    return PlainTrainer(build_model(config).weights(), config)


COMPETITORS = {"ours": ours, "plain": plain}


def plain_config(given):
    return Config(**{name: value for name, value in given.items() if name not in OURS_ALONE})


def step_of(name, given):
    """A function that runs one iteration of a new trainer to its end."""
    trainer = COMPETITORS[name](given)
    real_a, real_b = images_of(Config(**given))

    def step():
        return [float(value) for value in trainer.step(real_a, real_b).values()]

    return step


def images_of(config):
    """Noise as the batches of one step."""
    shape = [config.samples_per_step, config.training_size, config.training_size, config.img_ch]
    return [tf.random.stateless_uniform(shape, [seed, 0], -1.0, 1.0) for seed in (1, 2)]


def main(argv) -> int:
    options, given = measure.read(_parser(), argv)
    rewriting.leave_out_remapping()
    if options.only:
        first, *others = measure.in_turn({"step": step_of(options.only, given)}, 4)["step"]
        seconds = statistics.median(others)
        print(json.dumps({"first": first, "seconds": seconds, "peak": machine.peak_memory()}))
        return 0
    config = Config(**given)
    precision = getattr(config, "precision", "float32")
    print(f"{measure.described(config)}, ours in {precision}; {options.rounds} rounds")
    memory = {name: _memory(name, argv) for name in COMPETITORS} if options.memory else {}
    steps = {name: step_of(name, given) for name in COMPETITORS}
    first = {name: measure.seconds_of(step) for name, step in steps.items()}
    products = measure.matrix_products(sorted({"float32", "bfloat16", precision}))
    measure.in_turn(products, 1)  # the first ones start threads
    seconds = measure.in_turn({**steps, **products}, options.rounds)
    rates = {name: measure.matrix_product_rate(seconds[name]) for name in products}
    precisions = {"ours": precision, "plain": "float32"}
    print(f"{'':6} {'seconds a step':>22} {'first':>7} {'peak GB':>8} {'GFLOP/s':>8} of product")
    for name in COMPETITORS:
        values = seconds[name]
        peak = f"{memory[name] / 1e9:.2f}" if memory else "-"
        rate = _operations(name, given) / statistics.median(values)
        print(
            f"{name:6} {measure.spread(values, 3):>22} {first[name]:7.1f} {peak:>8} "
            f"{rate / 1e9:8.1f} {rate / rates[precisions[name]]:10.1%}"
        )
    ratios = measure.ratios(seconds["plain"], seconds["ours"])
    print(f"ratio plain / ours: {measure.spread(ratios)}")
    shown = (f"{name} {rate / 1e9:.0f} GFLOP/s" for name, rate in rates.items())
    print(f"matrix product: {', '.join(shown)}")
    return 0


def _parser():
    parser = measure.parser("benchmarks.train_step", "One training iteration, ours beside plain.")
    parser.add_argument("--rounds", type=measure.positive, default=3)
    parser.add_argument("--memory", type=measure.boolean, default=True, help="measure it too")
    parser.add_argument("--only", choices=COMPETITORS, help="print its time and peak memory")
    return parser


def _operations(name, given):
    if name == "ours":
        return flops.iteration(Config(**given), ours=True).total
    return flops.iteration(plain_config(given), ours=False).total


def _memory(name, argv):
    return measure.alone("benchmarks.train_step", [*argv, "--only", name])["peak"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
