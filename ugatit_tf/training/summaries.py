"""What TensorBoard shows: losses under their official tags, rho, the learning rate, pictures."""

import os

import tensorflow as tf

PARTS = {
    "gan": "adv_weight",
    "cycle": "cycle_weight",
    "identity": "identity_weight",
    "cam": "cam_weight",
}
SIDES = {"G_A": "b2a", "G_B": "a2b"}  # the official name of a side is the domain it makes


def readable(losses, config):
    """The generators' parts under readable tags, without their weights.

    `a2b/cycle` is the mean difference of pictures in [-1, 1] after there and back; the
    official tag `G_B_cycle` is that times `cycle_weight`.
    """
    return {
        f"{direction}/{part}": losses[f"{side}_{part}"] / getattr(config, weight)
        for side, direction in SIDES.items()
        for part, weight in PARTS.items()
        if f"{side}_{part}" in losses and getattr(config, weight)
    }


HEALTHY = """
What to look for, with numbers from 4500 steps on the built-in faces (64 px, lsgan):

- `D_A_loss`, `D_B_loss`: 2.5 at first, then 1.4 to 1.9 throughout. Near 0 for long: that
  discriminator has won. At 2 for long: it tells nothing apart.
- `a2b/cycle`, `b2a/cycle`: mean differences of pictures in [-1, 1] after there and back; from 0.3
  down to 0.11 and 0.16. `a2b/identity`, `b2a/identity`: from 0.3 and 0.2 to 0.15 and 0.10.
- `a2b/cam`, `b2a/cam`: 1.4 means that the map cannot tell the domains apart; 0.7 after 50 steps,
  0.15 in the end.
- The official tags `G_A_...` and `G_B_...` are the same numbers times their weights. With the
  default `cam_weight` of 1000, `Generator_loss` is mostly that part, and near 1000 at first.
- `rho`: 1 is instance, 0 is layer normalization. It starts at 1 in the adaptive blocks and at 0
  in the upsampling blocks, and spreads.
- The losses do not settle, because both sides learn. Judge by the pictures under `samples`.
"""


class Summaries:
    """Writes TensorBoard summaries of one run into `folder`."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)  # an OSError, where TensorFlow has errors of its own
        self.writer = tf.summary.create_file_writer(folder)

    def text(self, step):
        """What healthy curves look like."""
        with self.writer.as_default(step):
            tf.summary.text("how to read this", HEALTHY)

    def scalars(self, step, values):
        """Args: values: dict tag -> number."""
        with self.writer.as_default(step):
            for tag, value in values.items():
                tf.summary.scalar(tag, value)

    def rho(self, step, weights):
        """Histogram, smallest, largest and mean of every rho, as in the official program."""
        with self.writer.as_default(step):
            for path, weight in weights.items():
                if path.endswith("/rho"):
                    tf.summary.histogram(path, weight)
                    tf.summary.scalar(f"{path}_min", tf.reduce_min(weight))
                    tf.summary.scalar(f"{path}_max", tf.reduce_max(weight))
                    tf.summary.scalar(f"{path}_mean", tf.reduce_mean(weight))

    def picture(self, step, tag, image):
        """Args: image: uint8 [height, width, 3]."""
        with self.writer.as_default(step):
            tf.summary.image(tag, image[None])
        self.writer.flush()

    def close(self):
        self.writer.close()
