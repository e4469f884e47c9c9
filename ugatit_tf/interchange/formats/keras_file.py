"""`--format keras`: a .keras file of each direction, for programs that import ugatit_tf."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ugatit_tf.interchange.formats import comparison
from ugatit_tf.interchange.formats.format import (
    Exported,
    Format,
    Model,
    exact_signature,
    shapes_of,
)
from ugatit_tf.tf_paths import plain_path

LOAD = """
import tensorflow as tf
import ugatit_tf
from ugatit_tf.interchange.formats import graph
from ugatit_tf.tf_paths import plain_path
def load(path, direction):
    folder, file = os.path.split(path)
    with plain_path(folder) as plain:
        return graph.exact(tf.keras.models.load_model(os.path.join(plain, file)))
"""


def _write(exported: Exported, folder: str) -> Iterator[Model]:
    config = exported.config
    signature = exact_signature(config)
    # What Keras itself returns: a `Translation`, whose heatmap is not scaled.
    signature["outputs"] = {
        "image": signature["outputs"]["translated"],
        "cam_logit": "float32 [batch, 2]",
        "heatmap": "float32 [batch, height / 4, width / 4], not scaled",
    }
    for direction, generator in exported.generators.items():
        file = f"{direction}.keras"
        with plain_path(folder) as plain:  # Keras 2 takes UTF-8 alone
            generator.save(os.path.join(plain, file))
        yield Model(file, direction, shapes_of(config, config.img_size), **signature)


KERAS = Format(
    "keras",
    "a .keras file of each direction, for Keras programs that import ugatit_tf",
    _write,
    comparison.verifier(LOAD, "Keras with ugatit_tf", with_package=True),
)
