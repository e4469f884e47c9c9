"""Translators from whatever holds a trained model: a run folder, an export, a generator file.

translator = ugatit_tf.load("checkpoint/selfie2anime")  # or the name of a shipped model
anime = translator.translate(PIL.Image.open("me.jpg"))
"""

from __future__ import annotations

import os
from typing import Any

import tensorflow as tf

from ugatit_tf import tf_paths
from ugatit_tf.config import CONFIG_FILE, Config
from ugatit_tf.config_file import read_options
from ugatit_tf.errors import Failure, reason
from ugatit_tf.flavors import FLAVORS
from ugatit_tf.interchange import generator_file
from ugatit_tf.networks import weight_count
from ugatit_tf.networks.generator import Translation
from ugatit_tf.networks.model import UGATIT, build_model
from ugatit_tf.training import checkpoints
from ugatit_tf.translation import devices, model_files
from ugatit_tf.translation.fit import SMALLEST
from ugatit_tf.translation.generators import Generators, compiled
from ugatit_tf.translation.translator import Translator


def load(
    path: str | os.PathLike,
    which: str = "latest",
    *,
    precision: str | None = None,
    xla: bool | None = None,
    strategy: str | None = None,
) -> Translator:
    """Loads a trained model.

    A SavedModel is a program: load only those of people whom you trust. A generator file holds
    numbers alone.

    Args:
        path: a run folder (`checkpoint/NAME`), an exported folder (`export/NAME/step_...`, or a
            SavedModel in it), a generator file (`a2b.npz`), or the name of a model that comes with
            this package (`ugatit_tf.shipped.names()`).
        which: the "latest" checkpoint of a run folder, the "best", or the "mean" of all in it.
        precision: "float32", "bfloat16" or "float16". None: as a run was trained; float32 for a
            generator file. Not for an exported folder, which computes as it was exported.
        xla: bool. Whether to compile the networks with XLA; else as `precision`.
        strategy: "one": the first device only. "auto" or None: all GPUs of this computer share
            the work.

    Raises:
        Failure: there is no model at `path`, or it cannot be used, or not with these options.
        ConfigError: an option has a value that it cannot have.
    """
    path = os.fspath(path)
    overrides = {"precision": precision, "xla": xla, "strategy": strategy}
    overrides = {name: value for name, value in overrides.items() if value is not None}
    Config(**overrides)  # refuses wrong values
    kind = model_files.kind_of(path)
    if kind == model_files.RUN:
        parent, run = os.path.split(os.path.abspath(path))
        recorded = read_options(os.path.join(path, CONFIG_FILE))
        location = {"checkpoint_dir": parent, "run": run}
        return from_run(Config(**{**recorded, **location, **overrides}), which)
    if which != "latest":
        raise Failure(f"{path} is no run folder, so it has one model. Leave out --which {which}.")
    if kind == model_files.GENERATOR:
        return _from_generator_files(model_files.generator_files(path), path, overrides)
    fixed = [name for name in ("precision", "xla") if name in overrides]
    if fixed:
        raise Failure(
            f"{path} is an exported folder, which computes as it was exported: "
            f"--{' and --'.join(fixed)} cannot change that. Use its run folder or a generator "
            f"file (a2b.npz)."
        )
    return _from_export(model_files.exports_in(path), path, strategy or "auto")


def from_run(config: Config, which: str = "latest", *, fixed_size: bool = False) -> Translator:
    """The translator of the run that `config` names, with its discriminators.

    Args:
        fixed_size: bool. Whether it takes images of the training size alone, whatever the model.

    Raises:
        Failure: there is no checkpoint, or it cannot be used.
    """
    networks, generators, source = load_generators(config, which)
    any_size = config.any_size and not fixed_size
    discriminators = _discriminators(networks, config) if networks else None
    return _translator(generators, config, source, discriminators, any_size=any_size)


def from_networks(networks: UGATIT, config: Config) -> Translator:
    """The translator of networks in memory, on one device. It follows when weights change."""
    generators = {"a2b": networks.a2b, "b2a": networks.b2a}
    discriminators = _discriminators(networks, config)
    return _translator(
        generators,
        config,
        "networks in memory",
        discriminators,
        any_size=config.any_size,
        has_copies=False,
    )


def load_generators(config: Config, which: str = "latest") -> tuple:
    """The generators of a run, also of one that was imported without the rest.

    Returns:
        (networks or None, dict direction -> generator, path of the checkpoint or the run folder).

    Raises:
        Failure: there is no checkpoint, or it cannot be used.
    """
    lone = checkpoints.lone_generators(config.run_folder)
    if lone and which == "latest":
        options = {name: getattr(config, name) for name in ("precision", "xla", "strategy")}
        loaded = {name: generator_file.load(path, **options) for name, path in lone.items()}
        return (
            None,
            {name: generator for name, (generator, *_) in loaded.items()},
            config.run_folder,
        )
    networks, checkpoint = load_networks(config, which)
    return networks, {"a2b": networks.a2b, "b2a": networks.b2a}, checkpoint


def load_networks(config: Config, which: str = "latest") -> tuple[UGATIT, str]:
    """Builds the networks of a run with the weights of a checkpoint.

    Where the run keeps a moving average of its generators (`--ema`), they have that.

    Args:
        which: "latest", "best", or "mean": the generators have the mean of their weights in all
            checkpoints of the run. Izmailov et al., UAI 2018, arXiv:1803.05407.

    Returns:
        (networks, path of the checkpoint; that of a mean ends with "_mean").

    Raises:
        Failure: there is no checkpoint, or it cannot be used.
    """
    path = checkpoints.chosen(config.run_folder, which)
    checkpoints.check_room(path, weight_count.num_weights(config))
    networks = build_model(config, draw=False)
    if which == "mean":
        _restore_mean(networks, list(checkpoints.saved(config.run_folder).values()))
        return networks, f"{path}_mean"
    restore(networks, path)
    return networks, path


