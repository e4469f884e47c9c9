"""All devices of this machine at one work: a copy of the networks on each.

Every batch goes to a device that is free. A copy computes what the first one would, so results
do not depend on where they were made, but for the rounding of unlike devices.
"""

import threading

import tensorflow as tf

from ugatit_tf.layers.weights import named_weights
from ugatit_tf.networks.model import build_generator


def names(strategy="auto") -> list:
    """The names of the devices that share the work: all GPUs or, without any, all CPUs.

    Only those of this process: after training on several machines TensorFlow lists all machines'.

    Args:
        strategy: the option of this name; "one" gives the first device alone.
    """
    here = tf.DeviceSpec.from_string(tf.constant(0.0).device)

    def local(kind):
        found = [device.name for device in tf.config.list_logical_devices(kind)]
        places = map(tf.DeviceSpec.from_string, found)
        return [
            name
            for name, place in zip(found, places)
            if place.job is None or (place.job, place.task) == (here.job, here.task)
        ]

    found = local("GPU") or local("CPU")
    return found[:1] if strategy == "one" else found


class Copies:
    """The same object on several devices; each use takes the first of those that are free.

    A copy is made when it is needed, so that few images do not wait for copies on all devices.

    Args:
        first: the object, on the first device.
        make: function without arguments to another such object, on the device of the `tf.device`
            around it.
        devices: their names; one device needs neither its name nor `make`.

    Attributes:
        first: as given.
        count: int. How many uses can run at the same time.
    """

    def __init__(self, first, make=None, devices=("",)):
        self.first = first
        self.count = len(devices)
        self._make = make
        self._devices = devices
        self._made = {0: first}
        self._free = set(range(self.count))
        self._changed = threading.Condition()

    def use(self, function):
        """`function(copy)` on the device of that copy; waits for one. Any thread may call it.

        What a device has no memory for is done on the first one. Where that has, the other is
        left out from then on: most likely another program fills it.
        """
        if self.count == 1:  # nothing to wait for: TensorFlow lets threads share a device
            return function(self.first)
        place, is_fit = self._taken(), True
        try:
            return self._on(place, function)
        except tf.errors.ResourceExhaustedError:
            if place == 0:
                raise
            found = self._on_first(function)
            is_fit = False
            return found
        finally:
            if is_fit:
                self._give_back(place)
            else:
                self._made.pop(place, None)

    def _on_first(self, function):
        place = self._taken({0})
        try:
            return self._on(place, function)
        finally:
            self._give_back(place)

    def _on(self, place, function):
        with tf.device(self._devices[place]):
            if place not in self._made:
                self._made[place] = self._make()
            return function(self._made[place])

    def _taken(self, wanted=None):
        """The lowest number of a device that is free, and of those wanted."""

        def free():
            return self._free & wanted if wanted else self._free

        with self._changed:
            self._changed.wait_for(free)
            place = min(free())
            self._free.remove(place)
        return place

    def _give_back(self, place):
        with self._changed:
            self._free.add(place)
            self._changed.notify_all()


def copies_of(given) -> Copies:
    """`given`, or where it is no `Copies`, it alone."""
    return given if isinstance(given, Copies) else Copies(given)


def of_generators(generators, config, compiled) -> Copies:
    """Generators on all devices that `config.strategy` allows.

    Args:
        generators: dict direction -> `Generator`, on the first device.
        config: Config that they were built with.
        compiled: function of such a dict to what is called, e.g. a dict of graphs.
    """

    def another():
        return compiled({name: _twin(network, config) for name, network in generators.items()})

    return Copies(compiled(generators), another, names(config.strategy))


def _twin(generator, config):
    """Another generator with the same weights."""
    twin, weights = build_generator(config, generator.name), named_weights(generator)
    for path, weight in named_weights(twin).items():
        weight.assign(weights[path])
    return twin
