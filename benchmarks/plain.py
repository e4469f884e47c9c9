"""A plain training step: what the official TensorFlow 1 graph does, written in TensorFlow 2.

The yardstick of the benchmarks. It takes the same weights and computes the same numbers as
`ugatit_tf.training.step`, without any of its savings: every image goes through a network of
its own, the fakes are made once for each of the two updates, every pass normalizes its kernels.
Float32 only. What has no weight and no map (the losses of logits) is shared with the program.

    python -m benchmarks.plain FOLDER...

compares it with the official graph's numbers, as `python -m tests.fidelity` does for ours.
"""

import sys

import tensorflow as tf

from benchmarks.plain_networks import plain_model
from ugatit_tf import losses
from ugatit_tf.interchange import official_tf
from ugatit_tf.networks.model import build_model
from ugatit_tf.training import rewriting
from ugatit_tf.training.optimizer import learning_rate

WEIGHT_DECAY = 1e-4
BETA_1, BETA_2, EPSILON = 0.5, 0.999, 1e-8


class PlainTrainer:
    """Trains `weights` as `config` says; in use like `ugatit_tf.training.step.Trainer`.

    Args:
        weights: dict path -> tf.Variable, as `UGATIT.weights()` gives it. They are changed.
        config: Config.
    """

    def __init__(self, weights, config):
        self.model = plain_model(weights, config)
        self.config = config
        self.discriminator_loss, self.generator_loss, self.penalty, _ = losses.adversarial(
            config.gan_type
        )
        self.generator_optimizer = Adam(_trained(weights, of_discriminators=False))
        self.discriminator_optimizer = Adam(_trained(weights, of_discriminators=True))
        self.steps_done = 0
        self._step = tf.function(self._iteration)

    def step(self, real_a, real_b, alpha=None, eps=None) -> dict:
        """Runs one iteration. Arguments and result as those of `Trainer.step`."""
        rate = tf.constant(learning_rate(self.steps_done, self.config), tf.float32)
        both = self.steps_done % self.config.n_critic == 0
        self.steps_done += 1
        with rewriting.only_for_gpu():  # as ours
            return self._step(real_a, real_b, rate, alpha, eps, both)

    def losses_and_gradients(self, real_a, real_b, alpha=None, eps=None):
        """(dict tag -> loss, dict path -> gradient) at the present weights; changes nothing."""
        images = real_a, real_b
        discriminator, gradients = self._look_at_discriminators(*images, alpha, eps, False)
        generator, more = self._look_at_generators(*images, False)
        return {**discriminator, **generator}, {**gradients, **more}

    def _iteration(self, real_a, real_b, rate, alpha, eps, both):
        parts, gradients = self._look_at_discriminators(real_a, real_b, alpha, eps, True)
        self.discriminator_optimizer.apply(gradients, rate)
        if not both:
            return parts
        more, gradients = self._look_at_generators(real_a, real_b, True)
        self.generator_optimizer.apply(gradients, rate)
        return {**parts, **more}

    def _look_at_discriminators(self, real_a, real_b, alpha, eps, training):
        model, optimizer = self.model, self.discriminator_optimizer
        fake_a, fake_b = model.b2a(real_b).image, model.a2b(real_a).image
        sides = {
            "D_A_loss": (model.discriminator_a, real_a, fake_a),
            "D_B_loss": (model.discriminator_b, real_b, fake_b),
        }
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(list(optimizer.weights.values()))
            parts = {tag: self._judge(*side, alpha, eps, training) for tag, side in sides.items()}
            parts["Discriminator_loss"] = sum(parts.values()) + _decay(optimizer.weights)
        return parts, _gradients(tape, parts["Discriminator_loss"], optimizer.weights)

    def _judge(self, discriminator, real, fake, alpha, eps, training):
        of_real = _logits(discriminator(real, training))
        of_fake = _logits(discriminator(fake, training))
        value = sum(map(self.discriminator_loss, of_real, of_fake))
        if self.penalty:
            if alpha is None:
                alpha = tf.random.uniform([real.shape[0], 1, 1, 1])
            if self.config.gan_type == "dragan":
                eps = tf.random.uniform(real.shape) if eps is None else eps
                fake = losses.perturb(real, eps, tf.math.reduce_std(real))
            value += self.config.GP_ld * losses.gradient_penalty(
                lambda images: _logits(discriminator(images, training)),
                losses.interpolate(real, fake, alpha),
                self.penalty,
            )
        return self.config.adv_weight * value

    def _look_at_generators(self, real_a, real_b, training):
        optimizer = self.generator_optimizer
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(list(optimizer.weights.values()))
            parts = self._generator_losses(real_a, real_b, training)
            total = parts["G_A_loss"] + parts["G_B_loss"]
            parts["Generator_loss"] = total + _decay(optimizer.weights)
        return parts, _gradients(tape, parts["Generator_loss"], optimizer.weights)

    def _generator_losses(self, real_a, real_b, training):
        config, model = self.config, self.model
        to_b, to_a = model.a2b(real_a), model.b2a(real_b)
        cycled_a, cycled_b = model.b2a(to_b.image).image, model.a2b(to_a.image).image
        same_a, same_b = model.b2a(real_a), model.a2b(real_b)
        sides = {  # the name of a side is the domain that it makes
            "G_A": (model.discriminator_a, to_a, cycled_b, real_b, same_a, real_a),
            "G_B": (model.discriminator_b, to_b, cycled_a, real_a, same_b, real_b),
        }
        parts = {}
        for side, (discriminator, made, cycled, source, same, target) in sides.items():
            judged = _logits(discriminator(made.image, training))
            weighted = {
                "gan": config.adv_weight * sum(map(self.generator_loss, judged)),
                "cycle": config.cycle_weight * losses.l1(cycled, source),
                "identity": config.identity_weight * losses.l1(same.image, target),
                "cam": config.cam_weight * losses.cam_loss(made.cam_logit, same.cam_logit),
            }
            parts[f"{side}_loss"] = sum(weighted.values())
            parts.update({f"{side}_{name}": value for name, value in weighted.items()})
        return parts


