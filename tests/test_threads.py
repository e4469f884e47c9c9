"""Threads ahead of their turn: in order, within bounds."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ugatit_tf import threads


def test_results_come_in_order_and_no_more_than_the_limit_is_on_the_way():
    begun, consumed, most = [], [], []

    def work(number):
        threading.Event().wait(0.002 * (number % 3))  # so that later ones are done earlier
        return number

    def items():
        for number in range(20):
            begun.append(number)
            most.append(len(begun) - len(consumed))
            yield number

    with ThreadPoolExecutor(4) as pool:
        for number in threads.ahead(pool, work, items(), 5):
            consumed.append(number)
    assert consumed == list(range(20))
    assert max(most) <= 5


def test_work_is_done_ahead_in_order_and_within_bounds():
    begun = []

    def double(number):
        begun.append(number)
        return 2 * number

    found = threads.map_ahead(double, range(1000), count=2)
    assert [next(found) for _ in range(3)] == [0, 2, 4]
    assert max(begun) < 3 + threads.AHEAD * 2
    assert list(found) == [2 * number for number in range(3, 1000)]


def test_what_fails_ahead_is_raised_in_its_turn():
    found = threads.map_ahead(lambda number: 1 / (3 - number), range(10))
    assert [next(found) for _ in range(3)] == [1 / 3, 1 / 2, 1]
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_batches_are_of_neighbours_alike():
    batches = list(threads.batches("aaabbacccc", 3, key=lambda letter: letter))
    assert ["".join(batch) for batch in batches] == ["aaa", "bb", "a", "ccc", "c"]
    assert list(threads.batches([], 3)) == []


def test_what_has_not_begun_when_the_body_fails_never_does():
    begun, gate = [], threading.Event()

    def work(number):
        begun.append(number)
        gate.wait(5)

    with pytest.raises(ZeroDivisionError), threads.threads(1) as pool:
        for number in range(3):
            pool.submit(work, number)
        threading.Timer(0.05, gate.set).start()
        raise ZeroDivisionError
    assert begun in ([], [0])


@pytest.mark.parametrize("devices", [1, 3])
def test_stages_keep_the_order_and_work_on_as_many_batches_as_there_are_devices(devices):
    working, most, meet = [], [], threading.Barrier(devices)

    def work(batch):
        working.append(batch)
        most.append(len(working))
        if batch[0] < devices:  # the first ones meet, or not at all
            meet.wait(30)
        working.remove(batch)
        return [10 * item for item in batch]

    results = threads.staged(
        range(20), lambda x: x, work, lambda x: x + 1, size=1, limit=2, devices=devices
    )
    assert list(results) == [10 * i + 1 for i in range(20)]
    assert max(most) == devices


def test_threads_grow_with_the_devices_up_to_the_cores(monkeypatch):
    monkeypatch.setattr(threads.os, "cpu_count", lambda: 20)
    assert [threads.workers(devices) for devices in (1, 2, 8)] == [8, 16, 20]
    monkeypatch.setattr(threads.os, "cpu_count", lambda: None)
    assert threads.workers(8) == 1
