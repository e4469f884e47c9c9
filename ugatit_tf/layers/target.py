"""For what a graph is traced: a kind of device, or programs with fewer operations.

Layers that have several forms of the same numbers ask here which of them to take: a CPU and a GPU
are fast at different ones, and other programs have not all operations of TensorFlow. Graphs know
it while they are traced.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any, NamedTuple

import tensorflow as tf


class Target(NamedTuple):
    """What `traced_for` sets.

    Attributes:
        device: "CPU" or "GPU"; None: a GPU if this machine has one.
        portable: whether only operations are used that other programs have too.
    """

    device: str | None = None
    portable: bool = False


THIS_MACHINE = Target()
_TARGET = contextvars.ContextVar("target", default=THIS_MACHINE)


@contextlib.contextmanager
def traced_for(**changes: Any) -> Iterator[None]:
    """Within it layers take the forms for another target.

    Args:
        **changes: those attributes of `Target` that change; the others stay as they are around it.
    """
    token = _TARGET.set(_TARGET.get()._replace(**changes))
    try:
        yield
    finally:
        _TARGET.reset(token)


def is_gpu() -> bool:
    """Whether a GPU computes what is traced now: it does wherever there is one."""
    device = _TARGET.get().device
    return device == "GPU" if device else bool(tf.config.list_logical_devices("GPU"))


def is_portable() -> bool:
    """Whether what is traced now is for programs with fewer operations."""
    return _TARGET.get().portable
