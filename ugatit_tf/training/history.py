"""What a run folder says of itself: where it comes from, and its numbers over time."""

import dataclasses
import json
import math
import os
import platform
import subprocess

import tensorflow as tf

from ugatit_tf import atomic
from ugatit_tf.config import OF_A_START, VERSION
from ugatit_tf.jsonfile import JSONFileError, parse_json

FILE = "history.jsonl"


def about(config, parts, before, step, replicas=1) -> dict:
    """Versions, git revision, dataset, devices, and what was changed at which step.

    Args:
        parts: dict name -> `folders.Split` of the training images.
        before: (options, about) of the run so far, both empty for a new one.
        replicas: int. Devices that work together.
    """
    options, noted = before
    new = {k: v for k, v in dataclasses.asdict(config).items() if k not in OF_A_START}
    dataset = {
        name: {"pictures": len(part.images), "fingerprint": part.fingerprint}
        for name, part in parts.items()
    }
    return {
        "versions": {
            "ugatit_tf": VERSION,
            "tensorflow": tf.__version__,
            "python": platform.python_version(),
        },
        "git": _revision(),
        "dataset": dataset,
        "devices": {"replicas": replicas},
        "changes": [
            *(one for one in _of_kind(noted, "changes", list) if _is_change(one)),
            *_changes(options, new, step),
            *_changes(_of_kind(noted, "dataset", dict), dataset, step),
            *_changes(_of_kind(noted, "devices", dict), {"replicas": replicas}, step),
        ],
    }


def _of_kind(noted, name, kind):
    """What is noted under a name, where it is of this kind; people may have edited it."""
    value = noted.get(name)
    return value if isinstance(value, kind) else kind()


def _is_change(value):
    return isinstance(value, dict) and {"step", "option"} <= set(value)


def _changes(old, new, step):
    return [
        {"step": step, "option": name, "from": old[name], "to": value}
        for name, value in new.items()
        if name in old and old[name] != value
    ]


def append(run_folder, step, scalars):
    """Adds one line of JSON with the scalars of `step`."""
    line = {"step": step, **{tag: float(value) for tag, value in scalars.items()}}
    with open(os.path.join(run_folder, FILE), "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read(run_folder) -> list:
    """What `append` wrote: a dict for each line; empty where there is none."""
    path = os.path.join(run_folder, FILE)
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        lines = (_parsed(line, path) for line in file)
        return [line for line in lines if line]


def cut(run_folder, step):
    """Removes what a killed process wrote after its last checkpoint, of `step`."""
    path = os.path.join(run_folder, FILE)
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as file:
        kept = [line for line in file if _step_of(line) <= step]
    with atomic.replacing(path) as file:
        file.write("".join(kept).encode())


def sync(run_folder):
    """Waits until the disk has all lines."""
    path = os.path.join(run_folder, FILE)
    if os.path.exists(path):
        atomic.sync(path)


def _step_of(line):
    step = _parsed(line, FILE).get("step")
    return step if isinstance(step, (int, float)) else math.inf


def _parsed(line, source):
    """The numbers of a line; none where it was being written when the process died."""
    try:
        return parse_json(line, source)
    except JSONFileError:
        return {}


def _revision():
    folder = os.path.dirname(os.path.abspath(__file__))
    command = ["git", "-C", folder, "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
