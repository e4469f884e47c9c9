"""`--phase import`: a run folder from a checkpoint of the official TensorFlow program."""

import dataclasses
import glob
import os
import shutil

from ugatit_tf.config import Config
from ugatit_tf.config_file import check_architecture
from ugatit_tf.data import storage
from ugatit_tf.errors import Failure
from ugatit_tf.options import Options, names_of, option
from ugatit_tf.phases.phase import Phase
from ugatit_tf.training import checkpoints


@dataclasses.dataclass(frozen=True)
class ImportOptions(Options):
    """What is imported."""

    official_checkpoint: str = option(
        "",
        "the official checkpoint folder, or the PREFIX of one checkpoint in it",
        needed=True,
    )


def check(named: dict, options: ImportOptions) -> None:
    prefix = options.official_checkpoint
    exists = os.path.isdir(prefix) or glob.glob(f"{glob.escape(prefix)}*")
    if not exists and not storage.is_remote(prefix):
        raise FileNotFoundError(
            f"No TensorFlow checkpoint at {prefix}. Expected the path of its files without "
            f"the ending, e.g. NAME.model-1000 for NAME.model-1000.index."
        )
    _refuse_checkpoints(Config(**{k: named[k] for k in names_of(Config, "location") if k in named}))


def run(named: dict, options: ImportOptions) -> None:
    """The checkpoint knows the architecture; `named` options must not contradict it.

    Raises:
        ConfigError: a named option contradicts the checkpoint.
        Failure: the checkpoint does not fit, or the run has checkpoints already.
    """
    from ugatit_tf.interchange import official_tf
    from ugatit_tf.networks.model import build_model
    from ugatit_tf.networks.weight_count import num_weights
    from ugatit_tf.training.step import Trainer

    prefix = official_tf.chosen(options.official_checkpoint)
    architecture = official_tf.architecture(prefix)
    check_architecture(named, architecture, prefix)
    config = Config(**{**named, **architecture})
    _refuse_checkpoints(config)
    official_tf.check_room(prefix, num_weights(config))
    trainer = Trainer(build_model(config), config)
    optimizers = trainer.generator_optimizer, trainer.discriminator_optimizer
    official_tf.restore(trainer.model, prefix, optimizers)
    step = official_tf.step_of(prefix)
    if step is None:
        print(
            f"The name of {prefix} has no step, as in NAME-1000: it is taken for step 0, and the "
            f"learning rate starts from the beginning."
        )
        step = 0
    trainer.steps_done.assign(step)
    print(f"Imported step {step} of {prefix} into {_saved(config, trainer, step)}")


def _saved(config, trainer, step):
    """Saves the run, or leaves no folder that was not there; returns the checkpoint's path."""
    existed = os.path.isdir(config.run_folder)
    try:
        os.makedirs(config.run_folder, exist_ok=True)
        config.save(config.run_folder)
        return checkpoints.save(config.run_folder, step, trainer.state())
    except BaseException:
        if not existed:
            shutil.rmtree(config.run_folder, ignore_errors=True)
        raise


def _refuse_checkpoints(config):
    if checkpoints.saved(config.run_folder):
        raise Failure(
            f"{config.run_folder} has checkpoints already. Choose another name with --run NAME."
        )


IMPORT = Phase(
    "import",
    "make a run of a checkpoint of the official TensorFlow program",
    check,
    run,
    ImportOptions,
    has_run=lambda options: False,
)
