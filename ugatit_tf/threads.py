"""Work that is ahead of its turn in threads, in order and within bounds."""

import collections
import contextlib
import itertools
import os
from concurrent.futures import ThreadPoolExecutor

AHEAD = 4  # items on the way for each thread of `map_ahead`
WORKERS = 8  # threads that decode and encode for one device, where there are as many cores


def workers(devices=1) -> int:
    """How many threads decode and encode for so many devices."""
    return min(WORKERS * devices, os.cpu_count() or 1)


@contextlib.contextmanager
def threads(count):
    """A pool of threads; where the body fails, what has not begun never does."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def ahead(pool, function, items, limit):
    """Yields `function(item)` for all items, in their order, with at most `limit` on the way."""
    waiting = collections.deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) == limit:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def map_ahead(function, items, *, count=None):
    """Yields `function(item)` for all items, in their order, computed ahead in `count` threads.

    Unlike with the `map` of a pool, memory does not grow with the number of items.
    """
    count = count or os.cpu_count() or 1
    with threads(count) as pool:
        yield from ahead(pool, function, items, AHEAD * count)


def batches(items, limit, key=lambda item: None):
    """Yields lists of at most `limit` neighbours that have the same `key`."""
    batch, common = [], None
    for item in items:
        found = key(item)
        if batch and (found != common or len(batch) == limit):
            yield batch
            batch = []
        batch.append(item)
        common = found
    if batch:
        yield batch


def staged(items, load, work, finish, *, size, limit, key=lambda item: None, devices=1):
    """Yields `finish(one)` for each one that `work` makes of batches of `load(item)`, in order.

    Args:
        load, finish: functions of one item, called in threads.
        work: function of a batch, a list, to a list as long; as many at a time as `devices`.
        size, key: of the batches, as for `batches`.
        limit: int. So many items, for each device, are on the way to `work`, and from it.
    """
    limit = devices * limit
    with threads(workers(devices)) as pool, threads(devices) as workmen:
        loaded = ahead(pool, load, items, limit)
        worked = ahead(workmen, work, batches(loaded, size, key), devices + 1)
        yield from ahead(pool, finish, itertools.chain.from_iterable(worked), limit)