def restore(networks: UGATIT, path: str) -> None:
    """Loads the checkpoint at `path`, of the generators the moving average if it has one.

    Raises:
        Failure: it cannot be read, or is of another architecture.
    """
    checkpoints.restore(path, {"weights": networks.weights()})
    if "average" in checkpoints.groups(path):
        checkpoints.restore(path, {"average": networks.generator_weights()})


def _restore_mean(networks, paths):
    """Loads the mean of the generators at all `paths`, and the discriminators of the last."""
    weights = networks.generator_weights()
    means = dict.fromkeys(weights, 0.0)
    for path in paths:
        restore(networks, path)
        for name, weight in weights.items():
            means[name] += weight.numpy() / len(paths)
    for name, weight in weights.items():
        weight.assign(means[name])


def _from_generator_files(files, source, overrides) -> Translator:
    loaded = [generator_file.load(file, **overrides) for file in files]
    generators = {direction: generator for generator, _, direction in loaded}
    config, *others = (config for _, config, _ in loaded)
    if len(generators) < len(loaded) or any(other != config for other in others):
        raise _unusable(source, "its generator files are not of one model")
    return _translator(generators, config, source, any_size=config.any_size)


def _discriminators(networks, config) -> dict:
    """direction -> the discriminator of its results; empty where these have no heatmaps."""
    if not config.discriminator_cam:
        return {}
    return {
        "a2b": tf.function(networks.discriminator_b, reduce_retracing=True),
        "b2a": tf.function(networks.discriminator_a, reduce_retracing=True),
    }


def _translator(
    networks, config, source, discriminators=None, *, any_size, has_copies=True
) -> Translator:
    def compile_all(networks):
        return compiled(networks, config, any_size)

    if has_copies:
        networks = devices.of_generators(networks, config, compile_all)
    else:
        networks = compile_all(networks)
    generators = Generators(
        networks, source, discriminators=discriminators, size=config.img_size, xla=config.xla
    )
    return Translator(
        generators,
        size=config.img_size,
        channels=config.img_ch,
        any_size=any_size,
        has_heatmap=config.generator_cam,
        antialias=FLAVORS[config.flavor].antialias,
    )


class _ExportedGenerator:
    """A SavedModel as a network, on the device of the `tf.device` around its construction."""

    def __init__(self, folder: str) -> None:
        try:
            with tf_paths.plain_path(folder) as plain:
                self.loaded = tf.saved_model.load(plain)  # keeps the variables alive
            self.signature = _exact_signature(self.loaded)
            self.size = int(self.loaded.trained_with)
            self.antialias = bool(getattr(self.loaded, "antialias", False))  # missing in old ones
        except Exception as error:  # whatever a strange program raises
            raise _unusable(folder, reason(error)) from None
        self.folder = folder
        self.shape = self.signature.structured_input_signature[1]["images"].shape
        self.has_heatmap = "heatmap" in self.signature.structured_outputs

    def __call__(self, images: tf.Tensor) -> Translation:
        outputs = self.signature(images=images)
        if outputs["images"].shape != images.shape:
            shapes = f"its images {images.shape} become {outputs['images'].shape}"
            raise _unusable(self.folder, shapes)
        return Translation(outputs["images"], cam_logit=None, heatmap=outputs.get("heatmap"))


def _exact_signature(loaded) -> Any:
    """The signature `exact` of a SavedModel; ValueError where it is not as export writes it."""
    signatures = getattr(loaded, "signatures", {})
    if "exact" not in signatures:
        raise ValueError("it has no signature exact")
    signature = signatures["exact"]
    inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
    images, sides = inputs.get("images"), ()
    if list(inputs) == ["images"] and images.dtype == tf.float32 and images.shape.rank == 4:
        sides = images.shape[1:3]
    if not sides or sides[0] != sides[1] or images.shape[3] not in (1, 3):
        raise ValueError(f"its exact takes {inputs}")
    result, heatmap = outputs.get("images"), outputs.get("heatmap", tf.TensorSpec([None] * 3))
    has_result = result is not None and result.shape.is_compatible_with(images.shape)
    if not has_result or heatmap.shape.rank not in (None, 3):
        raise ValueError(f"its exact gives {outputs}")
    trained_with = getattr(loaded, "trained_with", None)
    if trained_with is None or tf.rank(trained_with) != 0 or int(trained_with) < SMALLEST:
        raise ValueError("it does not say which size it was trained with")
    return signature


def _unusable(folder, why) -> Failure:
    return Failure(
        f"{folder} cannot be used ({why}). Expected what --phase export wrote; export again."
    )


def _from_export(folders, source, strategy) -> Translator:
    """A translator of SavedModels, direction -> folder."""

    def load_all():
        return {direction: _ExportedGenerator(folder) for direction, folder in folders.items()}

    networks = load_all()
    first, *others = networks.values()
    for other in others:
        if (other.shape.as_list(), other.size) != (first.shape.as_list(), first.size):
            raise _unusable(source, "its a2b and b2a take different images")
    _, height, _, channels = first.shape
    copies = devices.Copies(networks, load_all, devices.names(strategy))
    return Translator(
        Generators(copies, source),
        size=first.size,
        channels=channels,
        any_size=height is None,
        has_heatmap=all(network.has_heatmap for network in networks.values()),
        antialias=first.antialias,
    )
