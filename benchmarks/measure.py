"""What the benchmarks share: options, rounds in turn, peak memory, the machine's own rate.

Times on a shared machine drift. So competitors run in turn in one process (A B A B ...), and a
ratio is the median of the ratios of neighbours, which have seen the same machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import tensorflow as tf

from ugatit_tf import command_line
from ugatit_tf.config import Config
from ugatit_tf.options import ConfigError
from ugatit_tf.phases.ablate import ABLATED

ROOT = Path(__file__).parent.parent
DEFAULTS = {"light": True}  # two full models take 16 GB before the first step


def parser(module, description):
    """An argument parser for a benchmark's own options; `read` adds those of the program."""
    return argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        epilog="And every option of main.py, e.g. --img_size 128. Here --light is True by default.",
        allow_abbrev=False,
    )


def boolean(text) -> bool:
    """The value of an option like those of main.py: `--memory False`."""
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"expected True or False, not {text!r}")
    return text.lower() == "true"


def positive(text) -> int:
    """The value of an option that counts something."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, not {text!r}")
    return int(text)


def read(parser, argv):
    """(the benchmark's own options, dict of the program's options that were given)."""
    own, rest = parser.parse_known_args(argv)
    try:
        given = {**DEFAULTS, **command_line.parse(rest).named}
        config = Config(**given)
    except (ConfigError, OSError) as error:
        parser.error(str(error))
    if any(getattr(config, name) != getattr(Config(), name) for name in ABLATED):
        parser.error(f"{', '.join(ABLATED)}: the official program, to compare with, has none.")
    if config.flavor != "tensorflow":
        parser.error(
            "--flavor: the plain form, to compare with, is that of the TensorFlow program."
        )
    return own, given


def described(config) -> str:
    """One line: the machine, and the options on which time depends."""
    gpus = len(tf.config.list_physical_devices("GPU"))
    machine = f"{gpus} GPU" if gpus else f"{os.cpu_count()} CPU cores"
    model = "light" if config.light else "full"
    return (
        f"TensorFlow {tf.__version__}, {machine}; {config.training_size} px, ch {config.ch}, "
        f"{model}, batch {config.batch_size}, {config.gan_type}"
    )


def seconds_of(run) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def in_turn(competitors, rounds) -> dict:
    """Runs every competitor once in each round: A B A B ...

    Args:
        competitors: dict name -> function that returns when its work is done.
        rounds: int.

    Returns:
        dict name -> list of seconds, one for each round.
    """
    seconds = {name: [] for name in competitors}
    for _ in range(rounds):
        for name, run in competitors.items():
            seconds[name].append(seconds_of(run))
    return seconds


def spread(values, digits=2) -> str:
    """
    >>> spread([3.0, 1.0, 2.5])
    '2.50 (1.00 to 3.00)'
    """
    middle, *ends = (f"{x:.{digits}f}" for x in (statistics.median(values), *_ends(values)))
    return f"{middle} ({' to '.join(ends)})"


def ratios(above, below) -> list:
    """The ratio in each round."""
    return [a / b for a, b in zip(above, below)]


def matrix_products(precisions) -> dict:
    """precision -> function that multiplies two square matrices: the rate of this machine."""

    def product(precision):
        shape = [_side(), _side()]
        matrix = tf.cast(tf.random.stateless_normal(shape, [1, 2]), precision)
        return lambda: tf.matmul(matrix, matrix)[0, 0].numpy()

    return {precision: product(precision) for precision in precisions}


def matrix_product_rate(seconds) -> float:
    """Operations a second, by the median."""
    return 2 * _side() ** 3 / statistics.median(seconds)


def _side():
    return 8192 if tf.config.list_physical_devices("GPU") else 2048


def alone(module, argv) -> dict:
    """Runs a benchmark in a process of its own; returns what its last line says, in JSON."""
    command = [sys.executable, "-m", module, *argv]
    told = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(told.splitlines()[-1])


def _ends(values):
    return min(values), max(values)
