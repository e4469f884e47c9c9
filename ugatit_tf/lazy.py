"""TensorFlow, imported when it is first used, since that takes seconds.

Only modules that work before TensorFlow is needed use `from ugatit_tf.lazy import tf`, as those
of the preflight checks; all others import TensorFlow as usual.
"""

from __future__ import annotations

from typing import Any


class _TensorFlow:
    """Stands for the module `tensorflow`."""

    def __getattr__(self, name: str) -> Any:
        import tensorflow

        return getattr(tensorflow, name)


tf = _TensorFlow()
