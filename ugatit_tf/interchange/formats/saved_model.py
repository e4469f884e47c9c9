"""`--format saved_model`: a SavedModel of each direction."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ugatit_tf.interchange.formats.format import Exported, Format, Model


def _write(exported: Exported, folder: str) -> Iterator[Model]:
    from ugatit_tf.interchange import export

    config = exported.config
    images = f"uint8 [batch, height, width, {config.img_ch}]"
    side = "any" if config.any_size else config.img_size
    outputs = {"translated": f"{images}, of the same size"}
    if config.generator_cam:
        outputs["heatmap"] = "float32 [batch, height, width] in [0, 1]"
    for direction, generator in exported.generators.items():
        compared = export.export(generator, config, os.path.join(folder, direction))
        yield Model(
            direction,
            direction,
            inputs={"images": f"{images}; batch any, height {side}, width {side}"},
            outputs=outputs,
            notes={"signature": "translate", "signatures": list(export.SIGNATURES)},
            compared=compared,
        )


def _verify(exported: Exported, folder: str, models: list[Model]) -> None:
    """Nothing: `export.export` keeps only what it has loaded again with both loaders."""


SAVED_MODEL = Format(
    "saved_model",
    "a SavedModel of each direction, for TensorFlow Serving and other programs with TensorFlow",
    _write,
    _verify,
)
