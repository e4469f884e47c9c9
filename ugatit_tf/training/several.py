"""Several iterations in one call, so that a device does not wait for Python between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from ugatit_tf.training.optimizer import learning_rate

if TYPE_CHECKING:
    from ugatit_tf.training.step import Trainer


class SeveralSteps:
    """A graph that runs `trainer.step` up to `config.steps_per_call` times, in a loop.

    Every step has the rate, the noise and the kind of update that it has alone.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self._tags: dict[bool, list] = {}  # whether the generators are updated -> tags of a step
        self._run = tf.function(self._loop)

    def __call__(self, batches: tf.data.Iterator, count: int) -> list[dict]:
        """Runs `count` steps on the next batches. Returns the result of each, as NumPy numbers."""
        config, first = self.trainer.config, int(self.trainer.steps_done.numpy())
        steps = range(first, first + config.steps_per_call)  # as many for any count: no new trace
        gone = self.trainer.time_gone
        rates = tf.constant([learning_rate(step, config, gone) for step in steps], tf.float32)
        both = [step % config.n_critic == 0 for step in steps]
        with self.trainer.computing():
            rows = self._run(batches, tf.constant(count), rates, tf.constant(both)).numpy()
        return [dict(zip(self._tags[kind], row)) for kind, row in zip(both, rows)]

    def _loop(self, batches, count, rates, both):
        def one(index, rows):
            row = self._step(batches.get_next(), rates[index], both[index])
            return index + 1, rows.write(index, row)

        rows = tf.TensorArray(tf.float32, count, infer_shape=False)
        start = tf.constant(0), rows
        _, rows = tf.while_loop(lambda index, _: index < count, one, start, parallel_iterations=1)
        return rows.stack()  # [count, tags]

    def _step(self, batch, rate, both):
        """float32 [tags]; of steps that do not update the generators the rest is 0."""

        def kind(updates_both):
            scalars = self.trainer.run(batch, rate, updates_both)
            self._tags[updates_both] = list(scalars)
            return tf.stack([tf.cast(value, tf.float32) for value in scalars.values()])

        def discriminators():
            row = kind(False)
            return tf.pad(row, [[0, len(self._tags[True]) - len(self._tags[False])]])

        if self.trainer.config.n_critic == 1:
            return kind(True)
        return tf.cond(both, lambda: kind(True), discriminators)
