"""Many small variables as one vector, so that a GPU updates all of them at once.

The variables stay what they are, with their names in checkpoints. To join and to split them takes
one copy of a few thousand numbers; an update of each would take a GPU longer to launch than to run.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

SMALL = 4096  # numbers of a variable that is joined; copying larger ones takes longer than it saves


def small_and_large(variables: dict[str, tf.Variable]) -> tuple[list, list]:
    """The names of those that are worth joining, and of the others."""
    small = [name for name, v in variables.items() if v.shape.num_elements() <= SMALL]
    return small, [name for name in variables if name not in set(small)]


def join(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """All numbers as one vector; an empty one of none."""
    if not tensors:
        return tf.zeros([0])
    return tf.concat([_reshaped(tensor, [-1]) for tensor in tensors], 0)


def assign(variables: Sequence[tf.Variable], vector: tf.Tensor) -> None:
    """The reverse of `join`: gives the variables the numbers of `vector`."""
    if variables:
        parts = tf.split(vector, [variable.shape.num_elements() for variable in variables])
        for variable, part in zip(variables, parts):
            variable.assign(_reshaped(part, variable.shape))


def _reshaped(tensor, shape):
    """Most are vectors already: without their operations the graph has a seventh fewer nodes."""
    is_vector = len(tensor.shape) == len(shape) == 1
    return tensor if is_vector else tf.reshape(tensor, shape)
