"""XLA, TensorFlow's compiler: what it cannot compile is said in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from ugatit_tf.errors import Failure, reason

NOT_COMPILED = (
    tf.errors.InternalError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.UnimplementedError,
)


@contextlib.contextmanager
def refusal_explained(enabled: bool, what: str) -> Iterator[None]:
    """With XLA, raises what TensorFlow raises in the body as a `Failure`.

    Args:
        enabled: bool. Whether the body is compiled; else its errors stay as they are.
        what: str. What the message says that is compiled.

    Raises:
        Failure: XLA cannot compile the body.
    """
    try:
        yield
    except NOT_COMPILED as error:
        if not enabled:
            raise
        raise Failure(f"XLA cannot compile {what}: {reason(error)}. Use --xla False.") from error
