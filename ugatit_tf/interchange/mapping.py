"""Foreign arrays into our weights through a table: nothing missing, nothing left over."""

from __future__ import annotations

from typing import Callable

import numpy as np

from ugatit_tf.errors import Failure


class MappingError(Failure):
    """The foreign names or shapes do not fit the model. The message names them."""


def assign(weights: dict, arrays: dict, foreign_name: Callable, *, source: str) -> None:
    """Copies `arrays` into `weights`, all or none.

    Args:
        weights: dict our path -> tf.Variable.
        arrays: dict foreign name -> NumPy array. Its size must be that of the weight, and its
            shape too, but for axes of length 1.
        foreign_name: function our path -> foreign name.
        source: str. Where the arrays are from, for messages.

    Raises:
        MappingError: a name is missing or left over, or a shape differs.
    """
    names = {path: foreign_name(path) for path in weights}
    missing = sorted(set(names.values()) - set(arrays))
    left_over = sorted(set(arrays) - set(names.values()))
    misfits = [
        f"{name} is {list(np.shape(arrays[name]))}, expected {list(weights[path].shape)}"
        for path, name in names.items()
        if name in arrays and _long_axes(arrays[name].shape) != _long_axes(weights[path].shape)
    ]
    problems = {"missing": missing, "left over": left_over, "of another shape": misfits}
    if any(problems.values()):
        described = "; ".join(
            f"{kind}: {_some(names)}" for kind, names in problems.items() if names
        )
        raise MappingError(f"{source} does not fit this model. Variables {described}.")
    for path, name in names.items():
        weights[path].assign(np.reshape(arrays[name], weights[path].shape))


def _long_axes(shape):
    return [length for length in shape if length != 1]


def _some(names, most=5):
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
