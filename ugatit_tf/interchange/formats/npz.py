"""`--format npz`: a generator file of each direction, which this program reads.

With `--half` the weights are float16, and reading makes float32 of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from ugatit_tf.interchange.formats import comparison
from ugatit_tf.interchange.formats.format import (
    OF_FLOAT16,
    Exported,
    Format,
    Limit,
    Model,
    exact_signature,
    shapes_of,
)

LOAD = """
from ugatit_tf.interchange import generator_file
from ugatit_tf.interchange.formats import graph
def load(path, direction):
    generator, _, found = generator_file.load(path, precision=about["precision"])
    assert found == direction
    return graph.exact(generator)
"""


def _write(exported: Exported, folder: str) -> Iterator[Model]:
    from ugatit_tf.interchange import generator_file

    config = exported.config
    for direction, generator in exported.generators.items():
        file = direction + generator_file.SUFFIX
        path = os.path.join(folder, file)
        generator_file.save(generator, config, direction, path, half=exported.half)
        limit = OF_FLOAT16 if exported.half else Limit()
        shapes = shapes_of(config, config.img_size)
        notes = {"weights": "float16" if exported.half else "float32"}
        yield Model(file, direction, shapes, limit, **exact_signature(config), notes=notes)


NPZ = Format(
    "npz",
    "a generator file of each direction, for --phase translate --model",
    _write,
    comparison.verifier(LOAD, "this program", with_package=True),
    options=("half",),
)
