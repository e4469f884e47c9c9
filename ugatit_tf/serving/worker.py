"""One thread that does jobs in their order, while a bounded number of them waits."""

from __future__ import annotations

import concurrent.futures
import math
import threading
import time
from typing import Any, Callable


class Busy(Exception):  # noqa: N818
    """As many jobs wait as may. `seconds`: when to come back."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Stopped(Exception):  # noqa: N818
    """The worker takes no more jobs."""


class Abandoned(Exception):  # noqa: N818
    """Nobody waits for the job any more."""


class Worker:
    """Does jobs one after another, so that memory and processor are those of one job.

    Args:
        waiting: how many jobs may wait while one is done.
    """

    def __init__(self, waiting: int) -> None:
        self._room = threading.BoundedSemaphore(waiting + 1)
        self._pool = concurrent.futures.ThreadPoolExecutor(1, "networks")
        self._in_work = threading.Lock()
        self._seconds = 0.0  # that the last job took

    def do(self, job: Callable[[], Any], is_wanted: Callable[[], bool] = lambda: True) -> Any:
        """Waits for its turn, and returns what `job` returns or raises what it raises.

        Args:
            is_wanted: function without arguments, called when it is the job's turn. Whether it
                is done at all.

        Raises:
            Busy: too many jobs wait.
            Stopped: the worker was stopped before it was the job's turn.
            Abandoned: the job was not wanted any more.
        """
        if not self._room.acquire(blocking=False):
            raise Busy(max(1, math.ceil(self._seconds)))
        try:
            try:
                future = self._pool.submit(self._done, job, is_wanted)
            except RuntimeError:  # after `stop`
                raise Stopped from None
            try:
                return future.result()
            except concurrent.futures.CancelledError:
                raise Stopped from None
        finally:
            self._room.release()

    def stop(self, seconds: float) -> bool:
        """Takes no more jobs, and waits so long for the one in work; returns whether it ended."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        return self._in_work.acquire(timeout=seconds)

    def _done(self, job, is_wanted):
        with self._in_work:
            if not is_wanted():
                raise Abandoned
            start = time.monotonic()
            try:
                return job()
            finally:
                self._seconds = time.monotonic() - start
