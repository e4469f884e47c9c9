"""Why TensorFlow uses no GPU of this computer, and the command that mends it.

Where it cannot use a GPU, TensorFlow computes on the processor, and says why in its C++ log alone,
which the program keeps silent.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import os
import pathlib
import platform
import re
import subprocess
import sys

from ugatit_tf import gpu, invocation
from ugatit_tf.errors import listed
from ugatit_tf.gpu import VISIBLE, described
from ugatit_tf.lazy import tf

PATIENCE = 120  # seconds for a process that imports TensorFlow
# Prints TensorFlow's log of its search for GPUs; packages are found where this process finds them.
SEARCH = """
import sys
sys.path[:] = sys.argv[1:]
import tensorflow as tf
tf.config.list_physical_devices("GPU")
"""
LOUD = {"TF_CPP_MIN_LOG_LEVEL": "0", "TF_CPP_VMODULE": "dso_loader=1"}  # names missing libraries

OPTIONAL = ("nvinfer", "nvidia-ml")  # libraries without which a GPU is used, too
AGE, DRIVER, LIBRARIES = "age", "driver", "libraries"
CAUSES = (  # words in TensorFlow's log, the most telling first, and what they are due to
    (r"Ignoring visible gpu device.*", AGE),
    (r"Could not load dynamic library 'libcuda[.][^']*'", DRIVER),
    (r"failed call to cuInit: .*", DRIVER),
    (r"CUDA driver version is insufficient.*", DRIVER),
    (r"kernel version .* does not match DSO version.*", DRIVER),
    (r"Cannot dlopen some GPU libraries", LIBRARIES),
    # In every such log, also where the driver is there and a library is not.
    (r"Could not find cuda drivers on your machine", LIBRARIES),
)


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
    names = gpu.used()
    if names:
        return Diagnosis(described(names))
    names = gpu.present()
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
        f"TensorFlow does not use {described(names)}. {reason} {remedy} ({VISIBLE}=-1 computes on "
        f"the processor without this warning.)",
    )


def _are_hidden():
    first = os.environ.get(VISIBLE, "0").split(",")[0].strip()
    if first.startswith("MIG-"):  # a part of a GPU, which is no card
        return False
    return not gpu.visible_cards() if gpu.cards() else not first.startswith(("GPU-", *"0123456789"))


def _note_of_system():
    """What to know about GPUs where the system shows none to TensorFlow."""
    if (sys.platform, platform.machine()) == ("darwin", "arm64"):
        return (
            "TensorFlow itself supports no GPU of a Mac, and Apple's plugin for that, "
            "tensorflow-metal, has had no release since January 2025, before TensorFlow 2.19."
        )
    if os.path.exists(os.path.join(gpu.ROOT, "dev/dxg")):
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
    """The reason and the remedy that follow from TensorFlow's log."""
    found = ((re.search(pattern, log), cause) for pattern, cause in CAUSES)
    match, cause = next(((words, cause) for words, cause in found if words), (None, LIBRARIES))
    reason = f'It says: "{match[0].rstrip(". ")}".' if match else "It gave no reason."
    if cause == AGE:
        return reason, "This version of TensorFlow cannot use this GPU."
    if cause == DRIVER:
        return reason, _driver_remedy()
    files = dict.fromkeys(re.findall(r"Could not load dynamic library '([^']+)'", log))
    missing = [name for name in files if not any(part in name for part in OPTIONAL)]
    reason += f" Missing: {listed(missing)}." if missing else ""
    return reason, f"Install the CUDA libraries: {install}"


def _driver_remedy():
    root = pathlib.Path(gpu.ROOT)
    is_container = any((root / name).exists() for name in (".dockerenv", "run/.containerenv"))
    if is_container and not any(root.glob("dev/nvidia[0-9]*")):
        return "This container has no access to it; start it with: docker run --gpus all"
    if (root / "dev/dxg").exists():
        return "Update NVIDIA's driver in Windows (not in Linux), then run: wsl --shutdown"
    return (
        "Restart the computer if NVIDIA's driver was updated since its start; otherwise install a "
        "current driver: https://www.nvidia.com/drivers"
    )
