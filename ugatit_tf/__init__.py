"""U-GAT-IT for TensorFlow: unpaired image-to-image translation, equal to the official code.

Public: `Config`, `build_model`, `Trainer`, `load`, and the modules `layers` and `losses`. They are
imported when they are first used, since TensorFlow takes seconds.
"""

import importlib as _importlib

from ugatit_tf.config import VERSION as __version__  # noqa: F401, N811
from ugatit_tf.keras_registration import register_with_keras as _register_with_keras

_MODULES = {
    "Config": "ugatit_tf.config",
    "Trainer": "ugatit_tf.training.step",
    "build_model": "ugatit_tf.networks.model",
    "layers": "ugatit_tf.layers",
    "load": "ugatit_tf.translation.loading",
    "losses": "ugatit_tf.losses",
}
__all__ = sorted(_MODULES)
_register_with_keras()


def __getattr__(name: str) -> object:
    """Imports a public name when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module 'ugatit_tf' has no attribute {name!r}")
    module = _importlib.import_module(_MODULES[name])
    return getattr(module, name, module)


def __dir__() -> list:
    return [*__all__, "__version__", "__doc__", "__name__", "__path__", "__file__"]
