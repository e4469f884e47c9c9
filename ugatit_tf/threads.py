"""Work in threads ahead of its turn: in order, and with a bounded number of items at a time."""

from __future__ import annotations

import collections
import contextlib
import itertools
import os
from collections.abc import Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

AHEAD = 4  # items on the way for each thread of `map_ahead`
WORKERS = 8  # threads that decode and encode for one device; at most one for each core


def workers(devices: int = 1) -> int:
    """The number of threads that decode and encode for `devices` devices."""
    return min(WORKERS * devices, os.cpu_count() or 1)


@contextlib.contextmanager
def threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Yields a pool of threads; work that has not begun when the context ends is cancelled."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def ahead(
    pool: ThreadPoolExecutor, function: Callable[[Any], Any], items: Iterable[Any], limit: int
) -> Iterator[Any]:
    """Yields `function(item)` for all items in their order; at most `limit` are in work."""
    waiting = collections.deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) == limit:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def map_ahead(
    function: Callable[[Any], Any], items: Iterable[Any], *, count: int = 0
) -> Iterator[Any]:
    """Yields `function(item)` for all items, in order, computed ahead in `count` threads.

    Unlike with the `map` of a pool, memory does not grow with the number of items.

    Args:
        count: int. 0 is a thread for each core.
    """
    count = count or os.cpu_count() or 1
    with threads(count) as pool:
        yield from ahead(pool, function, items, AHEAD * count)


def batches(
    items: Iterable[Any], limit: int, key: Callable[[Any], Hashable] = lambda item: None
) -> Iterator[list]:
    """Yields lists of at most `limit` successive items that have the same `key`."""
    batch, batch_key = [], None
    for item in items:
        item_key = key(item)
        if batch and (item_key != batch_key or len(batch) == limit):
            yield batch
            batch = []
        batch.append(item)
        batch_key = item_key
    if batch:
        yield batch


def staged(
    items: Iterable[Any],
    load: Callable[[Any], Any],
    work: Callable[[list], list],
    finish: Callable[[Any], Any],
    *,
    size: int,
    limit: int,
    key: Callable[[Any], Hashable] = lambda item: None,
    devices: int = 1,
) -> Iterator[Any]:
    """Loads items, works on batches of them, and yields `finish(result)` of each, in order.

    Args:
        load, finish: functions of one item, called in threads.
        work: function of a batch, a list, to a list of as many results. As many calls as there
            are `devices` run at a time.
        size: int. The largest batch.
        limit: int. The most items that wait for `work`, and for `finish`, for each device.
        key: as in `batches`.
    """
    limit = devices * limit
    with threads(workers(devices)) as pool, threads(devices) as work_pool:
        loaded = ahead(pool, load, items, limit)
        worked = ahead(work_pool, work, batches(loaded, size, key), devices + 1)
        yield from ahead(pool, finish, itertools.chain.from_iterable(worked), limit)
