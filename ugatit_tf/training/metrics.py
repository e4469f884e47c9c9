"""The numbers of a run over a period of steps: means of losses, and seconds per step."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from ugatit_tf.training import checkpoints

NOTE = "means.json"  # the file in a checkpoint with the sums of its unfinished periods


class Metrics:
    """What the steps since the last summary, and since the last checkpoint, come to.

    A checkpoint holds the sums of the periods that it lies in (`notes`). So the first summary
    after it covers the same steps as in a run that never stopped.

    Args:
        best_by: str. The loss whose mean decides which checkpoint is the best; "" for none.
        sums: dict. What `saved_sums` returned, to continue from there.
    """

    def __init__(self, best_by: str = "", sums: Mapping[str, list] | None = None) -> None:
        sums = sums or {}
        self.best_by = best_by
        self.losses = Means(sums.get("since_summary"))
        self.best_by_loss = Means(sums.get("since_checkpoint"))
        self.loss_scales: dict[str, tf.Tensor] = {}  # not averaged: the last value counts
        self.timer = StepTimer()

    def add(self, *steps: Mapping[str, tf.Tensor]) -> None:
        """Adds the results of `Trainer.step`, without waiting for the device; the steps end here.

        Args:
            steps: those of the steps since the timer was started.
        """
        self.timer.stop(len(steps))
        for scalars in steps:
            self.loss_scales = {t: v for t, v in scalars.items() if t.startswith("loss_scale/")}
            others = {"finite", *self.loss_scales}
            losses = {t: v for t, v in scalars.items() if t not in others}
            self.losses.add(losses)
            self.best_by_loss.add({t: v for t, v in losses.items() if t == self.best_by})

    def take_best_by(self) -> float | None:
        """The mean of `best_by` since the last call; None where it is no loss, or had no step."""
        mean = self.best_by_loss.means().get(self.best_by)
        self.best_by_loss.clear()
        return mean

    def notes(self) -> dict[str, dict]:
        """The file, by its name, that goes into a checkpoint."""
        sums = {"since_summary": self.losses.state(), "since_checkpoint": self.best_by_loss.state()}
        return {NOTE: sums}


def saved_sums(run_folder: str, step: int) -> dict[str, list]:
    """The sums in the checkpoint of `step`; empty without one, or in one of an older version."""
    path = checkpoints.saved(run_folder).get(step, "")
    try:
        return checkpoints.note(path, NOTE)
    except FileNotFoundError:
        return {}


class Means:
    """The mean of each number over those steps in which it was computed.

    Sums are float64 and stay on the device, so that adding does not wait for it.

    Args:
        state: list. What `state` returned, to continue from there; None starts with no steps.
    """

    def __init__(self, state: list[Any] | None = None) -> None:
        # Tags of one kind of step -> (their sums, number of such steps). Steps differ in kind:
        # not every step updates the generators.
        self._sums = {
            tuple(tags): (tf.constant(sums, tf.float64), steps) for tags, sums, steps in state or ()
        }

    def add(self, scalars: Mapping[str, tf.Tensor]) -> None:
        """Adds the numbers of one step: dict tag -> scalar tensor."""
        tags = tuple(scalars)
        if tags:
            values = tf.cast(tf.stack(list(scalars.values())), tf.float64)
            sums, steps = self._sums.get(tags, (0.0, 0))
            self._sums[tags] = values + sums, steps + 1

    def means(self) -> dict[str, float]:
        """tag -> mean; waits for the device."""
        totals: dict[str, tuple] = {}
        for tags, (sums, steps) in self._sums.items():
            for tag, value in zip(tags, sums.numpy().tolist()):
                total, count = totals.get(tag, (0.0, 0))
                totals[tag] = total + value, count + steps
        return {tag: total / count for tag, (total, count) in totals.items()}

    def clear(self) -> None:
        """Forgets all steps."""
        self._sums = {}

    def state(self) -> list[list]:
        """The sums so far, in types that JSON holds without loss."""
        return [
            [list(tags), sums.numpy().tolist(), steps] for tags, (sums, steps) in self._sums.items()
        ]


class StepTimer:
    """Seconds per step, without what is written between steps.

    The first call of a process builds the graph, so it counts only until there is a second.
    """

    def __init__(self) -> None:
        self._first: float | None = None
        self._seconds, self._steps = 0.0, 0
        self.start()

    def start(self) -> None:
        """A step, or several in one call, begin."""
        self._start = time.perf_counter()

    def stop(self, steps: int = 1) -> None:
        """They end."""
        seconds = time.perf_counter() - self._start
        if self._first is None:
            self._first = seconds / steps
            return
        self._seconds += seconds
        self._steps += steps

    def take(self) -> float:
        """The mean of the steps since the last call."""
        mean = self._seconds / self._steps if self._steps else self._first
        self._seconds, self._steps = 0.0, 0
        return mean
