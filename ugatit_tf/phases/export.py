"""`--phase export`: the networks of a run in the files of other programs."""

import dataclasses
import os

from ugatit_tf import atomic, gpu, tf_paths
from ugatit_tf.checkpoint_options import CheckpointOptions
from ugatit_tf.config import Config
from ugatit_tf.interchange.difference import worst
from ugatit_tf.interchange.formats import FORMATS, about
from ugatit_tf.interchange.formats.format import Exported, Format
from ugatit_tf.options import ConfigError, option
from ugatit_tf.phases.phase import (
    OF_A_RUN,
    Phase,
    check_folder,
    check_generators,
)
from ugatit_tf.training import checkpoints


@dataclasses.dataclass(frozen=True)
class ExportOptions(CheckpointOptions):
    """What is exported, and how."""

    format: str = option(
        "saved_model,npz",
        "what is written, one name or several with commas; "
        + "; ".join(f"{name}: {row.help}" for name, row in FORMATS.items()),
    )
    half: bool = option(
        False,
        "write files with float16 weights, half the size: beside the others with --format "
        "onnx, in their place with --format npz and web",
    )
    size: int = option(
        0,
        "side in pixels of the images that a file takes, a multiple of 4; 0: the training size "
        "(--format litert)",
        at_least=8,
        at_most=8192,
        multiple_of=4,
        zero=True,
    )
    license: str = option(
        "", "license of the weights, a line for export.json and ONNX files, e.g. 'CC BY 4.0'"
    )

    def check_pairs(self) -> None:
        unknown = [name for name in self.names if name not in FORMATS]
        if unknown or not self.names:
            raise ConfigError(
                f"--format must be names of {', '.join(FORMATS)}, with commas between them. "
                f"Received: {self.format!r}"
            )
        for name in ("half", "size"):
            users = [row.name for row in FORMATS.values() if name in row.options]
            if getattr(self, name) and not set(users) & set(self.names):
                raise ConfigError(
                    f"--{name} has no effect with --format {self.format}. Leave it out, or add "
                    f"{' or '.join(users)} to --format."
                )
        if len(self.license.splitlines()) > 1:
            raise ConfigError("--license must be one line.")

    @property
    def names(self) -> list:
        """The names in `format`, each once."""
        return list(dict.fromkeys(filter(None, map(str.strip, self.format.split(",")))))

    @property
    def rows(self) -> list:
        """The rows of the table that `format` names."""
        return [FORMATS[name] for name in self.names]


def check(config: Config, options: ExportOptions) -> None:
    if options.size not in (0, config.img_size) and not config.any_size:
        raise ConfigError(
            f"--size {options.size}: this full model takes images of {config.img_size} pixels "
            f"only. Leave it out."
        )
    for row in options.rows:
        row.check(config)
        row.require_packages()
        if row.has_all_networks:
            checkpoints.refuse_lone_generators(config.run_folder)
    check_generators(config.run_folder, options.which)
    check_folder("export_dir", os.path.join(config.export_dir, config.run_name))


def run(config: Config, options: ExportOptions) -> None:
    from ugatit_tf.translation import paths
    from ugatit_tf.translation.loading import load_generators

    # Files are compared with the model by processes on the processor. GPUs round float32 otherwise
    # (TF32), and may be full of a training.
    gpu.hide()
    exported = Exported(
        config,
        *load_generators(config, options.which),
        half=options.half,
        size=options.size or config.img_size,
        license=options.license,
    )
    parent = os.path.join(config.export_dir, config.run_name)
    atomic.remove_abandoned(parent)
    name = os.path.basename(exported.source) if exported.networks else "imported"
    folder = paths.free_path(os.path.join(parent, name))
    with atomic.folder(folder) as unfinished:
        written = {row.name: (row, write(row, exported, unfinished)) for row in options.rows}
        about.write(exported, written, unfinished)
    for file, difference in _differences(written).items():
        print(f"{os.path.join(folder, file)}: largest difference from the original {difference}")
    print(f"{os.path.join(folder, about.FILE)}: names, sizes, checksums and differences")
    if "saved_model" in written and not tf_paths.is_plain(folder):
        print(
            "Other programs load the SavedModels from a copy without "
            f"{' '.join(tf_paths.MAGIC)} in its path: TensorFlow takes these for a pattern."
        )


def write(row: Format, exported: Exported, folder: str) -> list:
    """Writes one format and compares it; returns its `Model`s."""
    models = list(row.write(exported, folder))
    row.verify(exported, folder, models)
    return models


def _differences(written) -> dict:
    """File -> how far it is from the Keras model, in each direction that it holds."""
    found = {}
    for _, models in written.values():
        for model in models:
            found.setdefault(model.file, []).extend(model.compared.values())
    return {file: worst(differences) for file, differences in found.items()}


EXPORT = Phase(
    "export",
    "write the generators of a run for other programs",
    check,
    run,
    ExportOptions,
    uses=lambda options: OF_A_RUN,
)
