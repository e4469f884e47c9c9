"""Files of a dataset on this computer, or on any file system that TensorFlow can open.

TensorFlow opens paths with a scheme (`gs://bucket/selfie2anime/trainA`); every other path is the
operating system's, with names of any bytes. Folders and files are strings here. An image that is
not a file on this computer is read through a `RemoteImage`.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import hashlib
import os
import pathlib
import re
import shutil
import stat
import uuid
from collections.abc import Iterator
from typing import BinaryIO

from ugatit_tf import atomic
from ugatit_tf.errors import Failure, reason
from ugatit_tf.images.decoding import ImagePath, RemoteImage
from ugatit_tf.images.errors import NO_FILE, UnreadableImage, read_error
from ugatit_tf.lazy import tf

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
REMOTE_THREADS = 32  # they wait for the network
CHUNK = 1 << 20  # bytes


def is_remote(path: ImagePath) -> bool:
    """Whether TensorFlow opens a path, because it has a scheme.

    >>> [is_remote(path) for path in ("gs://bucket/a", "/data/a", "C:/data", "a://b")]
    [True, False, False, True]
    """
    return SCHEME.match(os.fspath(path)) is not None


def image_at(path: ImagePath) -> ImagePath:
    """Returns the path of an image as `image_file.read` takes it, of any file system."""
    if isinstance(path, RemoteImage) or not is_remote(path):
        return path
    return RemoteImage(path, functools.partial(read_bytes, path))


def join(folder: ImagePath, name: str) -> str:
    """Joins a folder and a name; on a remote file system the separator is always a slash."""
    folder = os.fspath(folder)
    return f"{folder.rstrip('/')}/{name}" if is_remote(folder) else os.path.join(folder, name)


def folder_and_name(path: ImagePath) -> str:
    """Returns the last two components of a path, e.g. `trainA/1.png`."""
    path = os.fspath(path)
    return os.path.join(*path.split("/" if is_remote(path) else os.sep)[-2:])


def is_folder(path: ImagePath) -> bool:
    """Whether there is a folder at `path`. Unlike `os.path.isdir`, it raises if a disk fails."""
    if is_remote(path):
        status = _remote_status(path)
        return status is not None and status.is_directory
    status = _local_status(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def num_bytes(path: ImagePath) -> int | None:
    """Returns the length of a file; None if there is no file."""
    if is_remote(path):
        status = _remote_status(path)
        return None if status is None or status.is_directory else status.length
    status = _local_status(path)
    return status.st_size if status is not None and stat.S_ISREG(status.st_mode) else None


def list_folder(folder: ImagePath) -> list[str]:
    """Returns the names directly in a folder, sorted; those of folders may end in `/`."""
    if not is_remote(folder):
        return sorted(os.listdir(folder))
    with _failures_of(folder):
        return sorted(tf.io.gfile.listdir(os.fspath(folder)))


def nearest(path: str) -> str:
    """Returns `path`, or the nearest folder above it that exists, on this computer."""
    path = os.path.abspath(path)
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


def free_bytes(path: str | os.PathLike) -> int:
    """Returns the free space of the disk of this computer where `path` is or will be."""
    path = pathlib.Path(os.path.abspath(path))
    existing = (folder for folder in (path, *path.parents) if folder.exists())
    return shutil.disk_usage(next(existing, path)).free


def check_space(folder: str, needed: int) -> None:
    """Raises a `Failure` where the disk of a folder has not so many bytes left."""
    free = free_bytes(folder)
    if free < needed:
        raise Failure(
            f"The disk of {folder} has {free / 1e6:.0f} MB left, and {needed / 1e6:.0f} MB are "
            f"needed. Free some, or use another --dataset_dir."
        )


def matching(pattern: str) -> tuple[str, list[str]]:
    """Returns the paths on this computer that match a pattern of `glob`.

    A component with brackets, but without `*` and `?`, matches only itself if it exists.

    Returns:
        (the folder before the first component with a wildcard, the sorted paths).
    """
    literal, components = "", list(pathlib.PurePath(pattern).parts)
    while components and (
        not glob.has_magic(components[0]) or _matches_itself(literal, components[0])
    ):
        literal = os.path.join(literal, components.pop(0))
    if not components:
        return os.path.dirname(literal), [literal] if os.path.lexists(literal) else []
    paths = glob.glob(os.path.join(glob.escape(literal), *components), recursive=True)
    return literal, sorted({os.path.normpath(path) for path in paths})


def open_file(path: ImagePath, mode: str = "rb") -> BinaryIO:
    """Opens a binary file, with `read`, `seek` and lines, or `write`."""
    return tf.io.gfile.GFile(os.fspath(path), mode) if is_remote(path) else open(path, mode)


def read_bytes(path: ImagePath, start: int = 0, length: int = -1) -> bytes:
    """Reads a file, or `length` bytes of it from `start` on; fewer if the file ends earlier.

    Raises:
        UnreadableImage: there is no such file.
        ReadError, Failure (remote): the file exists but cannot be read. Stopping is better than
            training without an image because a connection is down.
    """
    if isinstance(path, RemoteImage):
        return path.read_bytes()
    try:
        with open_file(path) as file:
            if start:
                file.seek(start)
            return file.read(length)
    except tf.errors.OutOfRangeError:  # `start` is beyond the end
        return b""
    except (OSError, MemoryError) as error:
        if getattr(error, "errno", None) in NO_FILE:
            raise UnreadableImage(path, error.strerror.lower()) from None
        raise read_error(path, error) from error
    except tf.errors.OpError as error:
        if is_folder(path):
            raise UnreadableImage(path, "this is a folder, not an image") from None
        if isinstance(error, tf.errors.NotFoundError):
            raise UnreadableImage(path, "no such file or directory") from None
        raise _failure(path, error) from error


def digest_of_file(path: str) -> str:
    """Returns the sha256 of a file, which is read in chunks; raises what opening it raises."""
    digest = hashlib.sha256()
    with open_file(path) as file:
        for content in iter(lambda: file.read(CHUNK), b""):
            digest.update(content)
    return digest.hexdigest()


def digest_of_image(path: ImagePath) -> str:
    """Returns the sha256 of the file of an image; raises what `read_bytes` raises."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """Yields the path of a temporary file, which is renamed to `path` if all goes well.

    As `atomic.replacing`, of any file system.
    """
    if not is_remote(path):
        with atomic.replacing(path) as file:
            yield file.name
        return
    folder, _, name = path.rpartition("/")
    temporary = f"{folder}/.{uuid.uuid4().hex}.{name}.unfinished"
    tf.io.gfile.makedirs(folder)
    try:
        yield temporary
        tf.io.gfile.rename(temporary, path, overwrite=True)
    except BaseException:
        with contextlib.suppress(tf.errors.OpError):
            tf.io.gfile.remove(temporary)
        raise


def remove(path: str) -> None:
    """Removes a file, if it exists."""
    with contextlib.suppress(FileNotFoundError, tf.errors.NotFoundError):
        tf.io.gfile.remove(path) if is_remote(path) else os.remove(path)


def reading_threads(folder: ImagePath) -> int:
    """Returns how many threads should read the files of a folder."""
    return REMOTE_THREADS if is_remote(folder) else os.cpu_count() or 1


def _matches_itself(folder, name):
    return not {"*", "?"} & set(name) and os.path.lexists(os.path.join(folder, name))


def _local_status(path):
    """What `os.stat` returns; None if there is nothing at `path`."""
    try:
        return os.stat(path)
    except OSError as error:
        if error.errno in NO_FILE:
            return None
        raise


def _remote_status(path):
    """What TensorFlow's `stat` returns; None if there is nothing at `path`."""
    with _failures_of(path):
        try:
            return tf.io.gfile.stat(os.fspath(path))
        except tf.errors.NotFoundError:
            return None


@contextlib.contextmanager
def _failures_of(path):
    """Turns TensorFlow's errors into a `Failure` that names the path."""
    try:
        yield
    except tf.errors.OpError as error:
        raise _failure(path, error) from error


def _failure(path, error):
    return Failure(
        f"{path} cannot be read: {reason(error)}. Check the address, the connection and the "
        f"permissions."
    )
