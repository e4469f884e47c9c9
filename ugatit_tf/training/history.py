"""What a run folder says of itself: where it comes from, and its numbers over time."""

import dataclasses
import hashlib
import json
import os
import platform
import subprocess

import tensorflow as tf

from ugatit_tf.config import LOCATIONS, VERSION

FILE = "history.jsonl"


def about(config, paths_a, paths_b, before, step) -> dict:
    """Versions, git revision, dataset, and what was changed at which step.

    Args:
        before: (options, about) of the run so far, both empty for a new one.
    """
    old, noted = before
    new = {k: v for k, v in dataclasses.asdict(config).items() if k not in LOCATIONS}
    changes = [
        {"step": step, "option": name, "from": old[name], "to": value}
        for name, value in new.items()
        if name in old and old[name] != value
    ]
    return {
        "versions": {
            "ugatit_tf": VERSION,
            "tensorflow": tf.__version__,
            "python": platform.python_version(),
        },
        "git": _revision(),
        "dataset": {
            "trainA": len(paths_a),
            "trainB": len(paths_b),
            "fingerprint": _fingerprint([*paths_a, *paths_b]),
        },
        "changes": [*noted.get("changes", []), *changes],
    }


def append(run_folder, step, scalars):
    """Adds one line of JSON with the scalars of `step`."""
    line = {"step": step, **{tag: float(value) for tag, value in scalars.items()}}
    with open(os.path.join(run_folder, FILE), "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def cut(run_folder, step):
    """Removes what a killed process wrote after its last checkpoint, of `step`."""
    path = os.path.join(run_folder, FILE)
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as file:
        kept = [line for line in file if _step_of(line) <= step]
    beside = f"{path}.{os.getpid()}.tmp"
    with open(beside, "w", encoding="utf-8") as file:
        file.writelines(kept)
    os.replace(beside, path)


def _step_of(line):
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError):  # a line that was being written when the process died
        return float("inf")


def _fingerprint(paths):
    """Changes when a picture is added, removed, renamed or has another size in bytes."""
    digest = hashlib.sha256()
    for path in paths:
        folder, name = os.path.split(path)
        digest.update(f"{os.path.basename(folder)}/{name}:{os.path.getsize(path)}\n".encode())
    return digest.hexdigest()[:16]


def _revision():
    folder = os.path.dirname(os.path.abspath(__file__))
    command = ["git", "-C", folder, "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
