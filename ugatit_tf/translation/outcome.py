"""What became of the images or frames of a request, and how it is said."""

import dataclasses
import os

from ugatit_tf.data import presence
from ugatit_tf.errors import Failure


@dataclasses.dataclass
class Outcome:
    """What became of the images of a request."""

    translated: int = 0
    failed: list = dataclasses.field(default_factory=list)  # of (name, reason)
    without_face: list = dataclasses.field(default_factory=list)  # names
    tiled: list = dataclasses.field(default_factory=list)  # names
    stilled: list = dataclasses.field(default_factory=list)  # names of those that move
    scales: tuple = ()  # the smallest and the largest `Fit.scale`; empty where there is none
    seconds: float = 0.0
    report: str = ""


def keeps(model, request):
    """Whether images keep their shape for the networks."""
    return request.fit == "keep" or (request.fit == "auto" and model.any_size)


def scale_text(model, request, scales) -> str:
    """At which scale the networks saw the images.

    Args:
        scales: (smallest, largest) `Fit.scale`.
    """
    low, high = (f"{scale:.3g}" for scale in scales)
    text = f"at scale {low}" if low == high else f"at scales from {low} to {high}"
    if scales[0] < 1 and keeps(model, request) and not (request.size or request.face):
        text += f" (training size {model.size} px; --size native keeps the source's own scale)"
    return text


def widened(scales, scale):
    """The (smallest, largest) of `scales` and one more."""
    return (min(scales[0], scale), max(scales[1], scale)) if scales else (scale, scale)


def note_removed(outcome, jobs):
    """Counts as failed what was written and is not there: its folder was removed meanwhile."""
    failed = {name for name, _ in outcome.failed}
    for job in jobs:
        if job.name not in failed and not os.path.lexists(job.target):
            outcome.translated -= 1
            outcome.failed.append((job.name, f"its result was removed meanwhile: {job.target}"))


def raise_failures(outcome):
    """A `Failure` that names what failed, if anything did."""
    if outcome.failed:
        named = "\n".join(
            f"  {presence.printable(name)}: {reason}" for name, reason in outcome.failed
        )
        raise Failure(f"{len(outcome.failed)} could not be translated:\n{named}")
