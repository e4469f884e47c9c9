"""Graphs for other programs, which have fewer operations than TensorFlow.

Layers that are fast because of an operation of TensorFlow's own ask `is_wanted` whether to use
another form, which gives the same numbers. Graphs know it while they are traced.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

_WANTED = contextvars.ContextVar("portable", default=False)


@contextlib.contextmanager
def operations() -> Iterator[None]:
    """Within it layers use operations that other programs have too."""
    token = _WANTED.set(True)
    try:
        yield
    finally:
        _WANTED.reset(token)


def is_wanted() -> bool:
    return _WANTED.get()
