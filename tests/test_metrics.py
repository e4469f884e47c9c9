"""Means over the steps of a period, and seconds per step."""

import json

import numpy as np
import pytest
import tensorflow as tf

from ugatit_tf.training import metrics
from ugatit_tf.training.metrics import Means, StepTimer


def tensors(**numbers):
    return {name: tf.constant(number) for name, number in numbers.items()}


def test_each_number_is_averaged_over_the_steps_in_which_it_was_computed():
    means = Means()
    draw = np.random.default_rng(0)
    d, g = draw.normal(size=7).astype(np.float32), draw.normal(size=7).astype(np.float32)
    for step in range(7):
        generators = tensors(D=d[step], G=g[step])
        means.add(generators if step % 3 == 0 else tensors(D=d[step]))
    expected = {"D": np.mean(d, dtype=np.float64), "G": np.mean(g[::3], dtype=np.float64)}
    assert means.means() == pytest.approx(expected, rel=1e-15)


def test_a_thousand_float32_numbers_are_added_without_loss():
    means = Means()
    numbers = np.float32(2771) + np.random.default_rng(1).normal(size=1000).astype(np.float32)
    for number in numbers:
        means.add(tensors(G=number))
    assert means.means()["G"] == np.sum(numbers.astype(np.float64)) / 1000


def test_without_steps_there_are_no_means():
    means = Means()
    means.add({})
    assert means.means() == {}
    assert means.state() == []
    means.add(tensors(D=1.0))
    means.clear()
    assert means.means() == {}


def test_going_on_from_a_state_in_json_gives_the_same_bits():
    numbers = np.random.default_rng(2).lognormal(sigma=20, size=[40, 2]).astype(np.float32)
    straight, resumed = Means(), Means()
    for step, (d, g) in enumerate(numbers):
        scalars = tensors(D=d, G=g) if step % 2 else tensors(D=d)
        straight.add(scalars)
        resumed.add(scalars)
        resumed = Means(json.loads(json.dumps(resumed.state())))
    assert resumed.means() == straight.means()
    assert resumed.state() == straight.state()


def test_adding_reads_no_value_from_the_device(monkeypatch):
    means, kind = Means(), type(tf.constant(0.0))

    def read(*_):
        pytest.fail("waited for the device")

    scalars = tensors(D=1.0, G=2.0)
    for name in ("numpy", "__float__", "__bool__", "__array__"):
        monkeypatch.setattr(kind.__mro__[1], name, read)
    means.add(scalars)
    means.add(scalars)
    monkeypatch.undo()
    assert means.means() == {"D": 1.0, "G": 2.0}


def test_seconds_are_of_steps_alone_and_the_first_counts_only_while_it_is_alone(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(metrics.time, "perf_counter", lambda: now[0])
    timer = StepTimer()

    def step(seconds, between):
        timer.start()
        now[0] += seconds
        timer.stop()
        now[0] += between

    step(60.0, 5.0)  # builds the graph
    assert timer.take() == 60.0
    step(2.0, 100.0)
    step(4.0, 0.0)
    assert timer.take() == 3.0
    step(1.0, 7.0)
    assert timer.take() == 1.0
