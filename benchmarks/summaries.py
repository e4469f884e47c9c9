"""The cost of writing summaries, compared with the steps between them.

    python -m benchmarks.summaries --img_size 128 --ch 16

Everything that a run writes at `--summary_freq` and `--print_freq` is written to a temporary
folder: numbers, rho, the line of history, and a sample sheet. `sums` is what every step adds for
the means, without waiting for the device.
"""

import os
import statistics
import sys
import tempfile

import tensorflow as tf

from benchmarks import measure
from benchmarks.train_step import images_of, ours
from ugatit_tf.config import Config
from ugatit_tf.data import demo, folders
from ugatit_tf.training import rewriting
from ugatit_tf.training.budget import Budget
from ugatit_tf.training.metrics import Metrics
from ugatit_tf.training.writer import Writer


def main(argv) -> int:
    parser = measure.parser("benchmarks.summaries", "What writing summaries costs.")
    parser.add_argument("--rounds", type=measure.positive, default=5)
    options, named = measure.read(parser, argv)
    rewriting.leave_out_remapping()
    with tempfile.TemporaryDirectory() as folder:
        paths = {f"{name}_dir": os.path.join(folder, name) for name in ("log", "sample")}
        paths["checkpoint_dir"] = os.path.join(folder, "checkpoint")
        config = Config(**{**named, **paths, "dataset": "demo", "dataset_dir": folder})
        seconds = _measured(config, options.rounds)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{measure.described(config)}; {options.rounds} rounds")
    for name, values in seconds.items():
        print(f"{name:9} {measure.spread(values, 4)} s")
    print(f"ratio of the sums to their step: {medians['sums'] / medians['step']:.3%}")
    for name, every in (("summary", config.summary_freq), ("sample", config.print_freq)):
        share = medians[name] / (every * medians["step"])
        print(f"ratio of a {name} to the {every} steps between two: {share:.3%}")
    return 0


def _measured(config, rounds):
    """name -> seconds of each round."""
    demo.write_dataset(config.dataset_folder, size=config.img_size, train=4, test=1)
    splits = {
        name: folders.examine(os.path.join(config.dataset_folder, name)) for name in folders.TRAIN
    }
    os.makedirs(config.run_folder)
    trainer = ours(vars(config))
    batch = [tf.constant(x) for x in images_of(config)]
    losses = trainer.step(*batch)  # traces

    def step():
        return [float(value) for value in trainer.step(*batch).values()]

    metrics = Metrics(config.best_metric)
    with Writer(config, trainer, metrics, Budget(), splits, first_step=0) as writer:

        def sums():
            metrics.timer.start()
            metrics.add(losses)

        def summary():
            writer.summaries(1)
            writer.tensorboard.writer.flush()

        def sample():
            writer.samples(1)

        competitors = {"step": step, "sums": sums, "summary": summary, "sample": sample}
        measure.in_turn(competitors, 1)
        return measure.in_turn(competitors, rounds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
