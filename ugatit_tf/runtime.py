"""What differs between the two Keras generations, deterministic randomness, and failure."""

import contextlib
import functools
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import zlib

import numpy as np
import tensorflow as tf

try:
    import resource
except ImportError:  # Windows
    resource = None


class Failure(RuntimeError):  # noqa: N818
    """Something that a person can set right. The message says what happened and what to do."""


def reason(error) -> str:
    """What an error says, in one line, without the names of graph nodes and of our own errors."""
    text = getattr(error, "message", None) or str(error)
    frames = " ", "\t", "Graph execution error", "Detected at node", "Stack trace", "[["
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(frames)]
    line = (lines or [type(error).__name__])[0]
    line = re.sub(r"\[\[\{\{.*?\}\}\]\]|\{\{.*?\}\}|\[Op:\w+\]", "", line)
    return re.sub(r"^(UnreadablePicture|Failure|\w*Error): ", "", line.strip())


def counted(number, noun) -> str:
    """A number with its noun: 1 picture, 60 pictures."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def refuse_not_finite(images, source):
    """Raises `Failure` where images that a network made hold NaN, which a file would show as black.

    Args:
        images: float array.
        source: str. What the message calls the network.
    """
    if not np.isfinite(images).all():
        raise Failure(
            f"{source} gives numbers that are not finite (NaN): its weights are damaged, or "
            f"overflow in --precision float16. Use another checkpoint, e.g. --which best, or train "
            f"again."
        )


def environment() -> list:
    """Lines that say what this computer has: versions, devices, and the precision fast here."""
    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(g).get("device_name", "GPU") for g in gpus]
    fast = "bfloat16" if {"avx512_bf16", "amx_bf16"} & set(_cpu_features()) else "float32"
    return [
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}, NumPy {np.__version__}",
        f"CPU: {os.cpu_count()} cores; its fastest precision for matrix products is {fast} "
        f"(see --precision)",
        f"GPU: {', '.join(names) if names else 'none that TensorFlow can use'}",
    ]


def _cpu_features():
    """The words of the processor's feature list, where Linux tells them."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next((line.split() for line in file if line.startswith("flags")), [])
    except OSError:
        return []


def peak_memory() -> int:
    """The most bytes that this process has held so far, on the GPU if there is one.

    0 where the system does not say.
    """
    if tf.config.list_logical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    try:  # not `ru_maxrss`: a child takes over its parent's
        with open("/proc/self/status", encoding="utf-8") as file:
            return 1024 * int(next(line for line in file if "VmHWM" in line).split()[1])
    except OSError:
        if resource is None:
            return 0
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def available_bytes(root="/"):
    """How much memory is free for a new program; None where the system does not say.

    In a container that is what its limit leaves, if that is less.
    """
    numbers = []
    with contextlib.suppress(OSError, IndexError, ValueError):
        told = pathlib.Path(root, "proc/meminfo").read_text(encoding="ascii")
        numbers.append(int(told.split("MemAvailable:")[1].split()[0]) * 1024)
    with contextlib.suppress(OSError, IndexError, ValueError):  # ValueError: "max" is no limit
        group = pathlib.Path(root, "sys/fs/cgroup")
        limit, used = (int((group / f"memory.{name}").read_text()) for name in ("max", "current"))
        cached = (group / "memory.stat").read_text().split("inactive_file ")[1].split()[0]
        numbers.append(limit - used + int(cached))  # the kernel gives up cached files first
    return min(numbers, default=None)


def free_gpu_bytes():
    """What is free on the fullest GPU; None where there is none, or its driver does not say."""
    if not tf.config.list_physical_devices("GPU"):
        return None
    command = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return min(int(line) for line in told.split()) * 1024**2
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None


@functools.lru_cache(None)  # a second strategy of one process would mix up its messages
def strategy(name="auto"):
    """The `tf.distribute.Strategy` that `--strategy` names; None where one device works alone.

    That of several machines must be made before TensorFlow computes anything.

    Raises:
        Failure: the other machines are not named, or not as TensorFlow wants it.
    """
    workers = _workers()
    if name == "auto":
        name = "multi_worker" if workers > 1 else "mirrored"
        if name == "mirrored" and len(tf.config.list_physical_devices("GPU")) < 2:
            name = "one"
    if name == "multi_worker":
        if workers < 2:
            raise Failure(
                "--strategy multi_worker needs TF_CONFIG in the environment, which names two "
                "workers at least and says which of them this is; see docs/scaling.md."
            )
        print(f"Waiting for all {workers} workers of TF_CONFIG.", flush=True)
        return tf.distribute.MultiWorkerMirroredStrategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if name == "one" or len(devices) < 2:
        return None
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _workers():
    """How many processes the environment's TF_CONFIG names for training."""
    try:
        cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
        return sum(len(cluster.get(kind, [])) for kind in ("chief", "worker"))
    except (ValueError, TypeError, AttributeError):
        raise Failure(
            f"TF_CONFIG is not what TensorFlow wants: {os.environ['TF_CONFIG']!r}. Expected "
            f'{{"cluster": {{"worker": ["HOST:PORT", ...]}}, "task": {{"type": "worker", '
            f'"index": 0}}}}.'
        ) from None


def raw(variable):
    """The `tf.Variable` behind a Keras weight: Keras 3 wraps it, Keras 2 does not."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def seed_of(seed, *parts):
    """A pair of int32 for TensorFlow's stateless random ops: a pure function of its arguments."""
    words = "/".join(str(part) for part in (seed, *parts)).encode()
    return [_int32(zlib.crc32(words)), _int32(zlib.crc32(words, 0x9E3779B9))]


def _int32(unsigned):
    return unsigned - (1 << 32) if unsigned >= 1 << 31 else unsigned
