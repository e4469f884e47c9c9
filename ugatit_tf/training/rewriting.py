"""TensorFlow's rewriting of graphs (Grappler) before they run: not for steps on a processor."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from ugatit_tf.layers import target


@contextlib.contextmanager
def only_for_gpu() -> Iterator[None]:
    """Within it graphs that run on a processor run as they are written.

    A step is as fast without rewriting and its first run much faster (docs/performance.md). Its
    numbers depend on the operations alone then, not on the graph around them: steps in a loop are
    equal to single ones on any devices. A GPU needs the rewriting, which brings images into the
    order of dimensions that is fast there.
    """
    options = tf.config.optimizer
    before = options.get_experimental_options().get("disable_meta_optimizer", False)
    options.set_experimental_options({"disable_meta_optimizer": before or not target.is_gpu()})
    try:
        yield
    finally:
        options.set_experimental_options({"disable_meta_optimizer": before})


def leave_out_remapping() -> None:
    """Turns that rewriting off in this process which gives up on the networks' graphs.

    It says so in a line that looks like an error, and TensorFlow 2.15 crashes on the plain step of
    the benchmarks. Without it a step takes the same time.
    """
    tf.config.optimizer.set_experimental_options({"remapping": False})
