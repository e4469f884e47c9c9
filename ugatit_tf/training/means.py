"""What a summary tells of the steps since the last one: means of numbers, seconds of a step."""

import time

import tensorflow as tf


class Means:
    """The mean of each number over those steps in which it was computed.

    Sums are kept in float64 on the device, so that adding does not wait for it.

    Args:
        state: what `state` returned, to go on from there; None starts with no steps.
    """

    def __init__(self, state=None):
        # tags of one kind of step -> (their sums, number of such steps): not every step updates
        # the generators
        self._sums = {
            tuple(tags): (tf.constant(sums, tf.float64), steps) for tags, sums, steps in state or ()
        }

    def add(self, scalars):
        """Adds one step.

        Args:
            scalars: dict tag -> scalar tensor.
        """
        tags = tuple(scalars)
        if tags:
            values = tf.cast(tf.stack(list(scalars.values())), tf.float64)
            sums, steps = self._sums.get(tags, (0.0, 0))
            self._sums[tags] = values + sums, steps + 1

    def means(self) -> dict:
        """tag -> mean; waits for the device."""
        totals = {}
        for tags, (sums, steps) in self._sums.items():
            for tag, value in zip(tags, sums.numpy().tolist()):
                total, count = totals.get(tag, (0.0, 0))
                totals[tag] = total + value, count + steps
        return {tag: total / count for tag, (total, count) in totals.items()}

    def clear(self):
        self._sums = {}

    def state(self) -> list:
        """The sums so far, as what JSON can hold without loss."""
        return [
            [list(tags), sums.numpy().tolist(), steps] for tags, (sums, steps) in self._sums.items()
        ]


class StepTimer:
    """Seconds a step, without what is done between steps.

    The first step of a process builds the graph, so it counts only while it is alone.
    """

    def __init__(self):
        self._first = None
        self._seconds, self._steps = 0.0, 0
        self.step_begins()

    def step_begins(self):
        self._began = time.perf_counter()

    def step_ends(self):
        seconds = time.perf_counter() - self._began
        if self._first is None:
            self._first = seconds
            return
        self._seconds += seconds
        self._steps += 1

    def taken(self) -> float:
        """The mean of the steps since the last call."""
        mean = self._seconds / self._steps if self._steps else self._first
        self._seconds, self._steps = 0.0, 0
        return mean
