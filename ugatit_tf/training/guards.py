"""Stops a run that has gone wrong, and warns of one that is going wrong."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Callable

import numpy as np

from ugatit_tf.errors import Failure, reason
from ugatit_tf.lazy import tf
from ugatit_tf.losses import adversarial
from ugatit_tf.training import checkpoints

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOG = logging.getLogger(__name__)
LOCK = ".lock"
WON = 0.02  # a discriminator's loss below this tells real from fake without doubt ...
WON_FOR = 20  # ... and this many summaries in a row are no accident
IDLE, IDLE_FOR = 0.01, 50  # so close to the loss of a constant, for so many summaries
TERMS = ("local", "local_cam", "global", "global_cam")  # of a discriminator
COLLAPSED = 1 / 127.5  # mean difference of translations that look alike: one level of 255
EVALUATED = "eval/"  # how tags of evaluations begin
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SMALLER = (
    "Use --light True, --recompute True, a smaller --img_size, --ch or "
    "--batch_size, or fewer --n_res; the weights of the full model alone take 11 GB with their "
    "optimizers."
)


@contextlib.contextmanager
def only_one(run_folder: str) -> Iterator[None]:
    """Locks the run folder for this process; the lock ends with the process, however that ends.

    Raises:
        Failure: another process trains in it.
    """
    with open(os.path.join(run_folder, LOCK), "w") as lock:
        try:
            if fcntl:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(
                f"Another process is training in {run_folder}. Wait for it, stop it, or start "
                f"another run with --run NAME."
            ) from None
        yield


@contextlib.contextmanager
def shortage_explained(run_folder: str) -> Iterator[None]:
    """Explains the errors of Python and TensorFlow where memory or disk space is short.

    Raises:
        Failure: the memory is not enough, or the disk is full.
    """
    try:
        yield
    except (tf.errors.OpError, MemoryError, OSError) as error:
        if _is_disk_error(error):
            raise Failure(
                f"The disk is full: {reason(error)}. The checkpoints in {run_folder} are whole. "
                f"Free some space, then start the same command again to continue."
            ) from None
        if isinstance(error, (tf.errors.ResourceExhaustedError, MemoryError)):
            raise Failure(f"The memory is not enough for these options. {SMALLER}") from None
        raise


@contextlib.contextmanager
def lost_worker_explained(run_folder: str, workers: int) -> Iterator[None]:
    """Explains the errors of TensorFlow where another of several workers is gone.

    Raises:
        Failure: a worker died, or does not answer TensorFlow's health checks.
    """
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError):
        if workers == 1:
            raise
        raise Failure(
            f"Another worker has stopped, or cannot be reached any more; its own output may say "
            f"why. This one stops too. Start all of them again, in any number: they continue from "
            f"the newest checkpoint in {run_folder}."
        ) from None


def _is_disk_error(error: Exception) -> bool:
    """TensorFlow's own errors have no errno, but the system's words."""
    return any(os.strerror(number) in str(error) for number in DISK_ERRORS)


def check_finite(
    step: int,
    scalars: Mapping[str, tf.Tensor],
    image_names: Callable[[int], list[str]],
    run_folder: str,
) -> None:
    """Stops the run where a loss or a gradient is infinite or not a number.

    Args:
        scalars: what `Trainer.step` returned.
        image_names: function of a step to the names of its images.

    Raises:
        Failure: names the terms, the images and the newest checkpoint.
    """
    if bool(scalars["finite"]):  # waits for the device, as reading the step's number does anyway
        return
    bad = [tag for tag, value in scalars.items() if not np.isfinite(float(value))]
    terms = sorted(tag for tag in bad if "/" in tag) or sorted(bad)  # rather than their sums
    culprits = ", ".join(terms) if terms else "a gradient, though all losses are finite"
    saved = checkpoints.saved(run_folder)
    advice = "No checkpoint was written before."
    if saved:
        advice = (
            f"{saved[max(saved)]} was written before; if a run from there fails at once, move "
            f"that folder elsewhere to start from the checkpoint before it."
        )
    raise Failure(
        f"Step {step}: not a finite number: {culprits}. Images: {', '.join(image_names(step))}. "
        f"Nothing of this step was saved. {advice} Try a smaller --lr; if it happens at the same "
        f"step again, look at these images."
    )


def check_best_by(best_by: str, scalars: Mapping[str, tf.Tensor]) -> None:
    """Stops the run where `best_by` names neither a loss of a step nor an evaluation.

    Raises:
        Failure: lists the losses.
    """
    if not best_by or best_by in scalars or best_by.startswith(EVALUATED):
        return
    if "Generator_loss" in scalars:  # else the generators were not updated in this step
        tags = ", ".join(sorted(tag for tag in scalars if tag != "finite"))
        raise Failure(f"--best_by {best_by} is no number of this run. These are: {tags}")


class Monitor:
    """Warns once of each discriminator that has won or learns nothing, and of collapsed generators.

    Args:
        gan_type: a key of `losses.ADVERSARIAL`.
        warn: function of a message; without it messages go to the log.
    """

    def __init__(self, gan_type: str, warn: Callable[[str], object] = LOG.warning) -> None:
        self.warn = warn
        self.of_constant = adversarial(gan_type).of_constant
        self.low_for: dict[str, int] = {"D_A_loss": 0, "D_B_loss": 0}  # summaries in a row
        self.idle_for: dict[str, int] = {"discriminator_a": 0, "discriminator_b": 0}
        self.warned: set[str] = set()

    def check_losses(self, step: int, losses: Mapping[str, float]) -> None:
        """Checks the losses of a summary."""
        if self.of_constant is None:
            return
        for tag in self.low_for:
            self.low_for[tag] = self.low_for[tag] + 1 if float(losses[tag]) < WON else 0
            if self.low_for[tag] >= WON_FOR:
                self._warn(
                    tag,
                    f"Step {step}: {tag} has been below {WON} for {WON_FOR} summaries: this "
                    f"discriminator always tells real from fake, and its generator learns no "
                    f"more from it. Try more or more varied images, --augment_flag True, "
                    f"--sn True, or a smaller --discriminator_lr.",
                )
        for name in self.idle_for:
            tags = (f"{name}/{term}" for term in TERMS)
            parts = [float(losses[tag]) / self.of_constant for tag in tags if tag in losses]
            is_idle = parts and all(abs(part - 1) < IDLE for part in parts)
            self.idle_for[name] = self.idle_for[name] + 1 if is_idle else 0
            if self.idle_for[name] >= IDLE_FOR:
                self._warn(
                    name,
                    f"Step {step}: all terms of {name} have been within {IDLE:.0%} of "
                    f"{self.of_constant:.3g}, the value of a constant, for {IDLE_FOR} summaries: "
                    f"it does not tell real from fake, and its generator learns nothing from it. "
                    f"If this lasts, start again with --sn True, a larger --discriminator_lr (see "
                    f"docs/training.md) or another --ch.",
                )

    def check_translations(
        self, step: int, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]
    ) -> None:
        """Checks what different images, arrays in [-1, 1], were translated into."""
        if len(outputs) > 1 and _spread(outputs) < COLLAPSED <= _spread(inputs):
            self._warn(
                "collapsed",
                f"Step {step}: different images are translated into the same one. If this "
                f"lasts, start again with a smaller --lr, or with a larger --cycle_weight.",
            )

    def _warn(self, topic: str, message: str) -> None:
        if topic not in self.warned:
            self.warned.add(topic)
            self.warn(message)


def _spread(images: Sequence[np.ndarray]) -> float:
    """The mean difference between neighbours in the list."""
    return np.mean([np.mean(np.abs(x - y)) for x, y in zip(images, images[1:])])
