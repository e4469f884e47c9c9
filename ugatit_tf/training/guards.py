"""What stops a run that has gone wrong, and what warns of one that is going wrong."""

import contextlib
import errno
import logging
import os

import numpy as np

from ugatit_tf.errors import Failure
from ugatit_tf.lazy import tf

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOG = logging.getLogger(__name__)
LOCK = ".lock"
WON = 0.02  # a discriminator's loss below this tells real from fake without doubt ...
WON_FOR = 20  # ... and this many summaries in a row are no accident
BOUNDED = ("lsgan", "gan", "dragan", "hinge")  # losses that are at least 0
COLLAPSED = 1 / 127.5  # mean difference of translations that look alike: one level of 255
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SMALLER = (
    "Use --light True, --recompute True, a smaller --img_size, --ch or "
    "--batch_size, or fewer --n_res; the weights of the full model alone take 11 GB with their "
    "optimizers."
)


@contextlib.contextmanager
def only_one(run_folder):
    """Holds the run folder for this process. It is free again when the process ends, however.

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
def shortage_explained(run_folder):
    """Turns what Python and TensorFlow raise where memory or disk end into what helps.

    Raises:
        Failure: the memory is not enough, or the disk is full.
    """
    try:
        yield
    except (tf.errors.OpError, MemoryError, OSError) as error:
        if _is_of_disk(error):
            raise Failure(
                f"The disk is full: {str(error).splitlines()[0]}. The checkpoints in {run_folder} "
                f"are whole. Free some space, then the same command goes on."
            ) from None
        if isinstance(error, (tf.errors.ResourceExhaustedError, MemoryError)):
            raise Failure(f"The memory is not enough for these options. {SMALLER}") from None
        raise


@contextlib.contextmanager
def lost_worker_explained(run_folder, workers):
    """Turns what TensorFlow raises where another of several workers is gone into what helps.

    Raises:
        Failure: a worker died, or does not answer TensorFlow's checks of health.
    """
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError):
        if workers == 1:
            raise
        raise Failure(
            f"Another worker has stopped, or cannot be reached any more; its own output may say "
            f"why. This one stops too. Start all of them again, in any number: they go on from "
            f"the newest checkpoint in {run_folder}."
        ) from None


def _is_of_disk(error):
    """TensorFlow's own errors have no errno, but the system's words."""
    return any(os.strerror(number) in str(error) for number in DISK_ERRORS)


def check_finite(step, scalars, images, newest):
    """Stops the run where a loss or a gradient is infinite or not a number.

    Args:
        scalars: what `Trainer.step` returned.
        images: function () -> the names of the images of this step.
        newest: function () -> the path of the newest checkpoint, or None.

    Raises:
        Failure: names the terms and the images.
    """
    if bool(scalars["finite"]):
        return
    bad = [tag for tag, value in scalars.items() if not np.isfinite(float(value))]
    terms = sorted(tag for tag in bad if "/" in tag) or sorted(bad)  # rather than their sums
    what = ", ".join(terms) if terms else "a gradient, though all losses are finite"
    path = newest()
    told = "No checkpoint was written before."
    if path:
        told = f"{path} is from before it; if going on from there fails at once, move that folder"
        told += " elsewhere to go on from the one before."
    raise Failure(
        f"Step {step}: not a finite number: {what}. Images: {', '.join(images())}. Nothing "
        f"of this step was saved. {told} Try a smaller --lr; if it happens at the same step "
        f"again, look at these images."
    )


class Watch:
    """Warns once of a discriminator that has won and of a generator that has collapsed."""

    def __init__(self, gan_type):
        self.bounded = gan_type in BOUNDED
        self.low = {"D_A_loss": 0, "D_B_loss": 0}
        self.warned = set()

    def losses(self, step, scalars):
        """Looks at the losses of a summary."""
        for tag in self.low if self.bounded else ():
            self.low[tag] = self.low[tag] + 1 if float(scalars[tag]) < WON else 0
            if self.low[tag] >= WON_FOR:
                self._warn(
                    tag,
                    f"Step {step}: {tag} has been below {WON} for {WON_FOR} summaries: this "
                    f"discriminator always tells real from fake, and its generator learns no "
                    f"more from it. Try more or more varied images, --augment_flag True, "
                    f"--sn True, or a smaller --lr.",
                )

    def translations(self, step, sources, images):
        """Looks at what different images became: lists of arrays in [-1, 1]."""
        if len(images) > 1 and _spread(images) < COLLAPSED <= _spread(sources):
            self._warn(
                "collapsed",
                f"Step {step}: different images are translated into the same one. If this "
                f"lasts, start again with a smaller --lr, or with a larger --cycle_weight.",
            )

    def _warn(self, what, message):
        if what not in self.warned:
            self.warned.add(what)
            LOG.warning(message)


def _spread(images):
    """The mean difference between neighbours in the list."""
    return np.mean([np.mean(np.abs(x - y)) for x, y in zip(images, images[1:])])
