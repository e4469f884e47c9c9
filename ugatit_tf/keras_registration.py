"""Lets Keras find our networks in a `.keras` file, in a program that only imported ugatit_tf.

Keras 3 loads classes that are registered, and ours are registered when their modules are imported,
which imports TensorFlow. `import ugatit_tf` must not take so long, so that happens right after
Keras itself is imported, by whomever. Keras 2 imports the modules that a file names by itself.
"""

import contextlib
import importlib.abc
import importlib.util
import sys


def register_with_keras() -> None:
    """Registers the networks now if Keras is here already, else once it is imported."""
    if "keras" in sys.modules:
        _register()
    elif not any(isinstance(finder, _AfterKeras) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterKeras())


class _AfterKeras(importlib.abc.MetaPathFinder):
    """Finds the package keras as it would be found without it, and registers after its import."""

    is_searching = False

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "keras" or self.is_searching:
            return None
        self.is_searching = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self.is_searching = False
        if spec is not None:
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                _register()

            spec.loader.exec_module = exec_module
        return spec


def _register():
    with contextlib.suppress(Exception):  # Keras of another backend: its own programs still work
        importlib.import_module("ugatit_tf.networks.model")
