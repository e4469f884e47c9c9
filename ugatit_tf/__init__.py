"""U-GAT-IT for TensorFlow: unpaired image-to-image translation, equal to the official code."""

import importlib

from ugatit_tf.config import VERSION as __version__  # noqa: F401, N811

HOMES = {
    "Config": "ugatit_tf.config",
    "build_model": "ugatit_tf.networks.model",
    "load": "ugatit_tf.translation.loading",
}
__all__ = sorted(HOMES)


def __getattr__(name):
    """Loads a public name when it is first used, so that bad options fail before TensorFlow."""
    if name not in HOMES:
        raise AttributeError(f"module 'ugatit_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(HOMES[name]), name)
