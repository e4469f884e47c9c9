"""`--format pytorch`: the six networks in one file, for the official PyTorch program."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from ugatit_tf.config import Config
from ugatit_tf.interchange.formats import comparison
from ugatit_tf.interchange.formats.format import (
    Exported,
    Format,
    Model,
    exact_signature,
    shapes_of,
)
from ugatit_tf.options import ConfigError

# By our reader: PyTorch, which the official program runs on, is no part of any stack here.
LOAD = """
from ugatit_tf.config import Config
from ugatit_tf.interchange import official_pytorch
from ugatit_tf.interchange.formats import graph
from ugatit_tf.networks.model import build_model
def load(path, direction):
    networks = build_model(Config(**about["options"], precision=about["precision"]))
    official_pytorch.restore(networks, path)
    return graph.exact(getattr(networks, direction))
"""


def _check(config: Config) -> None:
    if config.flavor != "pytorch":
        raise ConfigError(
            f"--format pytorch: {config.run_folder} is of --flavor {config.flavor}, whose networks "
            f"the PyTorch program does not have: biases, one CAM head for both branches, other "
            f"variances. Train with --flavor pytorch, or use --format saved_model."
        )
    variant = [
        name
        for name, value in (
            ("smoothing", False),
            ("decoder_norm", "adalin"),
            ("generator_cam", True),
            ("discriminator_cam", True),
            ("sn", True),
        )
        if getattr(config, name) != value
    ]
    if variant:
        raise ConfigError(
            f"--format pytorch: the PyTorch program has no networks with "
            f"{', '.join(f'--{name} {getattr(config, name)}' for name in variant)}. Use --format "
            f"saved_model."
        )


def _write(exported: Exported, folder: str) -> Iterator[Model]:
    from ugatit_tf.interchange import official_pytorch

    config = exported.config
    step = re.match(r"step_(\d+)", os.path.basename(exported.source))[1]
    file = f"{config.run_name}_params_{step}.pt"
    official_pytorch.write(os.path.join(folder, file), exported.networks)
    for direction in exported.generators:
        yield Model(file, direction, shapes_of(config, config.img_size), **exact_signature(config))


PYTORCH = Format(
    "pytorch",
    "one file with the six networks, for the official PyTorch program",
    _write,
    comparison.verifier(LOAD, "this program", with_package=True),
    _check,
    has_all_networks=True,
)
