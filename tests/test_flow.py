"""Threads ahead of their turn: in order, within bounds."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ugatit_tf.translation import flow


def test_results_come_in_order_and_no_more_than_the_limit_is_on_the_way():
    begun, taken, most = [], [], []

    def work(number):
        threading.Event().wait(0.002 * (number % 3))  # so that later ones are done earlier
        return number

    def items():
        for number in range(20):
            begun.append(number)
            most.append(len(begun) - len(taken))
            yield number

    with ThreadPoolExecutor(4) as pool:
        for number in flow.ahead(pool, work, items(), 5):
            taken.append(number)
    assert taken == list(range(20))
    assert max(most) <= 5


def test_batches_are_of_neighbours_alike():
    found = list(flow.batches("aaabbacccc", 3, key=lambda letter: letter))
    assert ["".join(batch) for batch in found] == ["aaa", "bb", "a", "ccc", "c"]
    assert list(flow.batches([], 3)) == []


def test_what_has_not_begun_when_the_body_fails_never_does():
    begun, gate = [], threading.Event()

    def work(number):
        begun.append(number)
        gate.wait(5)

    with pytest.raises(ZeroDivisionError), flow.threads(1) as pool:
        for number in range(3):
            pool.submit(work, number)
        threading.Timer(0.05, gate.set).start()
        raise ZeroDivisionError
    assert begun in ([], [0])
