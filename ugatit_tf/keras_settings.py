"""Keras as a program may have set it, and what differs between its two generations."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from ugatit_tf.errors import Failure
from ugatit_tf.lazy import tf


def check_keras() -> None:
    """Refuses a Keras that is missing, or that computes with another library than TensorFlow.

    Raises:
        Failure: the message names the setting to change.
    """
    try:
        backend = tf.keras.backend.backend()
    except ImportError as error:  # TensorFlow's own message says only that Keras is not there
        settings = ("TF_USE_LEGACY_KERAS", "KERAS_BACKEND", "KERAS_HOME")
        named = [f"{name}={os.environ[name]}" for name in settings if name in os.environ]
        reason = error.__cause__ or error.__context__ or error
        raise Failure(
            f"Keras cannot be loaded ({' '.join(str(reason).split())}). Settings: "
            f"{', '.join(named) or 'keras.json'}. Leave TF_USE_LEGACY_KERAS out, and set "
            f"KERAS_BACKEND=tensorflow before Keras is imported."
        ) from None
    if backend != "tensorflow":
        raise Failure(
            f"Keras is set to compute with {backend}; U-GAT-IT needs TensorFlow. Set "
            f"KERAS_BACKEND=tensorflow before Keras is imported, or 'backend' in keras.json."
        )


@contextlib.contextmanager
def default_keras() -> Iterator[None]:
    """Within it Keras' global settings are its defaults: float32, and channels last.

    For models of Keras Applications, which follow settings that a program or keras.json made.
    """
    backend, precision = tf.keras.backend, tf.keras.mixed_precision
    before = precision.global_policy(), backend.floatx(), backend.image_data_format()
    try:
        _set_keras("float32", "float32", "channels_last")
        yield
    finally:
        _set_keras(*before)


def _set_keras(policy, floatx, image_data_format):
    tf.keras.backend.set_floatx(floatx)
    tf.keras.backend.set_image_data_format(image_data_format)
    tf.keras.mixed_precision.set_global_policy(policy)


def raw(variable: object) -> tf.Variable:
    """The `tf.Variable` behind a Keras weight: Keras 3 wraps it, Keras 2 does not."""
    return variable if isinstance(variable, tf.Variable) else variable.value
