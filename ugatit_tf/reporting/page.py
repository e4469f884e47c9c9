"""The page of a run, from its config.json, its history and its samples alone."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator

from ugatit_tf import threads
from ugatit_tf.config import KID, VERSION, Config
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.errors import Failure, counted
from ugatit_tf.flavors import FLAVORS
from ugatit_tf.images import curves, image_file, run_page, trend
from ugatit_tf.images.comparison import Table
from ugatit_tf.images.errors import UnreadableImage
from ugatit_tf.images.run_page import Samples, strip
from ugatit_tf.reporting import health
from ugatit_tf.reporting import run as runs
from ugatit_tf.reporting.run import Run
from ugatit_tf.training import history, sheets

BOTH = {name: direction.title for name, direction in DIRECTIONS.items()}
CHARTS = {  # title -> tag -> name of its line
    "Adversarial loss": {f"{name}/adversarial": title for name, title in BOTH.items()},
    "Discriminators": {"D_A_loss": "of A", "D_B_loss": "of B"},
    "Cycle loss": {f"{name}/cycle": title for name, title in BOTH.items()},
    "Identity loss": {f"{name}/identity": title for name, title in BOTH.items()},
    "Class activation (CAM) loss": {f"{name}/cam": title for name, title in BOTH.items()},
    "Seconds per step": {"seconds_per_step": "mean of a summary"},
}
RATE = {"learning_rate": "learning rate"}
KIDS = {KID: "mean", **{f"{KID}_{name}": title for name, title in BOTH.items()}}
NOTE = (
    "A line of many summaries shows the mean of each of up to 100 windows, and its band reaches "
    "from their 10th to their 90th percentile. Point at a chart, or use the arrow keys, to read it."
)


def write(config: Config, path: str, command: str) -> Run:
    """Writes the page of the run that `config` names; returns what it is about.

    Args:
        path: the .html file.
        command: the command that makes it anew, for the page.

    Raises:
        Failure: there is no run, or `path` is a file that is no such page.
    """
    run = runs.read(config)
    refuse_other_file(path)
    pictures, samples = _samples(run)
    made = time.strftime("%Y-%m-%d %H:%M %Z").strip()
    run_page.write_run_page(
        path,
        title=f"Run {config.run_name}",
        facts=facts(run),
        warnings=health.warnings(run, pictures),
        samples=samples,
        charts=charts(run),
        note=NOTE,
        tables=tables(run),
        closing=f"Made on {made} with ugatit_tf {VERSION}. To make it anew:",
        command=command,
    )
    return run


def refuse_other_file(path: str) -> None:
    """Raises `Failure` where `path` is there and is no page of a run."""
    if not os.path.lexists(path):
        return
    if os.path.isfile(path):
        with open(path, "rb") as file:
            if run_page.MARK.encode() in file.read(100_000):
                return
    raise Failure(f"{path} exists and is no page of a run. Use another --output.")


def facts(run: Run) -> dict[str, str]:
    """What is trained, how far it is and how fast."""
    config, about = run.config, run.about
    versions = history.entry(about, "versions", dict)
    devices = history.entry(about, "devices", dict)
    replicas = devices.get("replicas")
    found = {"Dataset": _dataset(run), **_progress(run)}
    if run.is_recorded:
        found["Model"] = (
            f"{'light' if config.light else 'full'}, {config.img_size} px, "
            f"{counted(config.ch, 'channel')}, flavor {config.flavor}"
        )
    if isinstance(replicas, int) and replicas > 1:
        found["Devices"] = f"{replicas} that take a step together"
    found["Trained on"] = str(devices.get("hardware", ""))
    found["Versions"] = ", ".join(f"{name} {version}" for name, version in versions.items())
    found["Revision"] = about.get("git", "")
    step, metric = run.best
    if step is not None:
        found["Best checkpoint"] = f"step {step:,}, {metric['tag']} {metric['value']:.4g}"
    return {name: fact for name, fact in found.items() if fact}


def _dataset(run):
    dataset = history.entry(run.about, "dataset", dict)
    counts = [
        f"{history.entry(dataset, name, dict).get('pictures')} images in {name}" for name in dataset
    ]
    return ": ".join(filter(None, [run.config.dataset, ", ".join(counts)]))


def _progress(run):
    steps, speed = run.steps, run.seconds_per_step()
    if not run.is_recorded:
        yet = "; the number of all steps is known from the first checkpoint on"
        found = {"Progress": f"step {steps:,}{yet}"}
    else:
        total, limit = run.config.total_steps, run.config.minutes
        used = run.used_seconds() / 60
        found = {"Progress": f"step {steps:,} of {total:,} ({min(1, steps / total):.1%})"}
        if limit and used / limit > steps / total:  # what ends first says how far it is
            part = min(1, used / limit)
            found = {"Progress": f"step {steps:,}, {used:.3g} of {limit:g} minutes ({part:.1%})"}
    if speed is not None:
        found["Speed"] = f"{speed:.3g} s per step in the last {runs.RECENT} summaries"
        found["Time of the steps so far"] = _hours(run.seconds())
        rest = (total - steps) * speed if run.is_recorded else 0
        if rest > 0 and limit and 60 * (limit - used) < rest:
            found["Estimated rest"] = f"{_hours(60 * max(0, limit - used))}, by --minutes"
        elif rest > 0:
            found["Estimated rest"] = f"{_hours(rest)} at this speed"
    written = os.path.join(run.config.run_folder, history.FILE)
    if os.path.exists(written):
        date = time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(os.path.getmtime(written)))
        found["Latest summary"] = date.strip()
    return found


def _hours(seconds):
    if seconds >= 3600:
        return f"{seconds / 3600:.3g} hours"
    return f"{seconds / 60:.3g} minutes" if seconds >= 60 else f"{seconds:.3g} s"


def charts(run: Run) -> Iterator[str]:
    """The <figure> of each chart that has values."""
    measured = _lines(run, KIDS)
    yield curves.chart("KID to the target", measured, note=_best_note(measured))
    for name, tags in CHARTS.items():
        trends = {title: trend.of(line) for title, line in _lines(run, tags).items()}
        bands = {title: band for title, (_, band) in trends.items() if band}
        lines = {title: line for title, (line, _) in trends.items()}
        yield curves.chart(name, lines, bands=bands)
    rates = {title: trend.of(line)[0] for title, line in _lines(run, RATE).items()}
    yield curves.chart("Learning rate", rates, logarithmic=False)


def _lines(run, tags):
    """title -> points of those tags that the history has."""
    lines = {title: run.points(tag) for tag, title in tags.items()}
    return {title: line for title, line in lines.items() if line}


def _best_note(points):
    finite = [p for p in points.get("mean", ()) if math.isfinite(p[1])]
    if not finite:
        return ""
    step, value = min(finite, key=lambda point: point[1])
    return f"Smallest: {value:.4g} at step {step:,}."


def tables(run: Run) -> dict[str, Table]:
    """The options that differ from the defaults, what was changed, all options, all numbers."""
    found, header = {}, ["Option", "Value", "Default"]
    if run.is_recorded:
        rows = _options(run.config)
        found["Options that differ from the defaults"] = Table(
            header, [row for row in rows if row[1] != row[2]]
        )
    changes = [c for c in history.entry(run.about, "changes", list) if history.is_change(c)]
    if changes:
        rows = [[str(c.get(key, "")) for key in ("step", "option", "from", "to")] for c in changes]
        found["Changed while training"] = Table(["From step", "Option", "Before", "After"], rows)
    if run.is_recorded:
        found["All options"] = Table(header, _options(run.config))
    if run.lines:
        numbers = {tag: line[tag] for line in run.lines for tag in line}
        rows = [[tag, f"{value:.6g}"] for tag, value in numbers.items()]
        found["Latest number of each kind"] = Table(["Name in history.jsonl", "Value"], rows)
    return found


def _options(config):
    """Rows of name, value and default of the options that config.json keeps."""
    defaults = Config(smoothing=FLAVORS[config.flavor].smoothing).recorded()
    return [
        [f"--{name}", str(value), str(defaults[name])]
        for name, value in config.recorded().items()
        if name != "dataset"
    ]


def _samples(run):
    """(step -> direction -> `Pictures` of some sheets, `Samples` for the page or None).

    A sheet that is gone or damaged is left out. Where one is not as the options say, all are shown
    whole.
    """
    steps = run_page.spread(list(run.sheets))
    with threads.threads(2) as pool:
        images = dict(zip(steps, threads.ahead(pool, _read, map(run.sheets.get, steps), 3)))
    images = {step: image for step, image in images.items() if image is not None}
    if not images:
        return [], None
    try:
        if not run.is_recorded:
            raise ValueError("the size of the images is not known")
        parts = {s: sheets.directions(i, run.config, run.counts) for s, i in images.items()}
    except ValueError:
        whole = {step: [strip([image], run_page.WIDEST)] for step, image in images.items()}
        return [], Samples([""], [], run_page.thinned(whole))
    latest = parts[max(parts)]
    strips = {
        step: [strip(pictures.translations) for pictures in part.values()]
        for step, part in parts.items()
    }
    titles = [BOTH[name] for name in latest]
    inputs = [strip(pictures.inputs) for pictures in latest.values()]
    return list(parts.items()), Samples(titles, inputs, run_page.thinned(strips))


def _read(path):
    try:
        return image_file.read(path)
    except (UnreadableImage, OSError):  # gone, or not an image
        return None
