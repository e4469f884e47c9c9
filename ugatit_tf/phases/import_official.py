"""`--phase import`: a run folder from a checkpoint of the official TensorFlow program."""

import dataclasses
import glob
import os
import shlex
import shutil
from typing import TYPE_CHECKING

from ugatit_tf.config import Config
from ugatit_tf.config_file import check_architecture
from ugatit_tf.data import storage
from ugatit_tf.errors import Failure
from ugatit_tf.interchange import official_folder
from ugatit_tf.options import ConfigError, Options, names_of, option
from ugatit_tf.phases.phase import Phase
from ugatit_tf.training import checkpoints

if TYPE_CHECKING:
    from ugatit_tf.interchange.source import Source


@dataclasses.dataclass(frozen=True)
class ImportOptions(Options):
    """What is imported."""

    official_checkpoint: str = option(
        "",
        "the official checkpoint folder, for its newest checkpoint; or one checkpoint in it: its "
        "PREFIX, or one of its files",
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
    told = {**official_folder.options_of(prefix), **named}
    _refuse_checkpoints(Config(**{k: told[k] for k in names_of(Config, "location") if k in told}))


def run(named: dict, options: ImportOptions) -> None:
    """The checkpoint knows the architecture; `named` options must not contradict it.

    Raises:
        ConfigError: a named option contradicts the checkpoint, or one that it does not know misses.
        Failure: the checkpoint does not fit, or the run has checkpoints already.
    """
    from ugatit_tf.networks.model import build_model
    from ugatit_tf.networks.weight_count import num_weights
    from ugatit_tf.training.step import Trainer

    source = _source(options.official_checkpoint)
    config = _config(named, source)
    _refuse_checkpoints(config)
    source.check_room(num_weights(config))
    trainer = Trainer(build_model(config), config)
    source.restore(trainer.model, (trainer.generator_optimizer, trainer.discriminator_optimizer))
    trainer.steps_done.assign(source.step or 0)
    path = _saved(config, trainer, source.step or 0)
    done = f"Imported step {source.step or 0} of {source.path} into {path}"
    lines = [done, *_notes(named, source, config), "To translate:", _translate_command(config)]
    print(*lines, sep="\n")


def _source(path):
    """The checkpoint at `path`, by the reader of its kind."""
    from ugatit_tf.interchange import official_tf

    return official_tf.find(path)


def _config(named, source: "Source") -> Config:
    """What the shapes tell, then what was named, then what the folder's name tells."""
    check_architecture(named, source.architecture, source.path)
    for name in names_of(Config, "architecture"):
        told = source.options.get(name)
        if told is not None and named.get(name, told) != told:
            raise ConfigError(
                f"--{name} {named[name]} contradicts the name of the folder of {source.path}, "
                f"which says {told}. It decides what the networks compute. Leave it out or, if "
                f"that name is wrong, give the folder another one."
            )
    options = {**source.options, **named, **source.architecture}
    if "img_size" not in options:
        raise ConfigError(
            f"{source.path} is a light model, and a light model does not know its image size. "
            f"Add --img_size with the size that it was trained at; the official default is 256."
        )
    return Config(**options)


def _notes(named, source: "Source", config: Config) -> list:
    """Lines on what the checkpoint itself does not tell."""
    taken = {name: value for name, value in source.options.items() if name not in named}
    differing = {k: v for k, v in source.options.items() if named.get(k, v) != v}
    notes = []
    if taken:
        notes.append(f"Taken from the name of its folder: {_listed(taken)}.")
    if differing:
        notes.append(
            f"The name of its folder says {_listed(differing)}; what you named is taken instead."
        )
    if not source.options:
        untold = {name: getattr(config, name) for name in official_folder.TOLD}
        notes.append(
            f"The name of its folder does not tell how the model was trained. The values that you "
            f"named, or the defaults, are taken: {_listed(untold)}."
        )
    if source.step is None:
        notes.append(
            f"The name of {source.path} has no step, as in NAME-1000: it is taken for step 0, and "
            f"the learning rate starts from the beginning."
        )
    return notes


def _listed(options):
    return ", ".join(f"--{name} {value}" for name, value in options.items())


def _translate_command(config):
    """A command that finds the run again; its two paths are examples."""
    words = ["--run", config.run_name]
    if config.checkpoint_dir != Config.checkpoint_dir:
        words += ["--checkpoint_dir", config.checkpoint_dir]
    words += ["--input", "photographs", "--output", "drawings"]
    return shlex.join(["python", "main.py", "--phase", "translate", *words])


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
