"""What the networks are trained for: the terms of U-GAT-IT's two objectives, and their sums.

Section 2.2, as the official TensorFlow code; docs/fidelity.md lists what differs. Everything
here is a function of networks and images; what is updated, and when, is in `step`.

Each loss comes under two names: the official tag, with its weight (`G_B_cycle`), and a
readable one without it (`a2b/cycle`, `discriminator_b/local`). A term without weight, and that
of a class activation map that is not there, is not computed; its official tag is 0.
"""

from __future__ import annotations

from typing import Callable, NamedTuple

import tensorflow as tf

from ugatit_tf import losses
from ugatit_tf.config import Config

WEIGHT_DECAY = 1e-4  # of all kernels, with its gradient through Adam
TERMS = {  # of a generator: readable name -> (official name, option with its weight)
    "adversarial": ("gan", "adv_weight"),
    "cycle": ("cycle", "cycle_weight"),
    "identity": ("identity", "identity_weight"),
    "cam": ("cam", "cam_weight"),
}
SIDES = {"a2b": "B", "b2a": "A"}  # the official letter of a generator is the domain it makes


class Networks(NamedTuple):
    """The networks as functions of images; `attend_...` stops at the class activation logit."""

    a2b: Callable
    b2a: Callable
    attend_a2b: Callable
    attend_b2a: Callable
    discriminator_a: Callable
    discriminator_b: Callable


class Translated(NamedTuple):
    """What a generator made of the images of a step."""

    fake: tf.Tensor  # of its source domain
    same: tf.Tensor | None  # of its target domain, which it should not change
    cam_source: tf.Tensor | None
    cam_target: tf.Tensor | None


