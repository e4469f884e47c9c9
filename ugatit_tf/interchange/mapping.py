"""Foreign arrays into our weights through a table: nothing missing, nothing left over."""

from __future__ import annotations

from typing import Callable

import numpy as np

from ugatit_tf.errors import Failure, listed


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
    check({name: weights[path].shape for path, name in names.items()}, arrays, source=source)
    for path, name in names.items():
        weights[path].assign(np.reshape(arrays[name], weights[path].shape))


def check(shapes: dict, arrays: dict, *, source: str) -> None:
    """Raises MappingError where `arrays` are not those that are expected, with their names.

    Args:
        shapes: dict foreign name -> expected shape; axes of length 1 do not count.
        arrays: dict foreign name -> NumPy array of floating-point numbers.
        source: str. Where the arrays are from, for messages.
    """
    problems = {
        "missing": sorted(set(shapes) - set(arrays)),
        "left over": sorted(set(arrays) - set(shapes)),
        "of another shape": [
            f"{name} is {list(arrays[name].shape)}, expected {list(shape)}"
            for name, shape in shapes.items()
            if name in arrays and _long_axes(arrays[name].shape) != _long_axes(shape)
        ],
        "of another type": [
            f"{name} is {arrays[name].dtype}"
            for name in shapes
            if name in arrays and arrays[name].dtype.kind != "f"
        ],
    }
    if any(problems.values()):
        described = "; ".join(
            f"{kind}: {listed(names)}" for kind, names in problems.items() if names
        )
        raise MappingError(f"{source} does not fit this model. Variables {described}.")


def _long_axes(shape):
    return [length for length in shape if length != 1]
