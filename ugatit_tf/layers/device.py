"""For which kind of device a graph is traced.

A CPU and a GPU are fast at different forms of the same numbers. Layers that have two ask `is_gpu`;
graphs know it while they are traced.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

import tensorflow as tf

_KIND = contextvars.ContextVar("kind of device", default=None)


@contextlib.contextmanager
def traced_for(kind: str) -> Iterator[None]:
    """Within it layers take the forms for a "CPU" or a "GPU", whatever this machine has."""
    token = _KIND.set(kind)
    try:
        yield
    finally:
        _KIND.reset(token)


def is_gpu() -> bool:
    """Whether a GPU computes what is traced now: it does wherever there is one."""
    kind = _KIND.get()
    return kind == "GPU" if kind else bool(tf.config.list_logical_devices("GPU"))
