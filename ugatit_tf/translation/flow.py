"""Work that is ahead of its turn in threads, in order and within bounds."""

import collections
import contextlib
import os
from concurrent.futures import ThreadPoolExecutor

WORKERS = min(8, os.cpu_count() or 1)  # threads that decode and encode


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
