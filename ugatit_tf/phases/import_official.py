"""`--phase import`: a run folder from a checkpoint of the official programs."""

import contextlib
import dataclasses
import glob
import os
import shutil
from typing import TYPE_CHECKING

from ugatit_tf import invocation
from ugatit_tf.config import Config
from ugatit_tf.config_file import check_architecture
from ugatit_tf.data import storage
from ugatit_tf.errors import Failure
from ugatit_tf.interchange import official_folder
from ugatit_tf.options import ConfigError, Options, names_of, option
from ugatit_tf.phases.phase import Phase, refuse_start
from ugatit_tf.training import checkpoints

if TYPE_CHECKING:
    from ugatit_tf.interchange.source import Source


@dataclasses.dataclass(frozen=True)
class ImportOptions(Options):
    """What is imported."""

    official_checkpoint: str = option(
        "",
        "of the TensorFlow program the checkpoint folder, for its newest checkpoint, or one "
        "checkpoint in it: its PREFIX, or one of its files; of the PyTorch program a .pt or "
        ".safetensors file",
        needed=True,
    )


def check(named: dict, options: ImportOptions) -> None:
    refuse_start(named.get("init_from"), "import")
    prefix = options.official_checkpoint
    exists = os.path.isdir(prefix) or glob.glob(f"{glob.escape(prefix)}*")
    if not exists and not storage.is_remote(prefix):
        raise FileNotFoundError(
            f"No checkpoint at {prefix}. Expected a file of the PyTorch program, e.g. "
            f"NAME_params_0100000.pt, or of a TensorFlow checkpoint the path of its files without "
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
    source = source_at(options.official_checkpoint)
    config = _config(named, source)
    _refuse_checkpoints(config)
    imported = _import_generators if source.lone_generators else _import_all
    done, notes = imported(source, config), _notes(named, source, config)
    print(done, *notes, "To translate:", _translate_command(config), sep="\n")


def _import_all(source: "Source", config: Config) -> str:
    """Makes a run that can be trained; returns what was done."""
    from ugatit_tf.networks.model import build_model
    from ugatit_tf.networks.weight_count import num_weights
    from ugatit_tf.training.step import Trainer

    source.check_room(num_weights(config))
    trainer = Trainer(build_model(config), config)
    source.restore(trainer.model, (trainer.generator_optimizer, trainer.discriminator_optimizer))
    trainer.start_average()
    step = source.step or 0
    trainer.steps_done.assign(step)
    with _run_folder(config) as folder:
        path = checkpoints.save(folder, step, trainer.state())
    return f"Imported step {step} of {source.path} into {path}"


def _import_generators(source: "Source", config: Config) -> str:
    """Makes a run of generators alone; returns what was done."""
    from ugatit_tf.interchange import generator_file
    from ugatit_tf.networks.model import build_generator
    from ugatit_tf.networks.weight_count import num_generator_weights

    source.check_room(num_generator_weights(config) // 2 * len(source.lone_generators))
    generators = [build_generator(config, direction) for direction in source.lone_generators]
    for generator in generators:
        source.restore_generator(generator)
    with _run_folder(config) as folder:
        for generator in generators:
            path = os.path.join(folder, generator.name + generator_file.SUFFIX)
            generator_file.save(generator, config, generator.name, path)
    return (
        f"Imported {' and '.join(source.lone_generators)} of {source.path} into {folder}. It has "
        f"no discriminators: these generators translate and can be exported, not trained."
    )


def source_at(path: str) -> "Source":
    """The checkpoint of an official program at `path`, by the reader of its kind."""
    from ugatit_tf.interchange import official_pytorch, official_tf

    of_pytorch = path.endswith(official_pytorch.SUFFIXES) and os.path.isfile(path)
    return (official_pytorch if of_pytorch else official_tf).find(path)


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
    if source.lone_generators:
        options.setdefault("n_dis", 2)  # so that no discriminator limits the size
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
    if not source.options and not source.lone_generators:
        untold = {name: getattr(config, name) for name in source.untold}
        notes.append(
            f"It does not tell how the model was trained. The values that you named, or the "
            f"defaults, are taken: {_listed(untold)}."
        )
    if source.step is None and not source.lone_generators:
        notes.append(
            f"The name of {source.path} has no step, as in {source.named}: it is taken for step 0, "
            f"and the learning rate starts from the beginning."
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
    return invocation.command("translate", *words)


@contextlib.contextmanager
def _run_folder(config):
    """Makes the run folder, or leaves none that was not there if what it is for fails."""
    existed = os.path.isdir(config.run_folder)
    try:
        os.makedirs(config.run_folder, exist_ok=True)
        config.save(config.run_folder)
        yield config.run_folder
    except BaseException:
        if not existed:
            shutil.rmtree(config.run_folder, ignore_errors=True)
        raise


def _refuse_checkpoints(config):
    if checkpoints.saved(config.run_folder) or checkpoints.lone_generators(config.run_folder):
        raise Failure(
            f"{config.run_folder} holds a model already. Choose another name with --run NAME."
        )


IMPORT = Phase(
    "import",
    "make a run of a checkpoint of an official program",
    check,
    run,
    ImportOptions,
    has_run=lambda options: False,
)
