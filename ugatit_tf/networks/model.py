"""The whole model: two generators, two discriminators, and the names of their weights."""

import dataclasses

import tensorflow as tf

from ugatit_tf.keras_settings import raw
from ugatit_tf.networks.discriminator import Discriminator
from ugatit_tf.networks.generator import SMALLEST, Generator
from ugatit_tf.seeds import seed_of
from ugatit_tf.sizes import smallest_image

WEIGHT_NAMES = ("kernel", "bias", "u", "gamma", "beta", "rho")


@dataclasses.dataclass(frozen=True)
class UGATIT:
    """The four networks of U-GAT-IT. `a2b` translates domain A (source) into B (target)."""

    a2b: Generator
    b2a: Generator
    discriminator_a: Discriminator
    discriminator_b: Discriminator

    def generator_weights(self) -> dict:
        """path -> tf.Variable of both generators, e.g. `a2b/stem/convolution/kernel`."""
        return {**named_weights(self.a2b, "a2b"), **named_weights(self.b2a, "b2a")}

    def discriminator_weights(self) -> dict:
        """path -> tf.Variable of both discriminators, with the spectral states (`.../u`)."""
        return {
            **named_weights(self.discriminator_a, "discriminator_a"),
            **named_weights(self.discriminator_b, "discriminator_b"),
        }

    def weights(self) -> dict:
        return {**self.generator_weights(), **self.discriminator_weights()}


def build_model(config) -> UGATIT:
    """Builds the networks that `config` describes, with all weights drawn from `config.seed`.

    Returns:
        UGATIT. The generators take any height and width that are multiples of 4 where
        `config.any_size`; else they belong to `config.img_size`.
    """
    discriminator = {
        "ch": config.ch,
        "n_dis": config.n_dis,
        "sn": config.sn,
        "cam": config.discriminator_cam,
        "precision": config.precision,
    }
    model = UGATIT(
        a2b=build_generator(config, "a2b"),
        b2a=build_generator(config, "b2a"),
        discriminator_a=Discriminator(**discriminator, name="discriminator_a"),
        discriminator_b=Discriminator(**discriminator, name="discriminator_b"),
    )
    size = smallest_image(config.n_dis)
    for network in (model.discriminator_a, model.discriminator_b):
        network(tf.zeros([1, size, size, config.img_ch]))
    _draw_weights(model, config.seed)
    return model


def build_generator(config, name) -> Generator:
    """One generator as `config` describes it. Its weights do not follow `config.seed`."""
    generator = Generator(
        ch=config.ch,
        n_res=config.n_res,
        img_ch=config.img_ch,
        light=config.light,
        smoothing=config.smoothing,
        norm=config.decoder_norm,
        cam=config.generator_cam,
        precision=config.precision,
        recompute=config.recompute,
        name=name,
    )
    size = SMALLEST if config.any_size else config.img_size
    generator(tf.zeros([1, size, size, config.img_ch]))
    return generator


def named_weights(layer, prefix) -> dict:
    """path -> tf.Variable for `layer` and all layers below it, in the order of its attributes.

    The paths are the attribute names, which both Keras generations share; Keras' own paths
    differ between them.
    """
    found = {
        f"{prefix}/{name}": raw(getattr(layer, name))
        for name in WEIGHT_NAMES
        if getattr(layer, name, None) is not None
    }
    for name, value in vars(layer).items():
        if name.startswith("_"):
            continue
        if isinstance(value, tf.keras.layers.Layer):
            found.update(named_weights(value, f"{prefix}/{name}"))
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                if isinstance(item, tf.keras.layers.Layer):
                    found.update(named_weights(item, f"{prefix}/{name}/{index}"))
    return found


def _draw_weights(model, seed):
    """Draws each random weight from (seed, its path), whatever the order of building was."""
    for path, variable in model.weights().items():
        kind = path.rsplit("/", 1)[-1]
        deviation = {"kernel": 0.02, "u": 1.0}.get(kind)
        if deviation:
            variable.assign(
                tf.random.stateless_normal(variable.shape, seed_of(seed, path), 0.0, deviation)
            )
