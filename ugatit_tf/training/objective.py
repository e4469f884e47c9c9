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


class Generated(NamedTuple):
    """What the terms of one generator look at."""

    adversarial: losses.AdversarialLoss
    translated: Translated
    discriminator: Callable  # of its target domain
    back: Callable  # the other generator
    source: tf.Tensor
    target: tf.Tensor


def _adversarial(g):
    fake_logits = logits(g.discriminator(g.translated.fake)).values()
    return sum(map(g.adversarial.generator, fake_logits))


def _cycle(g):
    return losses.l1(g.back(g.translated.fake).image, g.source)


def _identity(g):
    return losses.l1(g.translated.same, g.target)


def _cam(g):
    return losses.cam_loss(g.translated.cam_source, g.translated.cam_target)


class Term(NamedTuple):
    """A row of the table: one term of a generator's objective."""

    official: str  # its name in the official program
    weight: str  # the option with its weight; where that is 0, the term is not computed
    loss: Callable[[Generated], tf.Tensor]


TERMS = {
    "adversarial": Term("gan", "adv_weight", _adversarial),
    "cycle": Term("cycle", "cycle_weight", _cycle),
    "identity": Term("identity", "identity_weight", _identity),
    "cam": Term("cam", "cam_weight", _cam),
}


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
        self.weights = {name: getattr(config, term.weight) for name, term in TERMS.items()}
        if not config.generator_cam:
            self.weights["cam"] = 0.0

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
        cam_target = attend(target) if self.weights["cam"] else None
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
        cases = {  # a2b makes B: judged as B, brought back by b2a, and B should stay as it is
            "a2b": (of_a2b, networks.discriminator_b, networks.b2a, real_a, real_b),
            "b2a": (of_b2a, networks.discriminator_a, networks.a2b, real_b, real_a),
        }
        tags = {}
        for direction, letter in SIDES.items():
            case = Generated(self.adversarial, *cases[direction])
            wanted = {name: term for name, term in TERMS.items() if self.weights[name]}
            values = {name: term.loss(case) for name, term in wanted.items()}
            weighted = {name: self.weights[name] * value for name, value in values.items()}
            tags.update({f"{direction}/{name}": value for name, value in values.items()})
            for name, term in TERMS.items():
                tags[f"G_{letter}_{term.official}"] = weighted.get(name, tf.constant(0.0))
            tags[f"G_{letter}_loss"] = sum(weighted.values(), tf.constant(0.0))
        tags["Generator_loss"] = tags["G_B_loss"] + tags["G_A_loss"]
        _add_decay(tags, "Generator_loss", "generators", kernels)
        return tags


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
