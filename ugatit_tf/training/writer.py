"""What a run writes: summaries and history, samples, checkpoints and config.json."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Mapping
from typing import Any, Callable

from ugatit_tf import machine
from ugatit_tf.config import Config
from ugatit_tf.config_file import read_about
from ugatit_tf.data import folders
from ugatit_tf.errors import Failure
from ugatit_tf.images import image_file
from ugatit_tf.training import checkpoints, guards, history, samples, summaries
from ugatit_tf.training.budget import Budget
from ugatit_tf.training.metrics import Metrics
from ugatit_tf.training.optimizer import learning_rate
from ugatit_tf.training.start import Start
from ugatit_tf.training.step import Trainer

LOG = logging.getLogger(__name__)


def chief_only(method: Callable[..., None]) -> Callable[..., None]:
    """Makes a method of `Writer` do nothing on workers that are not the chief."""

    @functools.wraps(method)
    def guarded(self: Writer, *args: Any) -> None:
        if self.is_chief:
            method(self, *args)

    return guarded


class Writer:
    """Writes the files of a run. It is silent on all workers but the chief.

    Nothing is written before the context is entered. Entering it removes what a killed process
    recorded after step `first_step`; in a new run it writes the samples of step 0.

    Args:
        metrics: `Metrics` to which the loop adds every step.
        budget: `Budget` of the run's time.
        splits: dict name -> `folders.Split` of the training images.
        first_step: int. Steps that are done already.
        start: the trained weights from which a new run started.
    """

    def __init__(
        self,
        config: Config,
        trainer: Trainer,
        metrics: Metrics,
        budget: Budget,
        splits: Mapping[str, folders.Split],
        first_step: int,
        start: Start | None = None,
    ) -> None:
        self.config, self.trainer = config, trainer
        self.metrics, self.budget = metrics, budget
        self.splits, self.first_step = splits, first_step
        self.start = start
        self.is_chief = trainer.replicas.is_chief
        self.monitor = guards.Monitor(config.gan_type)
        self.tensorboard = summaries.TensorBoard(os.path.join(config.log_dir, config.run_name))

    def __enter__(self) -> Writer:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.tensorboard.close()

    @chief_only
    def _open(self) -> None:
        config, paths = self.config, [split.paths for split in self.splits.values()]
        devices, before = self.trainer.replicas.count, read_about(config.run_folder)
        self.record = history.about(
            config, self.splits, before, self.first_step, devices, self.start
        )
        _warn_of_other_images(self.record["changes"], self.first_step)
        self.sample_inputs = [samples.inputs(domain, config) for domain in paths]
        history.cut(config.run_folder, self.first_step)
        self.tensorboard.cut(self.first_step or -1)  # step 0 is written again
        self.tensorboard.open()
        if self.first_step == 0:
            self.tensorboard.text(0)
            image_file.write(self._sample_path("reals"), samples.reals(*paths, config))
            self.samples(0)
        if devices > 1:
            images = devices * config.samples_per_step
            print(f"{devices} devices; a step takes {images} images of each domain.")
        print("Building the training graph; the first step takes longer.", flush=True)

    @chief_only
    def summaries(self, step: int) -> None:
        """Writes the means since the last summary.

        A summary of the last step may come in the middle of a period. It does not end that period,
        since a larger --epoch or --iteration makes this an ordinary step.
        """
        config, seconds = self.config, self.metrics.timer.take()
        images = 2 * self.trainer.replicas.count * config.samples_per_step  # per step
        losses = self.metrics.losses.means()
        if step % config.summary_freq == 0:
            self.metrics.losses.clear()
        scalars = {
            **losses,
            **{tag: float(value) for tag, value in self.metrics.loss_scales.items()},
            "learning_rate": learning_rate(step - 1, config, self.trainer.time_gone),
            "seconds_per_step": seconds,
            "hours": self.budget.seconds / 3600,
            "images_per_second": images / seconds,
            "memory_gb": machine.peak_memory() / 1e9,
        }
        self.tensorboard.scalars(step, {**scalars, **summaries.weighted(losses, config)})
        self.tensorboard.rho(step, self.trainer.model.rhos())
        history.append(config.run_folder, step, scalars)
        self.monitor.check_losses(step, losses)

    @chief_only
    def samples(self, step: int) -> None:
        """Writes a sample sheet: the same images each time, so that steps can be compared."""
        sheet, translations = samples.sheet(self.trainer.model, *self.sample_inputs)
        for inputs, outputs in zip(self.sample_inputs, translations):
            self.monitor.check_translations(step, inputs, outputs)
        image_file.write(self._sample_path(checkpoints.folder_name(step)), sheet, synced=True)
        self.tensorboard.image(step, "samples", sheet)

    @chief_only
    def evaluation(self, step: int, evaluate: Callable[[Any], Mapping[str, float]]) -> None:
        """Measures the weights that a test would use, and stores them if they are the best.

        Raises:
            Failure: `best_by` is a measurement, and none of these.
        """
        with self.trainer.averaged():
            values = evaluate(self.trainer.model)
        self.tensorboard.scalars(step, values)
        history.append(self.config.run_folder, step, values)
        name = self.config.best_metric
        if name in values:
            self._save_if_best(step, values[name])
        elif name.startswith(guards.EVALUATED):
            raise Failure(f"--best_by {name} is not measured. These are: {', '.join(values)}")

    @chief_only
    def best_checkpoint(self, step: int) -> None:
        """Stores the weights if the mean of `best_by` since the last checkpoint is the smallest."""
        mean = self.metrics.take_best_by()
        if mean is not None:
            self._save_if_best(step, mean)

    @chief_only
    def checkpoint(self, step: int) -> None:
        """Writes a checkpoint, with the options: until there is one, a run can be any other.

        The best checkpoint and all summaries are on the disk before it: a process that is killed
        in between continues from the checkpoint before, and writes all of them again.
        """
        folder = self.config.run_folder
        self.config.save(folder, self.record)
        self.tensorboard.sync()
        history.sync(folder)
        notes = {**self.metrics.notes(), **self.budget.notes()}
        checkpoints.save(folder, step, self.trainer.state(), notes=notes)
        checkpoints.remove_older_best(folder)

    def _save_if_best(self, step: int, value: float) -> None:
        folder, name = self.config.run_folder, self.config.best_metric
        self.config.save(folder, self.record)
        checkpoints.save_if_best(folder, step, self.trainer.state(), name, value)

    def _sample_path(self, name: str) -> str:
        return os.path.join(self.config.sample_dir, self.config.run_name, f"{name}.png")


def _warn_of_other_images(changes: list, step: int) -> None:
    for change in changes:
        if change["step"] == step and change["option"] in folders.TRAIN:
            LOG.warning(
                "The images in %s have changed since this run started: from here on they come in "
                "another order. config.json records the change.",
                change["option"],
            )
