"""`--phase export`: the networks of a run in the files of other programs."""

import dataclasses
import os
from typing import TYPE_CHECKING, Callable, NamedTuple

from ugatit_tf import atomic, tf_paths
from ugatit_tf.config import CheckpointOptions, Config
from ugatit_tf.options import ConfigError, option
from ugatit_tf.phases.phase import (
    OF_A_RUN,
    Phase,
    check_folder,
    check_generators,
)
from ugatit_tf.training import checkpoints

if TYPE_CHECKING:
    from ugatit_tf.networks.generator import Generator
    from ugatit_tf.networks.model import UGATIT


class Exported(NamedTuple):
    """What is exported."""

    config: Config
    networks: "UGATIT | None"  # None for lone generators
    generators: "dict[str, Generator]"  # direction -> generator
    source: str  # path of the checkpoint


class Format(NamedTuple):
    """A row of the table: what `--format` chooses."""

    write: Callable  # function (Exported, folder); returns lines for people
    check: Callable = lambda config: None  # refuses a run before TensorFlow is imported


def _write_saved_models(exported, folder):
    from ugatit_tf.interchange import export, generator_file

    for direction, generator in exported.generators.items():
        path = os.path.join(folder, direction)
        difference = export.export(generator, exported.config, path)
        generator_file.save(generator, exported.config, direction, path + generator_file.SUFFIX)
        yield f"{direction}: largest difference from the original {difference:g} of 255 levels"


def _check_pytorch(config):
    if config.flavor != "pytorch":
        raise ConfigError(
            f"--format pytorch: {config.run_folder} is of --flavor {config.flavor}, whose networks "
            f"the PyTorch program does not have: biases, one CAM head for both branches, other "
            f"variances. Train with --flavor pytorch, or use --format savedmodel."
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
            f"savedmodel."
        )
    checkpoints.refuse_lone_generators(config.run_folder)


def _write_pytorch(exported, folder):
    from ugatit_tf.interchange import official_pytorch

    step = os.path.basename(exported.source).rpartition("_")[2]
    name = f"{exported.config.run_name}_params_{step}.pt"
    official_pytorch.write(os.path.join(folder, name), exported.networks)
    yield f"{name}: the six networks, for the official PyTorch program"


FORMATS = {
    "savedmodel": Format(_write_saved_models),
    "pytorch": Format(_write_pytorch, _check_pytorch),
}


@dataclasses.dataclass(frozen=True)
class ExportOptions(CheckpointOptions):
    """What is exported, and how."""

    format: str = option(
        "savedmodel",
        "savedmodel: a SavedModel and a generator file of each direction; pytorch: one file for "
        "the official PyTorch program",
        choices=tuple(FORMATS),
    )


def check(config: Config, options: ExportOptions) -> None:
    FORMATS[options.format].check(config)
    check_generators(config.run_folder, options.which)
    check_folder("export_dir", os.path.join(config.export_dir, config.run_name))


def run(config: Config, options: ExportOptions) -> None:
    from ugatit_tf.translation import paths
    from ugatit_tf.translation.loading import load_generators

    exported = Exported(config, *load_generators(config, options.which))
    parent = os.path.join(config.export_dir, config.run_name)
    atomic.remove_abandoned(parent)
    folder = paths.free_path(os.path.join(parent, os.path.basename(exported.source)))
    with atomic.folder(folder) as unfinished:
        lines = list(FORMATS[options.format].write(exported, unfinished))
    for line in lines:
        print(os.path.join(folder, line))
    if not tf_paths.is_plain(folder):
        print(
            "Other programs load the SavedModels from a copy without "
            f"{' '.join(tf_paths.MAGIC)} in its path: TensorFlow takes these for a pattern."
        )


EXPORT = Phase(
    "export",
    "write the generators of a run for other programs",
    check,
    run,
    ExportOptions,
    uses=lambda options: OF_A_RUN,
)
