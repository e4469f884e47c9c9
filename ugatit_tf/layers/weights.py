"""What a weight is for. The layer that makes a weight says it; nothing else decides by its name."""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from ugatit_tf.keras_settings import raw

_ARE_DRAWN = contextvars.ContextVar("are_drawn", default=True)


@contextlib.contextmanager
def not_drawn() -> Iterator[None]:
    """Within it random weights start as constants, for those who draw or load them afterwards."""
    token = _ARE_DRAWN.set(False)
    try:
        yield
    finally:
        _ARE_DRAWN.reset(token)


class Start(NamedTuple):
    """The first value of a weight.

    Attributes:
        distribution: "constant"; "normal" around 0; "uniform" around 0; or "unit": a random
            direction, of length 1.
        scale: the constant, the standard deviation, or the largest distance from 0.
    """

    distribution: str = "constant"
    scale: float = 0.0

    @property
    def is_random(self) -> bool:
        return self.distribution != "constant"

    def draw(self, shape: Sequence[int], seed: Sequence[int]) -> tf.Tensor:
        """float32 of this shape, a pure function of the seed, two whole numbers."""
        if self.distribution == "normal":
            return tf.random.stateless_normal(shape, seed, 0.0, self.scale)
        if self.distribution == "uniform":
            return tf.random.stateless_uniform(shape, seed, -self.scale, self.scale)
        if self.distribution == "unit":
            return tf.math.l2_normalize(tf.random.stateless_normal(shape, seed))
        return tf.fill(shape, self.scale)

    def __call__(self, shape: Sequence[int], dtype: object = None, **_: object) -> tf.Tensor:
        """As an initializer of Keras, which follows `keras.utils.set_random_seed`."""
        del dtype  # of all weights it is float32
        if self.is_random and not _ARE_DRAWN.get():
            return tf.fill(shape, self.scale or 1.0)
        return self.draw(shape, [random.getrandbits(31), random.getrandbits(31)])


ZERO = Start()


@dataclasses.dataclass(frozen=True)
class Role:
    """What becomes of a weight.

    Attributes:
        trained: bool. Whether an optimizer updates it; a state changes in the forward pass.
        decays: bool. Whether it is in the L2 term of the loss.
        clipped: (lowest, highest) to which it is clipped after each update, or None.
        start: its first value.
    """

    trained: bool = True
    decays: bool = False
    clipped: tuple[float, float] | None = None
    start: Start = ZERO


def named_weights(layer: tf.keras.layers.Layer, prefix: str = "") -> dict[str, tf.Variable]:
    """path -> variable of all weights of `layer` and of the layers in it.

    The paths are those of the attributes, which both Keras generations share; Keras' own paths
    differ between them.

    Raises:
        ValueError: there are weights that no layer declared.
    """
    return {path: variable for path, variable, _ in _declared(layer, prefix)}


def roles_of(layer: tf.keras.layers.Layer, prefix: str = "") -> dict[str, Role]:
    """path -> `Role` of all weights of `layer` and of the layers in it."""
    return {path: role for path, _, role in _declared(layer, prefix)}


def layers_in(
    layer: tf.keras.layers.Layer, prefix: str = ""
) -> Iterator[tuple[str, tf.keras.layers.Layer]]:
    """Yields (path, layer) of `layer` and of all layers in it, in the order of its attributes."""
    yield prefix, layer
    for name, value in vars(layer).items():
        if name.startswith("_"):
            continue
        if isinstance(value, tf.keras.layers.Layer):
            yield from layers_in(value, _join(prefix, name))
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                if isinstance(item, tf.keras.layers.Layer):
                    yield from layers_in(item, _join(prefix, f"{name}/{index}"))


def _declared(layer, prefix):
    weights = [
        (_join(path, name), raw(getattr(one, name)), role)
        for path, one in layers_in(layer, prefix)
        for name, role in getattr(one, "roles", {}).items()
    ]
    known = {id(variable) for _, variable, _ in weights}
    others = [weight.name for weight in layer.weights if id(raw(weight)) not in known]
    if others:
        raise ValueError(
            f"{layer.name} has weights that no layer declared with `add_trained` or `add_state`: "
            f"{', '.join(others)}. They would be neither trained nor saved."
        )
    return weights


def _join(prefix, name):
    return f"{prefix}/{name}" if prefix else name
