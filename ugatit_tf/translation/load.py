"""A trained model from whatever holds one: a run folder, an export, a generator file.

model = ugatit_tf.load("checkpoint/selfie2anime")
anime = model.translate(PIL.Image.open("me.jpg"))
"""

import os
from typing import NamedTuple, Optional

import tensorflow as tf

from ugatit_tf import runtime
from ugatit_tf.config import CONFIG_FILE, Config, options
from ugatit_tf.interchange import generator_file
from ugatit_tf.runtime import Failure
from ugatit_tf.translation import devices, model_files, translate
from ugatit_tf.translation.model import Model


def load(path, which="latest") -> Model:
    """Loads a trained model.

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
        known = {**options(os.path.join(path, CONFIG_FILE)), "checkpoint_dir": parent, "run": run}
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
            with runtime.plain_path(folder) as plain:
                self.loaded = tf.saved_model.load(plain)  # its variables live as long as it does
            self.served = self.loaded.signatures["exact"]
            self.shape = self.served.structured_input_signature[1]["images"].shape
            self.size = int(self.loaded.trained_with)
        except (OSError, LookupError, AttributeError, ValueError, tf.errors.OpError) as error:
            reason = (str(error).splitlines() or ["damaged"])[0]
            raise Failure(
                f"{folder} cannot be used ({reason}). Expected what --phase export wrote; "
                f"export again."
            ) from None

    def __call__(self, images):
        out = self.served(images=images)
        return _Served(out["images"], out.get("heatmap"))


def _exported(folders, source):
    def opened():
        return {direction: _Serving(folder) for direction, folder in folders.items()}

    first = opened()
    one = list(first.values())[-1]
    _, height, _, channels = one.shape
    return Model(
        devices.Copies(first, opened, devices.names()),
        size=one.size,
        channels=channels,
        any_size=height is None,
        attention="heatmap" in one.served.structured_outputs,
        source=source,
    )
