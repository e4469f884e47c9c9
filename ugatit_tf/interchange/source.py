"""What `--phase import` needs to know of a checkpoint of another program."""

from __future__ import annotations

import dataclasses
from typing import Callable


@dataclasses.dataclass(frozen=True)
class Source:
    """A checkpoint of another program.

    Attributes:
        path: for messages.
        step: how far it was trained; None where its name does not tell.
        architecture: the options of `Config` that the shapes tell.
        options: those that the name of its folder tells besides; empty where it tells none.
        untold: those that nothing tells, unless `options` does.
        named: an example of a name that tells the step.
        check_room: function (number of weights). Raises a `Failure` where the files are too short.
        restore: function (UGATIT, its two optimizers). Loads the weights, and the optimizers' state
            where there is one, all or nothing. Raises a `Failure` where something does not fit.
        lone_generators: the directions of its generators, where it has nothing else.
        restore_generator: function (one of these generators, named as its direction), likewise.
    """

    path: str
    step: int | None
    architecture: dict
    options: dict
    untold: tuple
    named: str
    check_room: Callable[[int], None]
    restore: Callable[..., None]
    lone_generators: tuple = ()
    restore_generator: Callable[..., None] | None = None
