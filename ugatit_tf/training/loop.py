"""The training loop: a step for each batch, and what is due after it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Callable

from ugatit_tf import config_file
from ugatit_tf.config import NOT_RECORDED, Config
from ugatit_tf.data import folders, pipeline
from ugatit_tf.errors import Failure
from ugatit_tf.networks.model import build_model
from ugatit_tf.progress import Progress
from ugatit_tf.signals import StopRequest, stop_requests
from ugatit_tf.training import checkpoints, guards
from ugatit_tf.training.budget import Budget, used_seconds
from ugatit_tf.training.metrics import Metrics, saved_sums
from ugatit_tf.training.replicas import Replicas
from ugatit_tf.training.start import Start
from ugatit_tf.training.step import Trainer
from ugatit_tf.training.writer import Writer

Evaluation = Callable[[Any], Mapping[str, float]]  # of a `UGATIT` to tag -> number


def train(
    config: Config,
    splits: Mapping[str, folders.Split],
    evaluate: Evaluation | None = None,
    replicas: Replicas | None = None,
    start: Start | None = None,
) -> bool:
    """Trains the run that `config` describes, from its newest checkpoint if there is one.

    Args:
        splits: dict name -> `folders.Split`; at least trainA and trainB.
        evaluate: function of the `UGATIT` to a dict tag -> number, called every `eval_freq` steps.
        replicas: `Replicas`. Of several processes the chief alone writes.
        start: the trained weights from which a run without a checkpoint starts.

    Returns:
        Whether a signal requested a stop, even in the last step.

    Raises:
        Failure: the checkpoint cannot be used, another process trains the same
            run, the losses are no longer finite, or the disk or the memory is full.
    """
    budget = Budget(config.minutes)
    replicas = replicas or Replicas()
    splits = {name: splits[name] for name in folders.TRAIN}
    folder = config.run_folder
    os.makedirs(folder, exist_ok=True)
    with contextlib.ExitStack() as stack:
        if replicas.is_chief:
            stack.enter_context(guards.only_one(folder))
        stack.enter_context(guards.shortage_explained(folder))
        _check_alike(replicas, config, splits)
        with replicas.scope():
            model = build_model(config, draw=not checkpoints.saved(folder))
            trainer = Trainer(model, config, replicas)
        first_step = _restore(trainer, config, start)
        budget.used = used_seconds(folder, first_step)
        if ended := _why_ended(config, first_step, replicas.any(budget.gone == 1)):
            print(ended)
            return False
        metrics = Metrics(config.best_metric, saved_sums(folder, first_step))
        writer = stack.enter_context(
            Writer(config, trainer, metrics, budget, splits, first_step, start)
        )
        stop = stack.enter_context(stop_requests())
        last_step = _run_steps(trainer, writer, splits, first_step, stop, evaluate)
        stopped = replicas.any(stop.requested)
    if replicas.is_chief:
        _print_result(config, last_step, budget)
    return stopped


def _run_steps(
    trainer: Trainer,
    writer: Writer,
    splits: Mapping[str, folders.Split],
    first_step: int,
    stop: StopRequest,
    evaluate: Evaluation | None,
) -> int:
    """Runs steps until all are done or a worker is to stop. Returns the number of the last."""
    config, replicas = writer.config, trainer.replicas
    metrics, budget = writer.metrics, writer.budget
    total = config.total_steps
    share = pipeline.Share(replicas.first, replicas.mine, replicas.count)
    paths = [split.paths for split in splits.values()]
    batches = pipeline.batches(*paths, config, first_step=first_step, share=share)
    if config.steps_per_call > 1 and not replicas.strategy:
        batches = pipeline.on_device(batches)

    def images_of(step: int) -> list:
        return pipeline.names_of_step(*paths, config, step - 1, share=share)

    bar = Progress(total, unit="step", label="step", done=first_step, quiet=not replicas.is_chief)
    with bar:
        metrics.timer.start()
        step, batches = first_step, iter(batches)
        while step < total:
            if budget.limit:
                trainer.time_gone = replicas.part_of_chief(budget.gone)
            done = _call(trainer, batches, step, config)
            for losses in done:
                step += 1
                guards.check_finite(step, losses, images_of, config.run_folder)
                guards.check_best_by(config.best_metric, losses)
            # Once a call, whose steps all end with it: the rate would be that of this loop.
            last = done[-1]
            bar.update(len(done), D=last["Discriminator_loss"], G=last.get("Generator_loss"))
            stopping = replicas.any(stop.requested)
            metrics.add(*done)
            budget.steps_end(len(done))
            if budget.limit:
                bar.end_in(budget.left)
                if replicas.any(budget.is_up(_steps_of_call(step, config))):
                    budget.end()
                    total = step  # now is due what is due after the last step
            _write_due(writer, step, total, stopping, evaluate)
            if stopping or step == total:
                break
            budget.writing_ends()
            metrics.timer.start()
    return step


def _call(trainer: Trainer, batches: Iterator, step: int, config: Config) -> list:
    """Runs the steps of one call after `step`; returns the results of each."""
    if config.steps_per_call == 1:
        return [trainer.step(*next(batches))]
    return trainer.steps(batches, _steps_of_call(step, config))


def _steps_of_call(step: int, config: Config) -> int:
    """How many the call after `step` has: none beyond one after which something is due."""
    periods = (config.summary_freq, config.print_freq, config.save_freq, config.iteration)
    periods += (config.eval_freq or config.total_steps,)
    left = (period - step % period for period in periods)
    return min(config.steps_per_call, config.total_steps - step, *left)


def _write_due(
    writer: Writer, step: int, total: int, stopping: bool, evaluate: Evaluation | None
) -> None:
    """Writes what is due after a step."""
    config = writer.config
    if is_due(step, config.summary_freq, total):
        writer.summaries(step)
    if is_due(step, config.print_freq, total):
        writer.samples(step)
    if evaluate and is_due(step, config.eval_freq, total):
        writer.evaluation(step, evaluate)
    checkpoint_due = is_due(step, config.save_freq, total) or step % config.iteration == 0
    if checkpoint_due:  # not on a stop: a run that never stopped has no mean to compare
        writer.best_checkpoint(step)
    if checkpoint_due or stopping:
        writer.checkpoint(step)


def is_due(step: int, period: int, total: int) -> bool:
    """Whether what happens every `period` steps, and after the last, happens after `step`."""
    return step % period == 0 or step == total


def resume_command(config: Config) -> str:
    """The command that continues a run; what it does not name is in the run folder."""
    return config_file.command("train", config)


def _restore(trainer: Trainer, config: Config, start: Start | None) -> int:
    """Restores the newest checkpoint, or lets a new run start. Returns the number of steps done.

    The chief then removes what a killed process left behind it.
    """
    saved, state = checkpoints.saved(config.run_folder), trainer.state()
    if saved:
        path = saved[max(saved)]
        for group in {"average", "loss_scale"} - checkpoints.groups(path):
            state.pop(group, None)  # --ema or --precision is new in this run: it starts here
        checkpoints.restore(path, state)
        if "average" not in state:
            trainer.start_average()
    elif start:
        start.load(trainer.model)
        trainer.start_average()
        _check_same_weights(trainer)
    step = int(trainer.steps_done.numpy())
    if trainer.replicas.is_chief:
        if saved:
            print(f"Continuing from {path}")
        elif start:
            print(start)
        for later in checkpoints.tidy(config.run_folder, step):
            print(f"Removed {later}, which is later than the checkpoint that this run starts from")
    return step


def _check_same_weights(trainer: Trainer) -> None:
    """Refuses workers that read other weights, of which nothing would make the same again."""
    if trainer.replicas.workers == 1:
        return
    arrays = (weight.numpy() for weight in trainer.model.weights().values())
    sums = trainer.replicas.numbers(zlib.crc32(b"".join(array.tobytes() for array in arrays)))
    if len(set(sums)) > 1:
        raise Failure(
            "The workers read other weights from --init_from. Give all of them the same files."
        )


def _why_ended(config: Config, step: int, is_late: bool) -> str:
    """Why a run has nothing left to do after `step`; "" if it has."""
    if step >= config.total_steps:
        return f"All {step} steps are done. To continue, raise --epoch or --iteration."
    if is_late:
        return (
            f"The {config.minutes:g} minutes of this run are used up, after {step} steps. To "
            f"continue, raise --minutes."
        )
    return ""


def _print_result(config: Config, last_step: int, budget: Budget) -> None:
    if budget.ended:
        print(
            f"The {config.minutes:g} minutes are used up, after step {last_step}. To train longer, "
            f"raise --minutes."
        )
    elif last_step < config.total_steps:
        print(f"Stopped and saved after step {last_step}. To continue:\n{resume_command(config)}")
    best, metric = checkpoints.best(config.run_folder)
    if best:
        print(f"Best by {metric['tag']}: {metric['value']:.4g} at {best}")


def _check_alike(replicas: Replicas, config: Config, splits: Mapping[str, folders.Split]) -> None:
    """Refuses workers that would not train the same run, before anything is built.

    Raises:
        Failure: on each of them; it names what differs, with the value on this worker.
    """
    options = {f"--{k}": v for k, v in dataclasses.asdict(config).items() if k not in NOT_RECORDED}
    step = max(checkpoints.saved(config.run_folder), default=0)
    fingerprints = [split.fingerprint for split in splits.values()]
    values = (fingerprints, *options.values())
    numbers = [step, *(zlib.crc32(repr(value).encode()) for value in values)]
    names = [f"the step of their newest checkpoint ({step} here)", "their images"]
    names += [f"{name} ({value} here)" for name, value in options.items()]
    columns = zip(*replicas.rows(numbers))  # the values of all workers, for each name
    differing = [name for name, column in zip(names, columns) if len(set(column)) > 1]
    if differing:
        raise Failure(
            f"The workers differ in {', '.join(differing)}. Give all of them the same command, a "
            f"--checkpoint_dir that they share, and a --dataset_dir with the same images."
        )
