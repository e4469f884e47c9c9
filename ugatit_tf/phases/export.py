"""`--phase export`: a SavedModel and a generator file for each direction."""

import os

from ugatit_tf import atomic, tf_paths
from ugatit_tf.config import Config
from ugatit_tf.phases.phase import OF_A_RUN, CheckpointOptions, Phase, check_folder
from ugatit_tf.training import checkpoints


def check(config: Config, options: CheckpointOptions) -> None:
    checkpoints.chosen(config.run_folder, options.which)
    check_folder("export_dir", os.path.join(config.export_dir, config.run_name))


def run(config: Config, options: CheckpointOptions) -> None:
    from ugatit_tf.interchange import export, generator_file
    from ugatit_tf.translation import paths
    from ugatit_tf.translation.loading import load_networks

    model, checkpoint = load_networks(config, options.which)
    parent = os.path.join(config.export_dir, config.run_name)
    atomic.remove_abandoned(parent)
    folder = paths.free_path(os.path.join(parent, os.path.basename(checkpoint)))
    with atomic.folder(folder) as unfinished:
        for direction, generator in (("a2b", model.a2b), ("b2a", model.b2a)):
            path = os.path.join(unfinished, direction)
            difference = export.export(generator, config, path)
            generator_file.save(generator, config, direction, path + generator_file.SUFFIX)
            path = os.path.join(folder, direction)
            print(f"{path}: largest difference from the original {difference:g} of 255 levels")
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
    CheckpointOptions,
    uses=lambda options: OF_A_RUN,
)
