"""The packages that serve pages, which not every installation needs."""

from __future__ import annotations

import importlib.util

from ugatit_tf.errors import Failure

PACKAGES = ("flask", "waitress")


def require() -> None:
    """Raises a `Failure` that says what to install where a package is missing."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise Failure(
            f"--phase serve needs {' and '.join(missing)}: pip install -r requirements-serve.txt"
        )
