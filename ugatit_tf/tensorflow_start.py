"""TensorFlow, imported as the program wants it: with its settings, without its messages."""

import contextlib
import os
import sys
import tempfile

from ugatit_tf import streams

DEFAULTS = {  # of the process, which the user's environment changes
    "TF_CPP_MIN_LOG_LEVEL": "3",  # exceptions say what matters
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # else the first tensor takes all memory of all GPUs
}
SETTINGS = {  # of the process, before TensorFlow is imported
    "KERAS_BACKEND": "tensorflow",  # whatever keras.json says
    "TF_USE_LEGACY_KERAS": "0",
}


def set_environment() -> None:
    """Sets the environment in which TensorFlow is to be imported."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    os.environ.update(SETTINGS)


def load_tensorflow() -> None:
    """Imports TensorFlow without its messages; they are shown where it cannot be loaded."""
    set_environment()
    streams.flush(sys.stderr)
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as messages, contextlib.ExitStack() as stack:
        stack.callback(os.close, terminal)
        stack.callback(os.dup2, terminal, 2)
        os.dup2(messages.fileno(), 2)
        try:
            import ugatit_tf.layers  # noqa: F401  checks Keras too
        except BaseException:
            messages.seek(0)
            os.write(terminal, messages.read())
            raise
