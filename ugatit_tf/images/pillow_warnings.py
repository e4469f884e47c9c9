"""Silences Pillow's warnings about broken metadata while we read; the pixels are checked anyway.

`warnings.catch_warnings` swaps the filters of all threads. So one filter stays in the list, and
matches only in a thread that is reading: all other code behaves as if the filter did not exist.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator

READING = threading.local()


class _PillowWhileReading:
    """Stands for the regular expression that a filter matches with a module's name."""

    def match(self, module: str) -> bool:
        return getattr(READING, "depth", 0) > 0 and module.startswith("PIL.")


FILTER = ("ignore", None, Warning, _PillowWhileReading(), 0)  # as `warnings.filters` holds it


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within this context, in this thread, Pillow issues no warnings."""
    if warnings.filters[:1] != [FILTER]:  # it must come before a later "error", such as pytest's
        warnings.filters.insert(0, FILTER)
    READING.depth = getattr(READING, "depth", 0) + 1
    try:
        yield
    finally:
        READING.depth -= 1
