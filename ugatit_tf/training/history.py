"""What a run folder records: where the run comes from, and its numbers over time."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping
from typing import Any

from ugatit_tf import atomic, machine
from ugatit_tf.config import NOT_RECORDED, VERSION, Config
from ugatit_tf.data import folders
from ugatit_tf.jsonfile import JSONFileError, parse_json
from ugatit_tf.lazy import tf
from ugatit_tf.training.start import Start

FILE = "history.jsonl"


def about(
    config: Config,
    splits: Mapping[str, folders.Split],
    before: tuple[dict[str, Any], dict[str, Any]],
    step: int,
    replicas: int = 1,
    start: Start | None = None,
) -> dict[str, Any]:
    """Versions, git revision, dataset, devices, and what was changed at which step.

    Args:
        splits: dict name -> `folders.Split` of the training images.
        before: what `config.about` returned for the run so far: its options and this record.
        replicas: int. Devices that work together.
        start: the trained weights from which a new run starts.
    """
    old_options, old = before
    options = {k: v for k, v in dataclasses.asdict(config).items() if k not in NOT_RECORDED}
    dataset = {
        name: {"pictures": len(split.images), "fingerprint": split.fingerprint}
        for name, split in splits.items()
    }
    devices = {"replicas": replicas, "hardware": machine.hardware(config.strategy)}
    began = start.record if start else entry(old, "init_from", dict)
    return {
        "versions": {
            "ugatit_tf": VERSION,
            "tensorflow": tf.__version__,
            "python": platform.python_version(),
        },
        "git": git_revision(),
        "dataset": dataset,
        "devices": devices,
        **({"init_from": began} if began else {}),
        "changes": [
            *(change for change in entry(old, "changes", list) if is_change(change)),
            *_changes(old_options, options, step),
            *_changes(entry(old, "dataset", dict), dataset, step),
            *_changes(entry(old, "devices", dict), devices, step),
        ],
    }


def git_revision() -> str:
    """The revision of this program; empty where it is not in a git repository."""
    folder = os.path.dirname(os.path.abspath(__file__))
    command = ["git", "-C", folder, "describe", "--always", "--dirty"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""


def append(run_folder: str, step: int, scalars: Mapping[str, float]) -> None:
    """Adds one line of JSON with the scalars of `step`."""
    line = {"step": step, **{tag: float(value) for tag, value in scalars.items()}}
    with open(os.path.join(run_folder, FILE), "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read(run_folder: str) -> list[dict[str, Any]]:
    """What `append` wrote: a dict for each line; empty where there is no history."""
    path = os.path.join(run_folder, FILE)
    if not os.path.exists(path):
        return []
    with open(path, "rb") as file:
        lines = (_parsed(line, path) for line in file)
        return [line for line in lines if line]


def cut(run_folder: str, step: int) -> None:
    """Removes the lines after `step`, which a killed process wrote after its last checkpoint."""
    path = os.path.join(run_folder, FILE)
    if not os.path.exists(path):
        return
    with open(path, "rb") as file:
        lines = [line for line in file if _step_of(line) <= step]
    with atomic.replacing(path) as file:
        file.write(b"".join(lines))


def sync(run_folder: str) -> None:
    """Waits until the disk has all lines."""
    path = os.path.join(run_folder, FILE)
    if os.path.exists(path):
        atomic.sync(path)


def entry(record: Mapping[str, Any], name: str, kind: type) -> Any:
    """An entry, or an empty one where it is not of this type: people may have edited the file."""
    value = record.get(name)
    return value if isinstance(value, kind) else kind()


def is_change(value: Any) -> bool:
    return isinstance(value, dict) and {"step", "option"} <= set(value)


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], step: int) -> list[dict[str, Any]]:
    return [
        {"step": step, "option": name, "from": old[name], "to": value}
        for name, value in new.items()
        if name in old and old[name] != value
    ]


def _step_of(line: bytes) -> float:
    step = _parsed(line, FILE).get("step")
    return step if isinstance(step, (int, float)) else math.inf


def _parsed(line: bytes, source: str) -> dict[str, Any]:
    """The numbers of a line; empty where it was being written when the process died."""
    try:
        return parse_json(line, source)
    except JSONFileError:
        return {}
