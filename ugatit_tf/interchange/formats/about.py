"""export.json: what the files of an export are, and how far they are from the Keras model."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable
from typing import Any

from ugatit_tf.config import VERSION, Config
from ugatit_tf.data import storage
from ugatit_tf.interchange.formats.format import Exported, Format, Model
from ugatit_tf.options import names_of

FILE = "export.json"
IMPORTED = ("tensorflow", "keras", "numpy")


def write(exported: Exported, written: dict[str, tuple[Format, list[Model]]], folder: str) -> None:
    """Writes export.json into the folder of an export.

    Args:
        written: name of a format -> its row and what it wrote.
    """
    config = exported.config
    names = [*names_of(Config, "architecture", "training"), "precision"]
    names.remove("init_from")  # a path of whose computer it was
    packages = [p.distribution for row, _ in written.values() for p in row.packages]
    content = {
        "about": "written by --phase export of ugatit_tf",
        "checkpoint": os.path.basename(exported.source),
        "license": exported.license or None,
        "options": {name: getattr(config, name) for name in names},
        "versions": _versions(packages),
        "models": [
            {"format": name, **_about_model(model)}
            for name, (_, models) in written.items()
            for model in models
        ],
        "files": files_in(folder),
    }
    with open(os.path.join(folder, FILE), "w", encoding="utf-8") as file:
        file.write(json.dumps(content, indent=2) + "\n")


def _about_model(model: Model) -> dict[str, Any]:
    return {
        "file": model.file,
        "direction": model.direction,
        **model.notes,
        "inputs": model.inputs,
        "outputs": model.outputs,
        "compared": [
            {"shape": list(shape), "largest": value.largest, "mean": value.mean}
            for shape, value in model.compared.items()
        ],
        "unit": "levels of 255",
    }


def _versions(packages: Iterable[str]) -> dict[str, str]:
    """Program -> its version."""
    versions = {"ugatit_tf": VERSION, "python": platform.python_version()}
    for name in IMPORTED:
        versions[name] = getattr(importlib.import_module(name), "__version__", "unknown")
    return {**versions, **{name: importlib.metadata.version(name) for name in packages}}


def files_in(folder: str) -> dict[str, dict]:
    """Path below the folder -> size in bytes and SHA-256 of every file."""
    found = {}
    for parent, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            path = os.path.join(parent, name)
            key = os.path.relpath(path, folder).replace(os.sep, "/")
            found[key] = {"bytes": os.path.getsize(path), "sha256": storage.digest_of_file(path)}
    return found