class Adam:
    """TensorFlow 1's Adam: one kernel for each weight; then every rho is clipped to [0, 1]."""

    def __init__(self, weights):
        self.weights = weights
        self.m = {path: tf.Variable(tf.zeros_like(w)) for path, w in weights.items()}
        self.v = {path: tf.Variable(tf.zeros_like(w)) for path, w in weights.items()}
        self.beta_1_power, self.beta_2_power = tf.Variable(BETA_1), tf.Variable(BETA_2)

    def apply(self, gradients, rate):
        for path, weight in self.weights.items():
            tf.raw_ops.ResourceApplyAdam(
                var=weight.handle,
                m=self.m[path].handle,
                v=self.v[path].handle,
                beta1_power=self.beta_1_power,
                beta2_power=self.beta_2_power,
                lr=rate,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=EPSILON,
                grad=gradients[path],
            )
            if path.endswith("/rho"):
                weight.assign(tf.clip_by_value(weight, 0.0, 1.0))
        self.beta_1_power.assign(self.beta_1_power * BETA_1)
        self.beta_2_power.assign(self.beta_2_power * BETA_2)

    def state(self) -> dict:
        """The same names as those of `ugatit_tf.training.optimizer.Adam`."""
        return {
            "beta_1_power": self.beta_1_power,
            "beta_2_power": self.beta_2_power,
            **{f"m/{path}": slot for path, slot in self.m.items()},
            **{f"v/{path}": slot for path, slot in self.v.items()},
        }


def loaded(config, prefix):
    """A plain trainer whose weights and optimizers hold the official checkpoint at `prefix`."""
    trainer = PlainTrainer(build_model(config).weights(), config)
    official_tf.restore(
        trainer.model, prefix, (trainer.generator_optimizer, trainer.discriminator_optimizer)
    )
    return trainer


def _trained(weights, *, of_discriminators):
    return {
        path: weight
        for path, weight in weights.items()
        if path.startswith("discriminator") == of_discriminators and not path.endswith("/u")
    }


def _decay(weights):
    return WEIGHT_DECAY * losses.l2([w for path, w in weights.items() if path.endswith("/kernel")])


def _gradients(tape, target, weights):
    return dict(zip(weights, tape.gradient(target, list(weights.values()))))


def _logits(judgements):
    """The four logit tensors of a discriminator: patch and CAM, local and global."""
    return [logit for judged in judgements for logit in (judged.logit, judged.cam_logit)]


if __name__ == "__main__":
    from tests import fidelity

    rewriting.leave_out_remapping()
    sys.exit(fidelity.main(sys.argv[1:], loaded))
