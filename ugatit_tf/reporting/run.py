"""What a run folder and its samples tell of a run, as far as they are written and whole."""

from __future__ import annotations

import dataclasses
import math
import os
from typing import Any

from ugatit_tf.config import CONFIG_FILE, Config
from ugatit_tf.config_file import read_about
from ugatit_tf.errors import Failure
from ugatit_tf.options import LARGEST_COUNT
from ugatit_tf.training import budget, checkpoints, history, sheets

MOST_STEPS = LARGEST_COUNT**2  # that the options allow
RECENT = 10  # summaries whose speed is that of the steps to come


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that trains, or has trained.

    Attributes:
        config: its options; without `is_recorded`, only its name and folders are known.
        is_recorded: whether config.json is there, which comes with the first checkpoint.
        about: what config.json says besides the options.
        lines: of the history: a whole "step" and floats, in the order of their steps.
        sheets: step -> path of a sample sheet.
        best: (step, metric) of the best checkpoint, or (None, {}).
    """

    config: Config
    is_recorded: bool
    about: dict[str, Any]
    lines: list[dict[str, float]]
    sheets: dict[int, str]
    best: tuple[int | None, dict[str, Any]]

    @property
    def steps(self) -> int:
        """How many steps are known to be done."""
        saved = checkpoints.saved(self.config.run_folder)
        return max([0, *saved, *self.sheets, *(line["step"] for line in self.lines)])

    @property
    def counts(self) -> tuple[int, int]:
        """Training images of A and of B; as many as a sheet shows where that is not known."""
        dataset = history.entry(self.about, "dataset", dict)
        counts = (
            history.entry(dataset, name, dict).get("pictures") for name in ("trainA", "trainB")
        )
        return tuple(count if isinstance(count, int) else sheets.ROWS for count in counts)

    def points(self, tag: str) -> list[tuple[int, float]]:
        """(step, value) of a number of the history; it may be infinite or not a number."""
        return [(line["step"], line[tag]) for line in self.lines if tag in line]

    def seconds(self) -> float:
        """The seconds of all steps in the history, without what is written between steps."""
        points = [p for p in self.points("seconds_per_step") if math.isfinite(p[1])]
        before = [0, *(step for step, _ in points)]
        return sum((step - last) * seconds for last, (step, seconds) in zip(before, points))

    def used_seconds(self) -> float:
        """The seconds that it has trained, with all that it wrote, as far as that is noted."""
        folder = self.config.run_folder
        last = max(checkpoints.saved(folder), default=0)
        hours = [hours for _, hours in self.points("hours") if math.isfinite(hours)]
        return max([budget.used_seconds(folder, last), *(3600 * hour for hour in hours)])

    def seconds_per_step(self) -> float | None:
        """The mean of the `RECENT` summaries, weighted alike; None without one."""
        recent = [s for _, s in self.points("seconds_per_step") if math.isfinite(s)][-RECENT:]
        return sum(recent) / len(recent) if recent else None


def read(config: Config) -> Run:
    """Reads a run, also while it trains.

    Raises:
        Failure: there is none.
        ConfigError: its config.json is damaged.
    """
    folder = config.run_folder
    _, about = read_about(folder)
    lines: dict[int, dict] = {}
    for line in history.read(folder):
        if _has_step(line):  # a measurement and a summary of one step are two lines
            lines.setdefault(line["step"], {"step": line["step"]}).update(_numbers(line))
    samples = sheets.saved(os.path.join(config.sample_dir, config.run_name))
    is_recorded = os.path.exists(os.path.join(folder, CONFIG_FILE))
    if not (is_recorded or lines or samples):
        raise Failure(
            f"There is no run in {folder}. Expected its config.json or history.jsonl, which "
            f"training writes. Use --run and --checkpoint_dir to say where it is."
        )
    path, metric = checkpoints.best(folder)
    best = int(os.path.basename(path).rpartition("_")[2]) if path else None
    return Run(
        config, is_recorded, about, [lines[step] for step in sorted(lines)], samples, (best, metric)
    )


def _has_step(line):
    return isinstance(line.get("step"), int) and 0 <= line["step"] <= MOST_STEPS


def _numbers(line):
    """The numbers of a line but its step, as floats."""
    return {
        tag: float(value) if isinstance(value, float) or abs(value) <= MOST_STEPS else math.inf
        for tag, value in line.items()
        if isinstance(value, (int, float)) and tag != "step"
    }
