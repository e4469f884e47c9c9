"""The GPUs of this computer: which TensorFlow uses, why it uses none, and their memory.

TensorFlow computes on the processor where it cannot use a GPU, and says so only in its C++ log,
which the program keeps silent. Nothing here makes a tensor, and so nothing takes memory of a GPU.
"""

from __future__ import annotations

import collections
import contextlib
import csv
import dataclasses
import functools
import importlib.metadata
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

from ugatit_tf import invocation
from ugatit_tf.errors import listed
from ugatit_tf.lazy import tf

ROOT = "/"  # of the file system, which has dev/ and proc/
VISIBLE = "CUDA_VISIBLE_DEVICES"
HIDDEN = {VISIBLE: "-1"}  # in the environment of a process that computes on the processor alone
PATIENCE = 120  # seconds for the driver, and for a process that imports TensorFlow
QUERY = "--query-gpu=index,uuid,name,memory.total,memory.free"
WSL_DRIVER = "usr/lib/wsl/lib/nvidia-smi"  # not on the PATH of every shell
# Prints TensorFlow's log of its search for GPUs. It finds packages where this process does. The
# loader's own messages, hidden otherwise, name the library that is missing.
SEARCH = """
import sys
sys.path[:] = sys.argv[1:]
import tensorflow as tf
tf.config.list_physical_devices("GPU")
"""
LOUD = {"TF_CPP_MIN_LOG_LEVEL": "0", "TF_CPP_VMODULE": "dso_loader=1"}


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
    chosen = _visible()[: len(names)]
    if [card.name for card in chosen] != names:
        # CUDA counts the fastest first, the driver by slots: GPUs of different kinds may have other
        # numbers. Parts of a GPU (MIG) have names that no card has.
        chosen = [card for card in cards() if card.name in names]
    free = [card.free for card in chosen]
    return None if None in free else min(free, default=None)


