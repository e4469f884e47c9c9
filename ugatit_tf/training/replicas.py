"""Several devices that take a step together, with TensorFlow's own strategies (tf.distribute).

Every replica has all weights and its part of the batch. All losses are means over the batch, so
the mean of the replicas' gradients is the gradient of the whole batch, and equal updates keep
their weights equal. With one device nothing here does anything.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Callable

import numpy as np
import tensorflow as tf

from ugatit_tf import cluster

MEAN = tf.distribute.ReduceOp.MEAN


class Replicas:
    """The devices of `strategy`, or the one that there is without.

    Attributes:
        count: int. All of them, of all workers.
        first, mine: int. This worker has the replicas `first` to `first + mine - 1`.
        workers: int. Processes, on one machine or several.
        is_chief: bool. Whether this is the one that writes.
    """

    def __init__(self, strategy: tf.distribute.Strategy | None = None) -> None:
        self.strategy = strategy
        self.count = strategy.num_replicas_in_sync if strategy else 1
        self._worker, self.workers = place_of(strategy)
        self.is_chief = self._worker == 0
        self.mine = self.count // self.workers
        self.first = self.mine * self._worker
        with self.scope():
            self._anchor = tf.Variable(0.0)  # where the replicas are

    def scope(self) -> contextlib.AbstractContextManager:
        """Within it variables are made for all replicas."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def function(self, body: Callable, batches: int = 2, *, xla: bool = False) -> Callable:
        """`body` as a graph that every replica runs, each with its part of the batches.

        Args:
            body: function of tensors to a structure of tensors that are equal on all replicas.
            batches: int. So many of its first arguments are batches.
            xla: bool. Compile it, on one device. XLA refuses a program with variables of several;
                there the networks and the updates are compiled.

        Returns:
            The same function, of this process' batches.
        """
        if not self.strategy:
            return tf.function(body, jit_compile=xla or None, autograph=False)

        def on_each(*args):
            return body(*map(self._dealt, args[:batches]), *args[batches:])

        @tf.function(autograph=False)
        def on_all(*args):
            results = self.strategy.run(on_each, args)
            return tf.nest.map_structure(self._of_one, results)

        return on_all

    def _of_one(self, value):
        return self.strategy.experimental_local_results(value)[0]

    def _dealt(self, batch):
        """This replica's part of a batch of this process."""
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return tf.split(batch, self.mine)[tf.get_static_value(replica) - self.first]

    def any(self, flag: bool) -> bool:
        """Whether any worker says so; waits for all of them."""
        return any(self.numbers(int(flag)))

    def numbers(self, number: int) -> list:
        """The whole number that each worker says, in their order; waits for all of them."""
        return [row[0] for row in self.rows([number])]

    def part_of_chief(self, part: float) -> float:
        """The number in [0, 1] that the chief says; waits for all workers."""
        return self.numbers(round(part * 1e9))[0] / 1e9

    def rows(self, numbers: list) -> list:
        """The whole numbers that each worker says, as many as the others; waits for all."""
        if self.workers == 1:
            return [list(numbers)]
        rows = np.zeros([self.mine, self.workers, len(numbers)], np.int64)
        rows[0, self._worker] = numbers
        return self._sum(rows)[0].numpy().tolist()

    @functools.cached_property
    def _sum(self):
        def of_all(rows):
            rows = tf.identity(rows)  # on this replica's device, which an argument does not say
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, rows)

        return self.function(of_all, batches=1)

    # What a replica calls while it runs

    def mean(self, values: object) -> object:
        """The mean of each of `values`, a structure of tensors, over all replicas."""
        if not self.strategy:
            return values
        context = tf.distribute.get_replica_context()
        flat = context.all_reduce(MEAN, tf.nest.flatten(values))
        return tf.nest.pack_sequence_as(values, flat)

    def update(self, function: Callable, *values, xla: bool = False) -> tf.Tensor:
        """Calls a function that changes variables, with values that are equal on all replicas.

        Args:
            xla: bool. Compile it for each of several devices; one is taken to be compiling already.

        Returns:
            The tensor that the function returned.
        """
        if not self.strategy:
            return function(*values)

        def on_each(strategy, *values):
            def local(_, *values):
                compiled = tf.function(function, jit_compile=True) if xla else function
                return compiled(*values)

            return strategy.extended.update(self._anchor, local, args=values, group=False)

        of_each = tf.distribute.get_replica_context().merge_call(on_each, values)
        return of_each[0]

    def own(self, whole: tf.Tensor) -> tf.Tensor:
        """This replica's part of a tensor for the whole batch."""
        if not self.strategy:
            return whole
        size = tf.shape(whole)[0] // self.count
        start = size * tf.distribute.get_replica_context().replica_id_in_sync_group
        return whole[start : start + size]


def place_of(strategy: tf.distribute.Strategy | None) -> tuple:
    """(number of this process among the workers, how many there are)."""
    resolver = getattr(strategy, "cluster_resolver", None)
    if resolver is None or not resolver.cluster_spec():
        return 0, 1
    spec = resolver.cluster_spec().as_dict()
    chiefs, workers = len(spec.get("chief", [])), len(spec.get("worker", []))
    return resolver.task_id + (chiefs if resolver.task_type == "worker" else 0), chiefs + workers


@functools.lru_cache(None)  # a second strategy of one process would mix up its messages
def strategy_of(name: str = "auto") -> tf.distribute.Strategy | None:
    """The `tf.distribute.Strategy` that `--strategy` names; None where one device works alone.

    That of several machines must be made before TensorFlow computes anything.

    Raises:
        Failure: the other machines are not named, or not as TensorFlow wants it.
    """
    processes = cluster.from_environment(name)
    workers = len(processes.addresses)
    if name == "auto":
        name = "multi_worker" if workers > 1 else "mirrored"
        if name == "mirrored" and len(tf.config.list_physical_devices("GPU")) < 2:
            name = "one"
    if name == "multi_worker":
        print(f"Waiting for all {workers} workers of TF_CONFIG.", flush=True)
        cluster.gather(processes)
        with cluster.connecting(processes):
            return tf.distribute.MultiWorkerMirroredStrategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if name == "one" or len(devices) < 2:
        return None
    return tf.distribute.MirroredStrategy([device.name for device in devices])
