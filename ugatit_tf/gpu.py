"""The GPUs of this computer: which TensorFlow uses, and their memory.

Nothing here makes a tensor, and so nothing takes memory of a GPU.
"""

from __future__ import annotations

import collections
import contextlib
import csv
import functools
import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from ugatit_tf.lazy import tf

ROOT = "/"  # of the file system, which has dev/ and proc/
VISIBLE = "CUDA_VISIBLE_DEVICES"
HIDDEN = {VISIBLE: "-1"}  # in the environment of a process that computes on the processor alone
PATIENCE = 60  # seconds for the driver's answer
QUERY = "--query-gpu=index,uuid,name,memory.total,memory.free"
WSL_DRIVER = "usr/lib/wsl/lib/nvidia-smi"  # not on the PATH of every shell


class Card(NamedTuple):
    """A GPU as NVIDIA's driver lists it; memory in bytes, None where it does not tell."""

    index: str
    uuid: str
    name: str
    total: int | None
    free: int | None


@functools.lru_cache(None)
def cards() -> tuple[Card, ...]:
    """All GPUs that NVIDIA's driver lists, whatever CUDA_VISIBLE_DEVICES says; empty without it.

    It is asked once. So `free` is right if the first call comes before TensorFlow computes: later
    this process itself has some of the memory.
    """
    program = shutil.which("nvidia-smi") or os.path.join(ROOT, WSL_DRIVER)
    command = [program, QUERY, "--format=csv,noheader,nounits"]
    options = {"capture_output": True, "text": True, "errors": "replace", "check": True}
    try:
        report = subprocess.run(command, timeout=PATIENCE, **options).stdout
        rows = [[field.strip() for field in row] for row in csv.reader(report.splitlines())]
        return tuple(Card(*row[:3], *map(_mebibytes, row[3:])) for row in rows)
    except (OSError, subprocess.SubprocessError, TypeError):  # TypeError: not five fields
        return ()


def _mebibytes(text):
    return int(text) * 2**20 if text.isdecimal() else None


def present() -> list[str]:
    """The names of the GPUs that NVIDIA's driver or the system shows, used or not."""
    root = pathlib.Path(ROOT)
    if cards():
        return [card.name for card in cards()]
    models = []
    for file in sorted(root.glob("proc/driver/nvidia/gpus/*/information")):
        with contextlib.suppress(OSError):
            found = re.search(r"^Model:\s*(.+?)\s*$", file.read_text(errors="replace"), re.M)
            models.append(found[1] if found else "NVIDIA GPU")
    models = models or ["NVIDIA GPU" for _ in root.glob("dev/nvidia[0-9]*")]
    if (root / "dev/kfd").exists():
        models.append("AMD GPU")
    return models


def used(strategy: str = "auto") -> list[str]:
    """The names of the GPUs on which this process computes, in TensorFlow's order.

    Args:
        strategy: the option of this name; "one" gives the first alone.
    """
    devices = tf.config.get_visible_devices("GPU")
    details = map(tf.config.experimental.get_device_details, devices)
    names = [about.get("device_name", "GPU") for about in details]
    return names[:1] if strategy == "one" else names


def described(names: Sequence[str]) -> str:
    """GPUs in words, with their memory: 2 x NVIDIA A100-SXM4-80GB, 80 GiB each."""
    totals = {card.name: card.total for card in cards()}
    words = []
    for name, count in collections.Counter(names).items():
        times, each = (f"{count} x ", " each") if count > 1 else ("", "")
        memory = f", {totals[name] / 2**30:.0f} GiB{each}" if totals.get(name) else ""
        words.append(f"{times}{name}{memory}")
    return " and ".join(words)


def free_bytes(strategy: str = "auto") -> int | None:
    """Free memory in bytes on the fullest of the GPUs in use; None without one, or if unknown.

    See `cards` for the time that this is true of.
    """
    names = used(strategy)
    chosen = visible_cards()[: len(names)]
    if [card.name for card in chosen] != names:
        # CUDA counts the fastest first, the driver by slots: GPUs of different kinds may have other
        # numbers. Parts of a GPU (MIG) have names that no card has.
        chosen = [card for card in cards() if card.name in names]
    free = [card.free for card in chosen]
    return None if None in free else min(free, default=None)


def visible_cards() -> list[Card]:
    """The cards that CUDA_VISIBLE_DEVICES lets through, in its order."""
    value = os.environ.get(VISIBLE)
    if value is None:
        return list(cards())
    chosen = []
    for entry in map(str.strip, value.split(",")):
        is_uuid = entry.startswith("GPU-")  # whole, or its first digits
        found = [c for c in cards() if c.index == entry or (is_uuid and c.uuid.startswith(entry))]
        if len(found) != 1:
            break  # CUDA ignores all that follow a wrong entry
        chosen += found
    return chosen


def peak_bytes() -> int | None:
    """The peak of what this process holds on a GPU, in bytes, on the one where it is the largest.

    None without a GPU, or where its kind does not count.
    """
    numbers = range(len(tf.config.get_visible_devices("GPU")))
    with contextlib.suppress(ValueError):
        peaks = [tf.config.experimental.get_memory_info(f"GPU:{i}")["peak"] for i in numbers]
        return max(peaks, default=None)
    return None


def hide() -> None:
    """Lets this process compute on the processor alone, unless it has computed already."""
    with contextlib.suppress(RuntimeError):
        tf.config.set_visible_devices([], "GPU")
