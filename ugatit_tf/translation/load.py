"""A trained model from whatever holds one: a run folder, an export, a generator file.

model = ugatit_tf.load("checkpoint/selfie2anime")
anime = model.translate(PIL.Image.open("me.jpg"))
"""

import os
from typing import NamedTuple, Optional

import tensorflow as tf

from ugatit_tf import tf_paths
from ugatit_tf.config import CONFIG_FILE, Config
from ugatit_tf.config_file import read_options
from ugatit_tf.errors import Failure, reason
from ugatit_tf.interchange import generator_file
from ugatit_tf.translation import devices, model_files, translate
from ugatit_tf.translation.fit import SMALLEST
from ugatit_tf.translation.model import Model


def load(path, which="latest") -> Model:
    """Loads a trained model.

    A SavedModel is a program: load only those of people whom you trust. A generator file is
    numbers alone.

    Args:
        path: a run folder (`checkpoint/NAME`), an exported folder (`export/NAME/step_...`, or a
            SavedModel in it), or a generator file (`a2b.npz`).
        which: of a run folder, the "latest" checkpoint or the "best".

    Raises:
        Failure: there is no such thing, or it cannot be used.
    """
    path = os.fspath(path)
    kind = model_files.kind_of(path)
    if kind == model_files.GENERATOR:
        generator, config, direction = generator_file.load(path)
        return _model({direction: generator}, config, path)
    if kind == model_files.RUN:
        parent, run = os.path.split(os.path.abspath(path))
        known = {
            **read_options(os.path.join(path, CONFIG_FILE)),
            "checkpoint_dir": parent,
            "run": run,
        }
        return of_run(Config(**known), which)
    return _exported(model_files.exports_in(path), path)


def of_run(config, which="latest") -> Model:
    """The model of the run that `config` names, with its discriminators.

    Raises:
        Failure: there is no checkpoint, or it cannot be used.
    """
    networks, checkpoint = translate.load(config, which)
    return _with_judges(networks, config, checkpoint)


def of_networks(networks, config) -> Model:
    """A `UGATIT` as a model, on one device, which follows when its weights change."""
    return _with_judges(networks, config, "networks in memory", alone=True)


def _with_judges(networks, config, source, **options):
    judges = {
        "a2b": tf.function(networks.discriminator_b, reduce_retracing=True),
        "b2a": tf.function(networks.discriminator_a, reduce_retracing=True),
    }
    if not config.discriminator_cam:  # nothing to see
        judges = {}
    generators = {"a2b": networks.a2b, "b2a": networks.b2a}
    return _model(generators, config, source, judges=judges, **options)


def _model(generators, config, source, *, judges=None, alone=False):
    side = None if config.any_size else config.img_size
    images = tf.TensorSpec([None, side, side, config.img_ch])
    options = {"input_signature": [images], "jit_compile": config.xla or None}

    def compiled(generators):
        return {name: tf.function(network, **options) for name, network in generators.items()}

    return Model(
        compiled(generators) if alone else devices.of_generators(generators, config, compiled),
        judges=judges,
        size=config.img_size,
        channels=config.img_ch,
        any_size=config.any_size,
        attention=config.generator_cam,
        source=source,
    )


class _Served(NamedTuple):
    image: tf.Tensor
    heatmap: Optional[tf.Tensor]


class _Serving:
    """A SavedModel as a network, on the device of the `tf.device` around its making."""

    def __init__(self, folder):
        try:
            with tf_paths.plain_path(folder) as plain:
                self.loaded = tf.saved_model.load(plain)  # its variables live as long as it does
            self.served = _exact(self.loaded)
            self.size = int(self.loaded.trained_with)
        except Exception as error:  # whatever a strange program raises
            raise _unfit(folder, reason(error)) from None
        self.folder = folder
        self.shape = self.served.structured_input_signature[1]["images"].shape
        self.attention = "heatmap" in self.served.structured_outputs

    def __call__(self, images):
        out = self.served(images=images)
        if out["images"].shape != images.shape:
            raise _unfit(self.folder, f"its images {images.shape} become {out['images'].shape}")
        return _Served(out["images"], out.get("heatmap"))


def _exact(loaded):
    """The signature `exact` of a SavedModel; a ValueError where it is not as export writes it."""
    signatures = getattr(loaded, "signatures", {})
    if "exact" not in signatures:
        raise ValueError("it has no signature exact")
    served = signatures["exact"]
    taken, given = served.structured_input_signature[1], served.structured_outputs
    images, sides = taken.get("images"), ()
    if list(taken) == ["images"] and images.dtype == tf.float32 and images.shape.rank == 4:
        sides = images.shape[1:3]
    if not sides or sides[0] != sides[1] or images.shape[3] not in (1, 3):
        raise ValueError(f"its exact takes {taken}")
    result, heatmap = given.get("images"), given.get("heatmap", tf.TensorSpec([None] * 3))
    if result is None or not result.shape.is_compatible_with(images.shape):
        raise ValueError(f"its exact gives {given}")
    if heatmap.shape.rank not in (None, 3):
        raise ValueError(f"its exact gives {given}")
    trained_with = getattr(loaded, "trained_with", None)
    if trained_with is None or tf.rank(trained_with) != 0 or int(trained_with) < SMALLEST:
        raise ValueError("it does not say which size it was trained with")
    return served


def _unfit(folder, why):
    return Failure(
        f"{folder} cannot be used ({why}). Expected what --phase export wrote; export again."
    )


def _exported(folders, source):
    def opened():
        return {direction: _Serving(folder) for direction, folder in folders.items()}

    first = opened()
    one, *others = first.values()
    for other in others:
        if (other.shape.as_list(), other.size) != (one.shape.as_list(), one.size):
            raise _unfit(source, "its a2b and b2a take different images")
    _, height, _, channels = one.shape
    return Model(
        devices.Copies(first, opened, devices.names()),
        size=one.size,
        channels=channels,
        any_size=height is None,
        attention=all(served.attention for served in first.values()),
        source=source,
    )
