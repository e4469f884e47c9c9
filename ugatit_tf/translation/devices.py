"""A copy of the networks on each device of this computer, which share the batches.

Every batch goes to a device that is free. All copies compute the same, so results do not depend on
the device, but for the rounding of devices of different kinds.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Callable

import tensorflow as tf

from ugatit_tf.config import Config
from ugatit_tf.layers.weights import named_weights
from ugatit_tf.networks.model import build_generator


def names(strategy: str = "auto") -> list[str]:
    """The names of the devices that share the work: all GPUs, or all CPUs if there is no GPU.

    Only those of this process: after training on several machines TensorFlow lists all machines'.

    Args:
        strategy: the option of this name; "one" gives the first device alone.
    """
    process = tf.DeviceSpec.from_string(tf.constant(0.0).device)

    def is_local(name):
        spec = tf.DeviceSpec.from_string(name)
        return spec.job is None or (spec.job, spec.task) == (process.job, process.task)

    def local(kind):
        return [d.name for d in tf.config.list_logical_devices(kind) if is_local(d.name)]

    devices = local("GPU") or local("CPU")
    return devices[:1] if strategy == "one" else devices


class Copies:
    """Copies of one object on several devices; each use takes the first copy that is free.

    A copy is made when it is first needed, so that few images do not wait for all copies.

    Args:
        first: the object, on the first device.
        make: function without arguments that makes another such object, on the device of the
            `tf.device` around the call. Not needed for one device.
        devices: their names.

    Attributes:
        first: the object on the first device.
        count: int. How many uses can run at the same time.
    """

    def __init__(
        self,
        first: Any,
        make: Callable[[], Any] | None = None,
        devices: Sequence[str] = ("",),
    ) -> None:
        self.first = first
        self.count = len(devices)
        self._make = make
        self._devices = devices
        self._made = {0: first}
        self._free = set(range(self.count))
        self._changed = threading.Condition()

    def use(self, function: Callable[[Any], Any]) -> Any:
        """Returns `function(copy)`, computed on the device of that copy. Any thread may call it.

        Work for which a device has no memory is done on the first device. If that succeeds, the
        other device is no longer used: most likely another program fills its memory.
        """
        if self.count == 1:  # nothing to wait for: TensorFlow lets threads share a device
            return function(self.first)
        index, has_memory = self._take(), True
        try:
            return self._use(index, function)
        except tf.errors.ResourceExhaustedError:
            if index == 0:
                raise
            result = self._use_first(function)
            has_memory = False
            return result
        finally:
            if has_memory:
                self._release(index)
            else:
                self._made.pop(index, None)

    def _use_first(self, function):
        index = self._take({0})
        try:
            return self._use(index, function)
        finally:
            self._release(index)

    def _use(self, index, function):
        with tf.device(self._devices[index]):
            if index not in self._made:
                self._made[index] = self._make()
            return function(self._made[index])

    def _take(self, wanted=None):
        """Waits for a free device, of those wanted; returns the lowest index."""

        def free():
            return self._free & wanted if wanted else self._free

        with self._changed:
            self._changed.wait_for(free)
            index = min(free())
            self._free.remove(index)
        return index

    def _release(self, index):
        with self._changed:
            self._free.add(index)
            self._changed.notify_all()


def copies_of(item: Any) -> Copies:
    """`item` if it is `Copies`, else `Copies` of it alone."""
    return item if isinstance(item, Copies) else Copies(item)


def of_generators(generators: dict, config: Config, compiled: Callable[[dict], Any]) -> Copies:
    """Generators on all devices that `config.strategy` allows.

    Args:
        generators: dict direction -> `Generator`, on the first device.
        config: the Config that they were built with.
        compiled: function of such a dict to what is copied, e.g. a dict of graphs.
    """

    def make():
        return compiled({name: twin(network, config) for name, network in generators.items()})

    return Copies(compiled(generators), make, names(config.strategy))


def twin(generator: Any, config: Config) -> Any:
    """Builds another generator with the same weights."""
    result, weights = build_generator(config, generator.name), named_weights(generator)
    for path, weight in named_weights(result).items():
        weight.assign(weights[path])
    return result
