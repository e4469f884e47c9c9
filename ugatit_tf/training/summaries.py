"""TensorBoard: losses, rho, the learning rate, speed and memory, images."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from ugatit_tf import atomic
from ugatit_tf.config import Config
from ugatit_tf.training.objective import TERMS

# An event in a file: its length and a checksum, the event, another checksum.
HEADER, FOOTER = struct.Struct("<QI"), struct.Struct("<I")

HEALTHY = """
Every number is the mean since the summary before. What to look for, with numbers from a run of
4000 steps on the built-in faces (64 px, lsgan, the weights of `--preset texture`):

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


def weighted(losses: Mapping[str, float], config: Config) -> dict[str, float]:
    """The terms times their weights, as they enter the sum, under `..._weighted`."""
    terms = {}
    for tag, value in losses.items():
        group, _, term = tag.partition("/")
        if group in ("a2b", "b2a"):
            terms[f"{tag}_weighted"] = getattr(config, TERMS[term].weight) * value
        elif group in ("discriminator_a", "discriminator_b"):
            penalty = config.GP_ld if term == "penalty" else 1.0
            terms[f"{tag}_weighted"] = config.adv_weight * penalty * value
    return terms


class TensorBoard:
    """The event files of one run, all in `folder`. Nothing is written before `open`."""

    def __init__(self, folder: str) -> None:
        self.folder, self.writer = folder, None

    def cut(self, step: int) -> None:
        """Removes the events after `step`, which a killed process wrote; -1 removes all.

        The events of a file are in the order of their steps, so each file is truncated once.
        Files before the last start were cut when that process started.
        """
        for path in reversed(_event_files(self.folder)):
            length = _length_until(path, step)
            if length == os.path.getsize(path):
                break
            os.truncate(path, length)

    def open(self) -> None:
        """Starts a new event file."""
        os.makedirs(self.folder, exist_ok=True)  # an OSError, where TensorFlow has its own errors
        self._earlier = set(_event_files(self.folder))
        self.writer = tf.summary.create_file_writer(os.fsencode(self.folder))

    def text(self, step: int) -> None:
        """What healthy curves look like."""
        with self.writer.as_default(step):
            tf.summary.text("how to read this", HEALTHY)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes numbers: dict tag -> number."""
        with self.writer.as_default(step):
            for tag, value in values.items():
                tf.summary.scalar(tag, value)

    def rho(self, step: int, weights: Mapping[str, tf.Variable]) -> None:
        """Histogram, smallest, largest and mean of each rho, as in the official program."""
        with self.writer.as_default(step):
            for path, weight in weights.items():
                tf.summary.histogram(f"rho/{path}", weight)
                tf.summary.scalar(f"rho/{path}_min", tf.reduce_min(weight))
                tf.summary.scalar(f"rho/{path}_max", tf.reduce_max(weight))
                tf.summary.scalar(f"rho/{path}_mean", tf.reduce_mean(weight))

    def image(self, step: int, tag: str, image: np.ndarray) -> None:
        """Writes an image: uint8 [height, width, 3]."""
        with self.writer.as_default(step):
            tf.summary.image(tag, image[None])
        self.writer.flush()

    def sync(self) -> None:
        """Waits until the disk has all events."""
        self.writer.flush()
        for path in set(_event_files(self.folder)) - self._earlier:
            atomic.sync(path)

    def close(self) -> None:
        """Ends the event file, if one was opened."""
        if self.writer:
            self.writer.close()


def _event_files(folder: str) -> list[str]:
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return [os.path.join(folder, name) for name in names if ".tfevents." in name]


def _length_until(path: str, step: int) -> int:
    """How many bytes at the start of an event file are whole events of steps up to `step`."""
    length = 0
    with open(path, "rb") as file:
        while len(header := file.read(HEADER.size)) == HEADER.size:
            size, _ = HEADER.unpack(header)
            content = file.read(size)
            if len(content) < size or len(file.read(FOOTER.size)) < FOOTER.size:
                break  # it was being written when the process died
            event = tf.compat.v1.Event.FromString(content)
            is_first = bool(event.file_version)  # every file starts with it, as of step 0
            if event.step > step and not is_first:
                break
            length += HEADER.size + size + FOOTER.size
    return length