def _visible():
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


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What this computer has for GPUs, and whether TensorFlow uses them.

    Attributes:
        gpus: a few words.
        warning: why GPUs that are there are not used, and what to do; empty if that is in order.
        note: why none is used, where the user or the system wants it so.
    """

    gpus: str
    warning: str = ""
    note: str = ""

    def lines(self) -> list[str]:
        """The diagnosis for a report."""
        kinds = (("GPU", self.gpus), ("Warning", self.warning), ("Note", self.note))
        return [f"{kind}: {text}" for kind, text in kinds if text]


def diagnosis() -> Diagnosis:
    """Finds out which GPUs there are, and why TensorFlow uses none of them.

    Where they are in use, or there are none, this takes no time. Otherwise a process of its own
    lets TensorFlow say why, which takes seconds.
    """
    names = used()
    if names:
        return Diagnosis(described(names))
    names = present()
    if not names:
        return Diagnosis("none that TensorFlow can use", note=_note_of_system())
    if _are_hidden():
        return Diagnosis(
            f"{described(names)}, hidden from TensorFlow",
            note=f"{VISIBLE}={os.environ[VISIBLE]} hides all GPUs. To use them: unset {VISIBLE}",
        )
    reason, remedy = _fault(names)
    return Diagnosis(
        f"{described(names)}, not used by TensorFlow",
        f"TensorFlow does not use the GPU of this computer. {reason} {remedy} "
        f"(Without this warning on the processor: {VISIBLE}=-1.)",
    )


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


def _are_hidden():
    first = os.environ.get(VISIBLE, "0").split(",")[0].strip()
    if first.startswith("MIG-"):  # a part of a GPU, which is no card
        return False
    return not _visible() if cards() else not first.startswith(("GPU-", *"0123456789"))


def _note_of_system():
    """What to know about GPUs where the system shows none to TensorFlow."""
    if (sys.platform, platform.machine()) == ("darwin", "arm64"):
        return (
            "TensorFlow has no GPU support for Macs of its own. Apple's plugin tensorflow-metal is "
            "of January 2025 and does not fit newer versions of TensorFlow."
        )
    if os.path.exists(os.path.join(ROOT, "dev/dxg")):
        return (
            "WSL2 has a GPU, but no driver of NVIDIA. If it is one of NVIDIA, install the driver "
            "in Windows (https://www.nvidia.com/drivers), then run wsl --shutdown"
        )
    return ""


def _fault(names):
    """(why TensorFlow uses none of these GPUs, what to do), in whole sentences."""
    install = invocation.install("gpu")
    if sys.platform == "win32":
        reason = "It has supported none on Windows since version 2.11."
        return reason, f"Use WSL2: wsl --install, and in its Linux: {install}"
    if names == ["AMD GPU"]:
        reason = "This TensorFlow is not built for GPUs of AMD."
        return reason, "AMD has one that is: https://rocm.docs.amd.com"
    if not tf.test.is_built_with_cuda():
        reason = "This TensorFlow is built without CUDA."
        if platform.machine() not in ("x86_64", "AMD64"):
            return reason, f"pip has none with it for this processor ({platform.machine()})."
        wrong = [name for name in ("tensorflow-cpu", "intel-tensorflow") if _is_installed(name)]
        return reason, f"To use the GPU: pip uninstall {(wrong or ['tensorflow'])[0]} && {install}"
    return _told(_log(), install)


def _is_installed(package):
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return bool(importlib.metadata.version(package))
    return False


def _log():
    """What TensorFlow logs while it looks for GPUs, in a process of its own."""
    command = [sys.executable, "-I", "-c", SEARCH, *sys.path]
    options = {"capture_output": True, "text": True, "errors": "replace"}
    try:
        environment = {**os.environ, **LOUD}
        return subprocess.run(command, env=environment, timeout=PATIENCE, **options).stderr
    except (OSError, subprocess.SubprocessError):
        return ""


def _told(log, install):
    """The reason and the remedy that follow from the log; the first pattern that is in it counts.

    "Could not find cuda drivers" stands in every such log, also where the driver is there and a
    library is not, so it proves nothing.
    """
    libraries = dict.fromkeys(re.findall(r"Could not load dynamic library '([^']+)'", log))
    missing = [name for name in libraries if "nvinfer" not in name]  # TensorRT, which is optional
    if too_old := re.search(r"Ignoring visible gpu device.*", log):
        return _quoted(too_old[0]), "This version of TensorFlow cannot use this GPU."
    if any(name.startswith("libcuda.") for name in missing):
        return _quoted("Could not load dynamic library 'libcuda.so.1'"), _driver_remedy()
    if failed := re.search(
        r"failed call to cuInit: .*|.*driver version is insufficient.*"
        r"|kernel version .* does not match DSO version.*",
        log,
    ):
        return _quoted(failed[0]), _driver_remedy()
    reason = "It gave no reason."
    if words := re.search(
        r"Cannot dlopen some GPU libraries|Could not find cuda drivers on your machine", log
    ):
        reason = _quoted(words[0])
    names = f" Missing: {listed(missing)}." if missing else ""
    return f"{reason}{names}", f"Install the CUDA libraries: {install}"


def _quoted(words):
    """TensorFlow's own words, without place and time of a line of its log."""
    return f'It says: "{re.sub(r"^.*?[.]cc:[0-9]+[]] ", "", words).rstrip(". ")}".'


def _driver_remedy():
    root = pathlib.Path(ROOT)
    is_container = any((root / name).exists() for name in (".dockerenv", "run/.containerenv"))
    if is_container and not any(root.glob("dev/nvidia[0-9]*")):
        return "This container has no access to it; start it with: docker run --gpus all"
    if (root / "dev/dxg").exists():
        return "Update NVIDIA's driver in Windows (not in Linux), then run: wsl --shutdown"
    return (
        "Restart the computer if NVIDIA's driver was updated since its start; otherwise install a "
        "current driver: https://www.nvidia.com/drivers"
    )
