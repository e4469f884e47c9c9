"""`--init_from`: finds the trained weights from which a new run starts, of any kind."""

import glob
import os
from collections.abc import Mapping
from typing import Any, Optional

from ugatit_tf import shipped, tensorflow_start
from ugatit_tf.config import CONFIG_FILE, Config
from ugatit_tf.config_file import read_options
from ugatit_tf.data import storage
from ugatit_tf.errors import Failure
from ugatit_tf.options import ConfigError, names_of
from ugatit_tf.training import checkpoints
from ugatit_tf.training.start import Start
from ugatit_tf.translation import model_files

ARCHITECTURE = names_of(Config, "architecture")


def find(name: str) -> Start:
    """The weights that `--init_from` names: read as far as to know what they are.

    TensorFlow is imported, and computes nothing: the workers of a cluster must meet first.

    Raises:
        Failure: there are none, or they cannot be used.
        ConfigError: they are of a run whose config.json cannot be used.
        FileNotFoundError: a folder without a checkpoint.
    """
    tensorflow_start.load_tensorflow()
    path = shipped.path_of(name)
    if os.path.isfile(os.path.join(path, CONFIG_FILE)):
        return _of_run(name, path)
    if checkpoints.saved(path):
        raise Failure(
            f"--init_from {name}: there is no {CONFIG_FILE} beside its checkpoints. It describes "
            f"the networks: copy that of the run.{model_files.hint(path)}"
        )
    files = model_files.generator_files(path)
    if os.path.isdir(path) and files:
        return _of_generators(name, files)
    if path.endswith(".npz"):
        _require(name, files)
        return _of_generators(name, files)
    if model_files.exports_in(path):
        raise Failure(
            f"{name} has SavedModels alone, from which no weights are taken. Expected generator "
            f"files beside them: export with --format npz, or name the run."
        )
    _require(name, os.path.isdir(path) or glob.glob(f"{glob.escape(path)}*"))
    return _of_official(name, path)


def of_new_run(config: Config) -> Optional[Start]:
    """The weights from which the run of `config` starts; None where it has begun, or has none.

    Raises:
        ConfigError: they are of another architecture.
        And as `find`.
    """
    if not config.init_from or checkpoints.saved(config.run_folder):
        return None
    start = find(config.init_from)
    refuse_differing(start, vars(config))
    start.check_room(config)
    return start


def refuse_differing(start: Start, options: Mapping[str, Any]) -> None:
    """Raises ConfigError, with a list, where `options` differ from those of the weights."""
    differing = [
        f"--{name} is {value} there, {options[name]} here"
        for name, value in start.fixed.items()
        if options.get(name, value) != value
    ]
    if differing:
        raise ConfigError(
            f"--init_from {start.name} is of another architecture: {'; '.join(differing)}. Leave "
            f"these options out, so that the run takes those of the weights."
        )


def _require(name, found):
    if not found and not storage.is_remote(name):
        raise Failure(
            f"--init_from {name}: there is no such file or folder. Expected a run folder, an "
            f"exported folder, a generator file (a2b.npz), an official checkpoint of TensorFlow "
            f"(a folder or a prefix) or PyTorch (.pt, .safetensors), or the name of a model that "
            f"comes with this program: {', '.join(shipped.names())}."
        )


def _of_run(name, folder) -> Start:
    from ugatit_tf.networks.weight_count import num_weights
    from ugatit_tf.translation import loading

    path = checkpoints.newest(folder)
    config = Config(**read_options(os.path.join(folder, CONFIG_FILE)))
    return Start(
        name=name,
        source=path,
        options={option: getattr(config, option) for option in ARCHITECTURE},
        directions=("a2b", "b2a"),
        has_discriminators=True,
        step=max(checkpoints.saved(folder)),
        load=lambda model: loading.restore(model, path),
        check_room=lambda config: checkpoints.check_room(path, num_weights(config)),
    )


def _of_generators(name, files) -> Start:
    from ugatit_tf.interchange import generator_file
    from ugatit_tf.layers.weights import named_weights

    described = [generator_file.describe(file) for file in files]
    (config, _), directions = described[0], [direction for _, direction in described]
    if len({*directions}) < len(files) or any(other != config for other, _ in described):
        raise Failure(f"{name} cannot be used: its generator files are not of one model.")

    def load(model):
        for file in files:
            generator, _, direction = generator_file.load(file)
            targets = named_weights(getattr(model, direction))
            for path, weight in named_weights(generator).items():
                targets[path].assign(weight)

    known = [option for option in ARCHITECTURE if option not in generator_file.OF_DISCRIMINATORS]
    return Start(
        name=name,
        source=name,
        options={option: getattr(config, option) for option in known},
        directions=tuple(directions),
        has_discriminators=False,
        files=files,
        load=load,
    )


def _of_official(name, path) -> Start:
    from ugatit_tf.networks.weight_count import num_generator_weights, num_weights
    from ugatit_tf.phases.import_official import source_at

    source = source_at(path)
    lone = source.lone_generators

    def load(model):
        if not lone:
            source.restore(model, None)
        for direction in lone:
            source.restore_generator(getattr(model, direction))

    def check_room(config):
        half = num_generator_weights(config) // 2
        source.check_room(half * len(lone) if lone else num_weights(config))

    told = {**source.options, **source.architecture}
    return Start(
        name=name,
        source=source.path,
        options={option: told[option] for option in ARCHITECTURE if option in told},
        directions=lone or ("a2b", "b2a"),
        has_discriminators=not lone,
        step=source.step,
        files=[source.path] if os.path.isfile(source.path) else [],
        load=load,
        check_room=check_room,
    )
