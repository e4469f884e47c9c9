"""Silences what Pillow says about broken metadata while we read; the pixels are checked anyway.

`warnings.catch_warnings` swaps the filters of all threads. So there is one filter that stays, and
answers for the thread that reads alone: to all other code it is as if it were not there.
"""

import contextlib
import threading
import warnings

READING = threading.local()


class _Pillow:
    """In place of the pattern that a filter's module must match."""

    def match(self, module):
        return getattr(READING, "depth", 0) > 0 and module.startswith("PIL.")


FILTER = ("ignore", None, Warning, _Pillow(), 0)  # as `warnings.filters` holds it


@contextlib.contextmanager
def quiet():
    """In the body, in this thread, Pillow warns of nothing."""
    if warnings.filters[:1] != [FILTER]:  # it must come before a later "error", such as pytest's
        warnings.filters.insert(0, FILTER)
    READING.depth = getattr(READING, "depth", 0) + 1
    try:
        yield
    finally:
        READING.depth -= 1
