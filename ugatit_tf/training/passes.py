"""Forward and backward: the losses of both kinds of networks, and the gradients of each."""

from __future__ import annotations

from typing import Callable

from ugatit_tf.networks.model import UGATIT
from ugatit_tf.training.learner import Learner
from ugatit_tf.training.objective import Networks, Objective


class Passes:
    """What an update needs to know, from networks and images. It changes no trained weight.

    Args:
        model: UGATIT.
        objective: `Objective`.
        generators, discriminators: `Learner` of each.
    """

    def __init__(
        self, model: UGATIT, objective: Objective, generators: Learner, discriminators: Learner
    ) -> None:
        self.objective = objective
        self.generator_learner = generators
        self.discriminator_learner = discriminators
        self.plain = Networks(
            model.a2b, model.b2a, model.a2b.attend, model.b2a.attend,
            model.discriminator_a, model.discriminator_b,
        )  # fmt: skip

    def discriminators(
        self,
        networks: Networks,
        reals: tuple,
        fakes: tuple,
        alpha: float | None = None,
        eps: float | None = None,
    ) -> tuple:
        """Returns (dict tag -> loss, dict path -> gradient) of the discriminators.

        Args:
            networks: the networks as functions of images, such as `plain` or traced ones.
            reals, fakes: pairs of batches, of domain A and B.
            alpha, eps: as in `Objective.discriminators`.
        """
        of_penalty = self.plain.discriminator_a, self.plain.discriminator_b
        kernels = self.discriminator_learner.kernels
        with self.discriminator_learner.watch() as tape:
            losses = self.objective.discriminators(
                networks, of_penalty, reals, fakes, kernels, alpha, eps
            )
        return losses, self.discriminator_learner.gradients(tape, losses["Discriminator_loss"])

    def generators(
        self,
        networks: Networks,
        reals: tuple,
        before_judging: Callable[[tuple], None] = lambda fakes: None,
    ) -> tuple:
        """Returns (dict tag -> loss, dict path -> gradient, fakes) of the generators.

        Args:
            networks, reals: as in `discriminators`.
            before_judging: is called with the fakes of domain A and B, once they are there and
                before a discriminator sees them.
        """
        kernels = self.generator_learner.kernels
        with self.generator_learner.watch() as tape:
            of_a2b, of_b2a = self.objective.translate(networks, *reals)
            fakes = of_b2a.fake, of_a2b.fake
            with tape.stop_recording():
                before_judging(fakes)
            losses = self.objective.generators(networks, reals, of_a2b, of_b2a, kernels)
        gradients = self.generator_learner.gradients(tape, losses["Generator_loss"])
        return losses, gradients, fakes
