"""This computer: its processor, its memory, its GPUs."""

from __future__ import annotations

import contextlib
import os
import pathlib
import platform
import subprocess
import sys

import numpy as np

from ugatit_tf.lazy import tf

try:
    import resource
except ImportError:  # Windows
    resource = None


def environment() -> list[str]:
    """Lines on this computer: versions, devices, and its fastest precision."""
    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(g).get("device_name", "GPU") for g in gpus]
    fast = "bfloat16" if {"avx512_bf16", "amx_bf16"} & set(_cpu_features()) else "float32"
    return [
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}, NumPy {np.__version__}",
        f"CPU: {os.cpu_count()} cores; its fastest precision for matrix products is {fast} "
        f"(see --precision)",
        f"GPU: {', '.join(names) if names else 'none that TensorFlow can use'}",
    ]


def _cpu_features() -> list[str]:
    """The processor's features, as Linux names them; empty on other systems."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next((line.split() for line in file if line.startswith("flags")), [])
    except OSError:
        return []


def peak_memory() -> int:
    """The peak of this process' memory in bytes, on the GPU if there is one; 0 if unknown."""
    if tf.config.list_logical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    try:  # not `ru_maxrss`: a child starts with its parent's
        with open("/proc/self/status", encoding="utf-8") as file:
            return 1024 * int(next(line for line in file if "VmHWM" in line).split()[1])
    except OSError:
        if resource is None:
            return 0
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def available_bytes(root: str | os.PathLike = "/") -> int | None:
    """Memory in bytes that is free for a new program; None if unknown.

    In a container at most what its limit leaves.

    Args:
        root: the root of the file system, which has proc/ and sys/.
    """
    numbers = []
    with contextlib.suppress(OSError, IndexError, ValueError):
        report = pathlib.Path(root, "proc/meminfo").read_text(encoding="ascii")
        numbers.append(int(report.split("MemAvailable:")[1].split()[0]) * 1024)
    with contextlib.suppress(OSError, IndexError, ValueError):  # ValueError: "max" is no limit
        group = pathlib.Path(root, "sys/fs/cgroup")
        limit, used = (int((group / f"memory.{name}").read_text()) for name in ("max", "current"))
        cached = (group / "memory.stat").read_text().split("inactive_file ")[1].split()[0]
        numbers.append(limit - used + int(cached))  # the kernel gives up cached files first
    return min(numbers, default=None)


def free_gpu_bytes() -> int | None:
    """Free memory in bytes on the fullest GPU; None without a GPU, or if unknown."""
    if not tf.config.list_physical_devices("GPU"):
        return None
    command = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return min(int(line) for line in report.split()) * 1024**2
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None
