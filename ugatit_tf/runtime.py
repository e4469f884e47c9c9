"""What differs between the two Keras generations, deterministic randomness, and failure."""

import contextlib
import functools
import hashlib
import os
import pathlib
import platform
import struct
import subprocess
import sys
import tempfile

import numpy as np

from ugatit_tf import cluster
from ugatit_tf.errors import Failure, counted, reason  # noqa: F401  others know them by this module
from ugatit_tf.lazy import tf

try:
    import resource
except ImportError:  # Windows
    resource = None


MAGIC = "[*?" if os.sep == "\\" else "[*?\\"  # what TensorFlow takes for a pattern in a path


def check_keras():
    """Refuses a Keras that is missing, or that computes with another library than TensorFlow.

    Raises:
        Failure: the message names the setting to change.
    """
    try:
        backend = tf.keras.backend.backend()
    except ImportError as error:  # TensorFlow's own message says only that Keras is not there
        settings = ("TF_USE_LEGACY_KERAS", "KERAS_BACKEND", "KERAS_HOME")
        named = [f"{name}={os.environ[name]}" for name in settings if name in os.environ]
        reason = error.__cause__ or error.__context__ or error
        raise Failure(
            f"Keras cannot be loaded ({' '.join(str(reason).split())}). Settings: "
            f"{', '.join(named) or 'keras.json'}. Leave TF_USE_LEGACY_KERAS out, and set "
            f"KERAS_BACKEND=tensorflow before Keras is imported."
        ) from None
    if backend != "tensorflow":
        raise Failure(
            f"Keras is set to compute with {backend}; U-GAT-IT needs TensorFlow. Set "
            f"KERAS_BACKEND=tensorflow before Keras is imported, or 'backend' in keras.json."
        )


@contextlib.contextmanager
def default_keras():
    """Within it Keras' global settings are its defaults: float32, and channels last.

    For models of Keras Applications, which follow settings that a program or keras.json made.
    """
    backend, precision = tf.keras.backend, tf.keras.mixed_precision
    before = precision.global_policy(), backend.floatx(), backend.image_data_format()
    try:
        _set_keras("float32", "float32", "channels_last")
        yield
    finally:
        _set_keras(*before)


def _set_keras(policy, floatx, image_data_format):
    tf.keras.backend.set_floatx(floatx)
    tf.keras.backend.set_image_data_format(image_data_format)
    tf.keras.mixed_precision.set_global_policy(policy)


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
    processes = cluster.from_environment(name)
    workers = len(processes.addresses)
    if name == "auto":
        name = "multi_worker" if workers > 1 else "mirrored"
        if name == "mirrored" and len(tf.config.list_physical_devices("GPU")) < 2:
            name = "one"
    if name == "multi_worker":
        print(f"Waiting for all {workers} workers of TF_CONFIG.", flush=True)
        cluster.gather(processes)
        return tf.distribute.MultiWorkerMirroredStrategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if name == "one" or len(devices) < 2:
        return None
    return tf.distribute.MirroredStrategy([device.name for device in devices])


@contextlib.contextmanager
def plain_path(folder):
    """The path of `folder` as TensorFlow can use it: as it is, or that of a link to it.

    TensorFlow reads checkpoints through patterns, so that it finds none in `fotos [2020]`, and
    takes most paths only as UTF-8. The link is there until the context ends.

    Raises:
        Failure: there can be no link.
    """
    folder = os.fspath(folder)
    if is_plain(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="ugatit_tf_") as beside:
        link = os.path.join(beside, "folder")
        try:
            os.symlink(os.path.abspath(folder), link, target_is_directory=True)
        except OSError:
            link = folder
        if not is_plain(link):
            raise Failure(
                f"TensorFlow cannot read what is in {folder}: a name there has one of "
                f"{' '.join(MAGIC)}, or is not UTF-8. Rename it, or use another folder."
            )
        yield link


def is_plain(path) -> bool:
    """Whether TensorFlow can use a path as it is."""
    try:
        path.encode()
    except UnicodeEncodeError:  # bytes that are not UTF-8
        return False
    return not set(MAGIC) & set(path)


def raw(variable):
    """The `tf.Variable` behind a Keras weight: Keras 3 wraps it, Keras 2 does not."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def seed_of(seed, *parts):
    """A pair of int32 for TensorFlow's stateless random ops: a pure function of its arguments.

    All 64 bits depend on every argument. Two CRCs would not do: the CRC of a text with another
    start is a fixed function of the first.
    """
    words = "/".join(str(part) for part in (seed, *parts)).encode()
    return list(struct.unpack("<2i", hashlib.blake2b(words, digest_size=8).digest()))
