"""This computer: its processor and its memory. Its GPUs are in `gpu`."""

from __future__ import annotations

import contextlib
import os
import pathlib
import platform
import sys

import numpy as np

from ugatit_tf import gpu
from ugatit_tf.errors import counted
from ugatit_tf.lazy import tf

try:
    import resource
except ImportError:  # Windows
    resource = None


def environment() -> list[str]:
    """Lines on this computer: versions, processor, and its fastest precision."""
    return [
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}, NumPy {np.__version__}",
        f"CPU: {processor()}; its fastest precision for matrix products is "
        f"{fastest_precision() or 'float32'} (see --precision)",
    ]


def fastest_precision() -> str:
    """In which the processor multiplies matrices fastest; "" where the system does not tell."""
    features = set(_cpu_info("flags").split())
    if not features:
        return ""
    return "bfloat16" if features & {"avx512_bf16", "amx_bf16"} else "float32"


def hardware(strategy: str = "auto") -> str:
    """What this process computes on: its GPUs in words, or the processor.

    Args:
        strategy: the option of this name.
    """
    return gpu.described(gpu.used(strategy)) or f"the processor, {processor()}"


def processor() -> str:
    """The cores that this process may use, and the processor's name: 2 cores (AMD EPYC 9B14)."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        count = os.cpu_count() or 1
    name = _cpu_info("model name") or platform.processor()
    return counted(count, "core") + (f" ({name})" if name else "")


def _cpu_info(key: str) -> str:
    """What Linux says about the first core under `key`; empty on other systems."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            line = next((line for line in file if line.startswith(key)), "")
    except OSError:
        return ""
    return line.partition(":")[2].strip()


def peak_memory() -> int:
    """The peak of this process' memory in bytes; 0 if unknown.

    Where it computes on GPUs, that on the GPU of which it holds most: there it must fit.
    """
    on_gpu = gpu.peak_bytes()
    if on_gpu is not None:
        return on_gpu
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