class Objective:
    """The losses that `config` describes.

    Args:
        noise: function (name, shape) -> uniform [0, 1), for the gradient penalties.
        mean: function tensor -> its mean over the parts of a batch that other devices have.
    """

    def __init__(self, config: Config, noise: Callable, mean: Callable = lambda x: x) -> None:
        self.config = config
        self.noise = noise
        self.mean = mean
        self.adversarial = losses.adversarial(config.gan_type)
        self.penalty = self.adversarial.penalty if config.GP_ld else None
        self.weights = {term: getattr(config, option) for term, (_, option) in TERMS.items()}
        self.has_cam_loss = bool(config.cam_weight and config.generator_cam)

    def translate(self, networks: Networks, real_a: tf.Tensor, real_b: tf.Tensor) -> tuple:
        """Returns what a2b made of both domains, and what b2a made: `Translated` each."""
        return (
            self._translated(networks.a2b, networks.attend_a2b, real_a, real_b),
            self._translated(networks.b2a, networks.attend_b2a, real_b, real_a),
        )

    def _translated(self, generator, attend, source, target):
        if self.config.identity_weight:
            first, second = halves(generator, source, target)
            return Translated(first.image, second.image, first.cam_logit, second.cam_logit)
        output = generator(source)
        cam_target = attend(target) if self.has_cam_loss else None
        return Translated(output.image, None, output.cam_logit, cam_target)

    def discriminators(
        self,
        networks: Networks,
        of_penalty: tuple,
        reals: tuple,
        fakes: tuple,
        kernels: list,
        alpha: float | None = None,
        eps: float | None = None,
    ) -> dict:
        """The losses of both discriminators.

        Args:
            of_penalty: the two discriminators as functions of images that leave u alone.
            reals, fakes: pairs of batches, of domain A and B.
            kernels: the weights that decay.
            alpha, eps: numbers; None draws noise. See `losses.interpolate`, `losses.perturb`.

        Returns:
            dict tag -> scalar, "Discriminator_loss" among them.
        """
        discriminators = networks.discriminator_a, networks.discriminator_b
        tags = {}
        for side, discriminator, plain, real, fake in zip(
            "AB", discriminators, of_penalty, reals, fakes
        ):
            outputs = halves(discriminator, real, tf.stop_gradient(fake))
            of_real, of_fake = map(logits, outputs)
            terms = {
                name: self.adversarial.discriminator(logit, of_fake[name])
                for name, logit in of_real.items()
            }
            total = sum(terms.values())
            if self.penalty:
                terms["penalty"] = self._penalty(side, plain, real, fake, alpha, eps)
                total += self.config.GP_ld * terms["penalty"]
            name = f"discriminator_{side.lower()}"
            tags.update({f"{name}/{term}": value for term, value in terms.items()})
            tags[f"D_{side}_loss"] = self.config.adv_weight * total
        tags["Discriminator_loss"] = tags["D_A_loss"] + tags["D_B_loss"]
        _add_decay(tags, "Discriminator_loss", "discriminators", kernels)
        return tags

    def _penalty(self, side, discriminator, real, fake, alpha, eps):
        if alpha is None:
            alpha = self.noise(f"D_{side}_loss/alpha", [tf.shape(real)[0], 1, 1, 1])
        if self.config.gan_type == "dragan":
            eps = self.noise(f"D_{side}_loss/eps", tf.shape(real)) if eps is None else eps
            fake = losses.perturb(real, eps, self._deviation(real))

        def outputs_of(images):
            return list(logits(discriminator(images)).values())

        images = losses.interpolate(real, fake, alpha)
        return losses.gradient_penalty(outputs_of, images, self.penalty)

    def _deviation(self, x):
        """The standard deviation of everything in the whole batch."""
        mean = self.mean(tf.reduce_mean(x))
        return tf.sqrt(self.mean(tf.reduce_mean(tf.square(x - mean))))

    def generators(
        self,
        networks: Networks,
        reals: tuple,
        of_a2b: Translated,
        of_b2a: Translated,
        kernels: list,
    ) -> dict:
        """The losses of both generators.

        Args:
            reals: (of domain A, of domain B).
            of_a2b, of_b2a: what `translate` returned.
            kernels: the weights that decay.

        Returns:
            dict tag -> scalar, "Generator_loss" among them.
        """
        real_a, real_b = reals
        terms = {  # a2b makes B: judged as B, brought back by b2a, and B should stay as it is
            "a2b": self._terms(of_a2b, networks.discriminator_b, networks.b2a, real_a, real_b),
            "b2a": self._terms(of_b2a, networks.discriminator_a, networks.a2b, real_b, real_a),
        }
        tags = {}
        for direction, letter in SIDES.items():
            values = terms[direction]
            weighted = {term: self.weights[term] * value for term, value in values.items()}
            tags.update({f"{direction}/{term}": value for term, value in values.items()})
            for term, (official, _) in TERMS.items():
                tags[f"G_{letter}_{official}"] = weighted.get(term, tf.constant(0.0))
            tags[f"G_{letter}_loss"] = sum(weighted.values(), tf.constant(0.0))
        tags["Generator_loss"] = tags["G_B_loss"] + tags["G_A_loss"]
        _add_decay(tags, "Generator_loss", "generators", kernels)
        return tags

    def _terms(self, translated, discriminator, back, source, target):
        """The terms of one generator that have a weight, without it."""
        config, terms = self.config, {}
        if config.adv_weight:
            fake_logits = logits(discriminator(translated.fake)).values()
            terms["adversarial"] = sum(map(self.adversarial.generator, fake_logits))
        if config.cycle_weight:
            terms["cycle"] = losses.l1(back(translated.fake).image, source)
        if config.identity_weight:
            terms["identity"] = losses.l1(translated.same, target)
        if self.has_cam_loss:
            terms["cam"] = losses.cam_loss(translated.cam_source, translated.cam_target)
        return terms


def _add_decay(tags, total, name, kernels):
    """Adds the L2 term of `kernels`, if there are any, to the tag `total`."""
    if kernels:
        tags[f"weight_decay/{name}"] = decay = WEIGHT_DECAY * losses.l2(kernels)
        tags[total] += decay


def halves(network: Callable, first: tf.Tensor, second: tf.Tensor) -> tuple:
    """Runs both batches through `network` as one larger batch: all statistics are per sample.

    Returns:
        The outputs of the first and of the second.
    """
    output = network(tf.concat([first, second], 0))
    parts = [(None, None) if x is None else tf.split(x, 2) for x in tf.nest.flatten(output)]
    return tuple(tf.nest.pack_sequence_as(output, half) for half in zip(*parts))


def logits(outputs: tuple) -> dict[str, tf.Tensor]:
    """The logits of a discriminator: of both depths' patches, and of their CAM if they have one."""
    named = {}
    for name, output in zip(("local", "global"), outputs):
        named[name], named[f"{name}_cam"] = output.logit, output.cam_logit
    return {name: logit for name, logit in named.items() if logit is not None}
