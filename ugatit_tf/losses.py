"""The losses: pure functions of tensors to one unweighted scalar each.

U-GAT-IT section 2.2, with the alternatives of the official TensorFlow code. All are means
over all elements, except `l2`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ugatit_tf.lazy import tf


def cross_entropy(logits: tf.Tensor, label: float) -> tf.Tensor:
    """Mean sigmoid cross-entropy of `logits` against one label, 0.0 or 1.0."""
    labels = label * tf.ones_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))


def lsgan_discriminator_loss(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """mean (real - 1)^2 + mean fake^2; Mao et al., 2017, arXiv:1611.04076."""
    return tf.reduce_mean(tf.square(real - 1.0)) + tf.reduce_mean(tf.square(fake))


def lsgan_generator_loss(fake: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.square(fake - 1.0))


def gan_discriminator_loss(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """The cross-entropy of Goodfellow et al., 2014, arXiv:1406.2661."""
    return cross_entropy(real, 1.0) + cross_entropy(fake, 0.0)


def gan_generator_loss(fake: tf.Tensor) -> tf.Tensor:
    return cross_entropy(fake, 1.0)


def hinge_discriminator_loss(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """mean relu(1 - real) + mean relu(1 + fake)."""
    return tf.reduce_mean(tf.nn.relu(1.0 - real)) + tf.reduce_mean(tf.nn.relu(1.0 + fake))


def critic_discriminator_loss(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Wasserstein: -mean real + mean fake; Arjovsky et al., 2017, arXiv:1701.07875."""
    return tf.reduce_mean(fake) - tf.reduce_mean(real)


def critic_generator_loss(fake: tf.Tensor) -> tf.Tensor:
    return -tf.reduce_mean(fake)


def two_sided(norm: tf.Tensor) -> tf.Tensor:
    """mean (norm - 1)^2; Gulrajani et al., 2017, arXiv:1704.00028."""
    return tf.reduce_mean(tf.square(norm - 1.0))


def one_sided(norm: tf.Tensor) -> tf.Tensor:
    """mean max(0, norm - 1)^2; Petzka et al., 2018, arXiv:1709.08894."""
    return tf.reduce_mean(tf.square(tf.nn.relu(norm - 1.0)))


class AdversarialLoss(NamedTuple):
    """A row of the table: what `--gan_type` chooses."""

    discriminator: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # of the logits of real and fake
    generator: Callable[[tf.Tensor], tf.Tensor]  # of the logits of fake
    penalty: Callable[[tf.Tensor], tf.Tensor] | None = None  # of the norms of gradients
    # The least loss of a discriminator that gives all images one logit; None where losses are not
    # bounded. Where they are, it always tells real from fake near 0.
    of_constant: float | None = None


ADVERSARIAL = {
    "gan": AdversarialLoss(gan_discriminator_loss, gan_generator_loss, None, 2 * math.log(2)),
    "lsgan": AdversarialLoss(lsgan_discriminator_loss, lsgan_generator_loss, None, 0.5),
    "wgan-gp": AdversarialLoss(critic_discriminator_loss, critic_generator_loss, two_sided),
    "wgan-lp": AdversarialLoss(critic_discriminator_loss, critic_generator_loss, one_sided),
    "dragan": AdversarialLoss(
        gan_discriminator_loss, gan_generator_loss, two_sided, 2 * math.log(2)
    ),
    "hinge": AdversarialLoss(hinge_discriminator_loss, critic_generator_loss, None, 2.0),
}


def adversarial(name: str) -> AdversarialLoss:
    """Returns the adversarial loss called `name`.

    Raises:
        ValueError: no such loss; the message lists them.
    """
    if name not in ADVERSARIAL:
        raise ValueError(
            f"Unknown `gan_type`. Expected one of {sorted(ADVERSARIAL)}. Received: {name!r}"
        )
    return ADVERSARIAL[name]


TINY = 1e-30  # the root of an exact 0 would have an infinite gradient


def gradient_penalty(
    outputs_of: Callable[[tf.Tensor], list],
    images: tf.Tensor,
    shape_of_norm: Callable[[tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """How far the slope of each output is from 1 at `images`.

    Args:
        outputs_of: function images -> list of tensors with the batch first.
        images: [batch, height, width, channels].
        shape_of_norm: the `penalty` of an `AdversarialLoss`: function of [batch] to scalar.

    Returns:
        Scalar: the sum over the outputs.
    """
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(images)
        # The gradient of a sum over the batch is each sample's own: statistics are per sample.
        sums = [tf.reduce_sum(output) for output in outputs_of(images)]
    total = 0.0
    for value in sums:
        squared = tf.reduce_sum(tf.square(tape.gradient(value, images)), [1, 2, 3])  # [B]
        total += shape_of_norm(tf.sqrt(tf.maximum(squared, TINY)))
    return total


def interpolate(real: tf.Tensor, fake: tf.Tensor, alpha: tf.Tensor | float) -> tf.Tensor:
    """real + alpha * (fake - real); alpha is [batch, 1, 1, 1] or scalar."""
    return real + alpha * (fake - real)


def perturb(real: tf.Tensor, eps: tf.Tensor | float, deviation: tf.Tensor) -> tf.Tensor:
    """The far end of DRAGAN's interpolation; Kodali et al., 2017, arXiv:1705.07215.

    real + 0.5 * deviation * eps, with the standard deviation of all numbers in the batch, and eps
    like `real` or scalar.
    """
    return real + 0.5 * deviation * eps


def l1(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """mean |x - y|."""
    return tf.reduce_mean(tf.abs(x - y))


def cam_loss(source: tf.Tensor, non_source: tf.Tensor) -> tf.Tensor:
    """The generator's class activation map must tell its source domain from its target."""
    return cross_entropy(source, 1.0) + cross_entropy(non_source, 0.0)


def l2(kernels: Sequence[tf.Variable]) -> tf.Tensor:
    """sum w^2 / 2 over all `kernels`."""
    return tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])
