"""What a run warns of: what training itself says, and what only shows over time."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping

from ugatit_tf.config import Config
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.errors import listed
from ugatit_tf.images import image_array
from ugatit_tf.options import names_of
from ugatit_tf.reporting.run import Run
from ugatit_tf.training import guards, history
from ugatit_tf.training.sheets import Pictures

TERMS = ("adversarial", "cycle", "identity", "cam")
WATCHED = (
    *(f"{name}/{term}" for name in DIRECTIONS for term in TERMS),
    "D_A_loss",
    "D_B_loss",
)
JUMP = 4.0  # times the median of the summaries before
BEFORE = 20  # as many summaries
OLD = 5  # measurements without a better one


def warnings(run: Run, samples: Iterable[tuple[int, Mapping[str, Pictures]]]) -> list[str]:
    """Sentences, the gravest first.

    Args:
        samples: (step, direction -> `Pictures`) of some steps.
    """
    return [
        *_not_finite(run),
        *_of_training(run, samples),
        *_jumps(run),
        *_old_best(run),
        *_other_features(run),
    ]


def _not_finite(run):
    bad = {
        tag: line["step"]
        for line in reversed(run.lines)
        for tag, value in line.items()
        if not math.isfinite(value)
    }
    if bad:
        yield (
            f"Step {min(bad.values()):,}: not a finite number: {listed(sorted(bad))}. Start again "
            f"from an earlier checkpoint, with a smaller --lr."
        )


def _of_training(run, samples):
    """What `guards.Monitor` said while the run trained."""
    found: list[str] = []
    monitor = guards.Monitor(run.config.gan_type, found.append)
    for line in run.lines:
        if set(monitor.low_for) <= set(line):
            monitor.check_losses(line["step"], line)
    for step, pictures in samples:
        for one in pictures.values():
            images = (map(image_array.to_float, part) for part in one)
            monitor.check_translations(step, *map(list, images))
    return found


def _jumps(run):
    """The last jump of each watched loss, and how many there were."""
    for tag in WATCHED:
        points = [point for point in run.points(tag) if math.isfinite(point[1])]
        jumps = []
        for place in range(BEFORE, len(points)):
            usual = statistics.median(value for _, value in points[place - BEFORE : place])
            if usual > 0 and points[place][1] > JUMP * usual:
                jumps.append((*points[place], usual))
        if jumps:
            step, value, usual = jumps[-1]
            yield (
                f"Step {step:,}: {tag} was {value:.3g}, {value / usual:.1f} times the median of "
                f"the {BEFORE} summaries before"
                + (f"; {len(jumps)} such summaries in all." if len(jumps) > 1 else ".")
            )


def _old_best(run):
    step, metric = run.best
    later = [s for s, _ in run.points(metric.get("tag", "")) if step is not None and s > step]
    if metric.get("tag", "").startswith(guards.EVALUATED) and len(later) >= OLD:
        yield (
            f"The best {metric['tag']} is of step {step:,}; the {len(later)} measurements since "
            f"then were no better. More steps may not help."
        )


def _other_features(run):
    for change in filter(history.is_change, history.entry(run.about, "changes", list)):
        if change["option"] in names_of(Config, "evaluation"):
            yield (
                f"Step {change['step']}: --{change['option']} was changed; KID before and after "
                f"cannot be compared."
            )
