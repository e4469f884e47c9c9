"""`--phase train`: trains a run, or goes on with one."""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ugatit_tf import cluster, gpu, machine, tf_paths
from ugatit_tf.config import Config
from ugatit_tf.data.presence import TRAIN as TRAIN_SPLITS
from ugatit_tf.phases import init_from, report
from ugatit_tf.phases.phase import (
    NoOptions,
    Phase,
    check_dataset,
    check_folder,
    check_measurable,
    draw_built_in,
    refuse_errors,
    warn_of_unused_gpu,
)
from ugatit_tf.training import checkpoints

if TYPE_CHECKING:
    from ugatit_tf.training.replicas import Replicas


def check(config: Config, options: NoOptions) -> None:
    checkpoints.refuse_lone_generators(config.run_folder)
    if cluster.from_environment(config.strategy).is_chief:
        check_dataset(config, TRAIN_SPLITS)
    if config.eval_freq:
        check_measurable(config)
    check_folder("checkpoint_dir", config.run_folder)
    for name in ("sample_dir", "log_dir"):
        check_folder(name, os.path.join(getattr(config, name), config.run_name))


def run(config: Config, options: NoOptions) -> None:
    with devices_of(config) as replicas:
        train(config, replicas)
    if replicas.is_chief:
        print(f"Checkpoints: {config.run_folder}")
        print(f"Samples:     {os.path.join(config.sample_dir, config.run_name)}")
        print(f"TensorBoard: tensorboard --logdir {config.log_dir}")
        print(f"Report:      {report.command(config, report.ReportOptions())}")


@contextlib.contextmanager
def devices_of(config: Config) -> Iterator["Replicas"]:
    """The `Replicas` that train together, once they have the built-in dataset if it is named.

    Prints on which devices.
    """
    from ugatit_tf.training import guards
    from ugatit_tf.training.replicas import Replicas, strategy_of

    gpu.cards()  # asks for their free memory before TensorFlow has any of it
    replicas = Replicas(strategy_of(config.strategy))  # before anything is computed
    print(devices_line(config, replicas), flush=True)
    warn_of_unused_gpu()
    with guards.lost_worker_explained(config.run_folder, replicas.workers):
        if replicas.is_chief:
            draw_built_in(config)
        replicas.any(False)  # the others wait for it
        yield replicas


def devices_line(config: Config, replicas: "Replicas") -> str:
    """On what this process trains, and with how many others."""
    devices = machine.hardware(config.strategy)
    if replicas.mine > 1 and not gpu.used():
        devices += f", as {replicas.mine} devices"
    others = f"; {replicas.count} devices in {replicas.workers} workers"
    return f"Training on: {devices}, {config.precision}" + others * (replicas.workers > 1)


def train(config: Config, replicas: "Replicas", *, quiet: bool = False) -> bool:
    """Trains a run.

    Args:
        replicas: `Replicas`, as from `devices_of`.
        quiet: print no report on the dataset.

    Returns:
        Whether a signal asked to stop.
    """
    from ugatit_tf import doctor
    from ugatit_tf.evaluation import evaluate
    from ugatit_tf.training import loop, rewriting

    with tf_paths.plain_path(config.run_folder):
        pass  # a name below which no checkpoint could be read is refused now
    rewriting.leave_out_remapping()
    start = init_from.of_new_run(config)
    report = doctor.check(config)
    refuse_errors(report)
    if replicas.is_chief and not quiet:
        print("\n".join(report.lines()), flush=True)
    measures = config.eval_freq and replicas.is_chief
    evaluation = evaluate.ValidationKID(config, report.splits) if measures else None
    return loop.train(config, report.splits, evaluation, replicas, start)


TRAIN = Phase("train", "train a run, or go on with one", check, run)
