"""The whole model: two generators, two discriminators, and the names of their weights."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from ugatit_tf.config import Config
from ugatit_tf.layers.weights import named_weights, not_drawn, roles_of
from ugatit_tf.networks.discriminator import Discriminator
from ugatit_tf.networks.generator import Generator
from ugatit_tf.seeds import seed_of
from ugatit_tf.sizes import SMALLEST, smallest_image


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

    def rhos(self) -> dict:
        """path -> tf.Variable of the weights that mix instance and layer normalization."""
        roles = self.roles()
        return {path: w for path, w in self.generator_weights().items() if roles[path].clipped}

    def roles(self) -> dict:
        """path -> `Role` of every weight."""
        networks = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            path: role
            for name, network in networks.items()
            for path, role in roles_of(network, name).items()
        }


def build_model(config: Config, *, draw: bool = True) -> UGATIT:
    """Builds the networks that `config` describes.

    Args:
        draw: bool. Whether weights are drawn, from `config.seed`. Without it they are constants,
            for a caller who loads all of them: drawing those of a large model takes seconds.

    Returns:
        UGATIT. The generators take any height and width that are multiples of 4 where
        `config.any_size`; else they belong to `config.img_size`.
    """
    discriminator = {
        "ch": config.ch,
        "n_dis": config.n_dis,
        "sn": config.sn,
        "cam": config.discriminator_cam,
        "flavor": config.flavor,
        "precision": config.precision,
    }
    model = UGATIT(
        a2b=build_generator(config, "a2b"),
        b2a=build_generator(config, "b2a"),
        discriminator_a=Discriminator(**discriminator, name="discriminator_a"),
        discriminator_b=Discriminator(**discriminator, name="discriminator_b"),
    )
    size = smallest_image(config.n_dis)
    with not_drawn():
        for network in (model.discriminator_a, model.discriminator_b):
            network(tf.zeros([1, size, size, config.img_ch]))
    if draw:
        _draw_weights(model, config.seed)
    return model


def build_generator(config: Config, name: str) -> Generator:
    """One generator as `config` describes it. Its weights are constants: draw or load them."""
    generator = Generator(
        ch=config.ch,
        n_res=config.n_res,
        img_ch=config.img_ch,
        light=config.light,
        smoothing=config.smoothing,
        norm=config.decoder_norm,
        cam=config.generator_cam,
        flavor=config.flavor,
        precision=config.precision,
        recompute=config.recompute,
        name=name,
    )
    size = SMALLEST if config.any_size else config.img_size
    with not_drawn():
        generator(tf.zeros([1, size, size, config.img_ch]))
    return generator


def _draw_weights(model, seed):
    """Draws each random weight from (seed, its path), whatever the order of building was."""
    weights = model.weights()
    for path, role in model.roles().items():
        if role.start.is_random:
            weight = weights[path]
            weight.assign(role.start.draw(weight.shape, seed_of(seed, path)))
