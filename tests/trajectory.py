"""Judges the losses of several iterations, which no single tolerance can judge.

A ReLU that falls on the other side, or a first step of Adam along a gradient of nothing but
rounding, makes two runs of one program part; a few iterations on, a loss tells which way each
took. So a number that is over the tolerance is judged by an ensemble: runs of this program on
images with noise of the size of rounding.
"""

import numpy as np
import tensorflow as tf

from tests.tolerances import rounding

TOLERANCE = 2e-4  # relative, where the ensemble excuses nothing
FACTOR = 3.0  # distance of the official number from the mean, in largest distances of a member
MEMBERS = 8
NOISE = rounding(16)  # thirty layers' roundings come to between 6, their root, and 30, their sum
# Nothing is excused before the first update of both kinds, nor an error larger than this part of
# the loss' largest value, however far the members lie apart.
EXCUSED_FROM, LARGEST_EXCUSED = 1, 0.05

FIXED = 0.5  # alpha and eps of the penalties
KINDS = "Discriminator_loss", "Generator_loss"


def run(trainer, reals, steps):
    """[steps, 2]: the losses of both kinds in each iteration on the same images."""
    reals = [tf.constant(real) for real in reals]
    told = [trainer.step(*reals, alpha=FIXED, eps=FIXED) for _ in range(steps)]
    return np.array([[float(scalars[kind]) for kind in KINDS] for scalars in told]).reshape(-1, 2)


def judge(trajectory, official, ensemble) -> dict:
    """The errors "trajectory" and "ensemble", the latter 0 where the former settles it.

    Args:
        trajectory, official: [steps, 2].
        ensemble: function that returns the trajectories of all members, [MEMBERS, steps, 2]. It
            is called only if what it cannot excuse is within the tolerance, and not all is.
    """
    difference = np.abs(trajectory - official)
    error = difference / np.abs(official)
    excused = (error > TOLERANCE) & (difference <= LARGEST_EXCUSED * np.abs(official).max(0))
    excused[:EXCUSED_FROM] = False
    worst, distance = error[~excused].max(), 0.0
    if worst <= TOLERANCE and excused.any():
        members = ensemble()
        mean = members.mean(0)
        spread = np.abs(members - mean).max(0)
        show(members, official, excused)
        distance = (np.abs(official - mean)[excused] / np.maximum(spread[excused], 1e-30)).max()
    return {"trajectory": worst, "ensemble": distance}


def show(members, official, excused):
    for step, kind in zip(*np.nonzero(excused)):
        runs = members[:, step, kind]
        print(
            f"  {KINDS[kind]} of iteration {step + 1}: official {official[step, kind]:.6g}, "
            f"{len(runs)} runs with noise {runs.min():.6g} to {runs.max():.6g}"
        )


def noisy(images, draw):
    """Images with noise of the size of rounding, from a NumPy generator."""
    images = np.asarray(images)
    return tf.constant(np.float32(images + NOISE * draw.normal(size=images.shape)))


class Start:
    """What a trainer's variables were at first, so that many runs need only one trainer."""

    def __init__(self, trainer):
        self.trainer = trainer
        optimizers = trainer.generator_optimizer, trainer.discriminator_optimizer
        states = [trainer.model.weights(), *(optimizer.state() for optimizer in optimizers)]
        self._variables = [variable for state in states for variable in state.values()]
        self._arrays = [variable.numpy() for variable in self._variables]
        self.weights = dict(zip(states[0], self._arrays))

    def restore(self):
        for variable, array in zip(self._variables, self._arrays):
            variable.assign(array)

    def ensemble(self, reals, steps):
        """[MEMBERS, steps, 2]: runs from here on images with noise."""
        runs = []
        for seed in range(MEMBERS):
            self.restore()
            draw = np.random.default_rng(seed)
            runs.append(run(self.trainer, [noisy(real, draw) for real in reals], steps))
        return np.array(runs)

    def beyond_edges(self, reals, rate) -> float:
        """How far a step takes a rho outwards from 0 or 1, or inwards by more than `rate`.

        No golden has a rho that an update would clip. Here half of each starts at 0, half at 1.
        """
        weights = self.trainer.generator_optimizer.weights
        rhos = [weight for path, weight in weights.items() if path.endswith("/rho")]
        if not rhos:
            return 0.0
        self.restore()
        for rho in rhos:
            rho.assign(np.arange(rho.shape[0]) % 2)
        starts = np.concatenate([rho.numpy() for rho in rhos])
        run(self.trainer, reals, 1)
        ends = np.concatenate([rho.numpy() for rho in rhos])
        return max(0.0, (-ends).max(), (ends - 1).max(), (np.abs(ends - starts) - rate).max())
