"""What TensorBoard shows: losses, rho, the learning rate, speed and memory, images."""

import os
import struct

import tensorflow as tf

from ugatit_tf import atomic
from ugatit_tf.training.objective import TERMS

FRAME = struct.Struct("<QI"), struct.Struct("<I")  # length and checksum before an event, after it


def weighted(losses, config):
    """The terms with their weights, as they enter the sum, under `..._weighted`."""
    found = {}
    for tag, value in losses.items():
        group, _, term = tag.partition("/")
        if group in ("a2b", "b2a"):
            found[f"{tag}_weighted"] = getattr(config, TERMS[term][1]) * value
        elif group in ("discriminator_a", "discriminator_b"):
            penalty = config.GP_ld if term == "penalty" else 1.0
            found[f"{tag}_weighted"] = config.adv_weight * penalty * value
    return found


HEALTHY = """
Every number is the mean since the summary before. What to look for, with numbers from the 4000
steps of `make demo` on the built-in faces (64 px, lsgan):

- `D_A_loss`, `D_B_loss`: 2.2 and 2.0 in the first 100 steps, then 1.2 to 2.0. Near 0 for long:
  that discriminator has won. At 2 for long: it tells nothing apart.
- `a2b/cycle`, `b2a/cycle`: mean differences of images in [-1, 1] after there and back; from 0.21
  and 0.28 down to 0.11 and 0.18. `a2b/identity`, `b2a/identity`: from 0.27 and 0.20 to 0.16 and
  0.11.
- `a2b/cam`, `b2a/cam`: 1.4 means that the map cannot tell the domains apart; 0.82 in the first 100
  steps, 0.12 and 0.25 in the end.
- The official tags `G_A_...` (of b2a) and `G_B_...` (of a2b) are the same numbers times their
  weights, as are the tags that end in `_weighted`. With the default `cam_weight` of 1000,
  `Generator_loss` is mostly that part: near 2800 in the first steps, 1.4 for each direction.
- `rho`: 1 is instance, 0 is layer normalization. It starts at 1 in the adaptive blocks and at 0
  in the upsampling blocks, and spreads.
- The losses do not settle, because both sides learn. Judge by the images under `samples`.
"""


class Summaries:
    """Writes TensorBoard summaries of one run into `folder`."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)  # an OSError, where TensorFlow has errors of its own
        self.folder, self.before = folder, set(_event_files(folder))
        self.writer = tf.summary.create_file_writer(os.fsencode(folder))

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
                    tf.summary.histogram(f"rho/{path}", weight)
                    tf.summary.scalar(f"rho/{path}_min", tf.reduce_min(weight))
                    tf.summary.scalar(f"rho/{path}_max", tf.reduce_max(weight))
                    tf.summary.scalar(f"rho/{path}_mean", tf.reduce_mean(weight))

    def images(self, step, tag, image):
        """Args: image: uint8 [height, width, 3]."""
        with self.writer.as_default(step):
            tf.summary.image(tag, image[None])
        self.writer.flush()

    def sync(self):
        """Waits until the disk has all that was written."""
        self.writer.flush()
        for path in set(_event_files(self.folder)) - self.before:
            atomic.sync(path)

    def close(self):
        self.writer.close()


def cut(folder, step):
    """Removes what a killed process wrote after its last checkpoint, of `step`; -1 is none.

    The events of a file are in the order of their steps, so each file is cut off at one place;
    files from before the last start have been cut then.
    """
    for path in reversed(_event_files(folder)):
        kept = _length_until(path, step)
        if kept == os.path.getsize(path):
            break
        os.truncate(path, kept)


def _event_files(folder):
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return [os.path.join(folder, name) for name in names if ".tfevents." in name]


def _length_until(path, step):
    """How many bytes at the start of an event file are whole events of steps up to `step`."""
    before, after = FRAME
    length = 0
    with open(path, "rb") as file:
        while len(head := file.read(before.size)) == before.size:
            size, _ = before.unpack(head)
            event = file.read(size)
            if len(event) < size or len(file.read(after.size)) < after.size:
                break  # it was being written when the process died
            told = tf.compat.v1.Event.FromString(event)
            if told.step > step and not told.file_version:  # that begins every file, as of step 0
                break
            length += before.size + size + after.size
    return length
