"""The models that come with this package, known by their names. Works without TensorFlow.

Each is a folder in `ugatit_tf/models`: a generator file of each direction, card.md about the model
for people, model.json with its facts, and perhaps the folder examples/ with images to translate.
`python -m assets.ship_model` makes it from a run.
"""

from __future__ import annotations

import os

from ugatit_tf.jsonfile import read_json

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")
FACTS, EXAMPLES = "model.json", "examples"


def names() -> list[str]:
    """The names of the shipped models."""
    found = os.listdir(FOLDER) if os.path.isdir(FOLDER) else []
    return sorted(name for name in found if os.path.isfile(os.path.join(FOLDER, name, FACTS)))


def path_of(model: str | os.PathLike) -> str:
    """The folder of a shipped model, where `model` is its name; else `model`, which is a path.

    A path that exists wins.
    """
    model = os.fspath(model)
    is_name = model in names() and not os.path.exists(model)
    return os.path.join(FOLDER, model) if is_name else model


def examples(model: str) -> str:
    """The folder of the images that come with a shipped model; "" where there is none."""
    folder = os.path.join(path_of(model), EXAMPLES)
    return folder if model in names() and os.path.isdir(folder) else ""


def with_examples() -> list[str]:
    """The names of the shipped models that come with images to translate."""
    return [name for name in names() if examples(name)]


def facts(name: str) -> dict:
    """The content of model.json of a shipped model: its recipe, numbers and checksums."""
    return read_json(os.path.join(FOLDER, name, FACTS))
