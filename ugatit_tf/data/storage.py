"""Where the files of a dataset are: on this computer, or on any system that TensorFlow opens.

A path with a scheme (`gs://bucket/selfie2anime/trainA`) is TensorFlow's; every other is the
system's own, with names of any bytes. Paths are text everywhere. That of an image which is no
file on this computer is a `files.RemotePath`, which knows how its bytes are read.
"""

import collections
import contextlib
import glob
import os
import pathlib
import re
import stat
import uuid
from concurrent.futures import ThreadPoolExecutor

from ugatit_tf import atomic
from ugatit_tf.errors import Failure, reason
from ugatit_tf.images import files
from ugatit_tf.lazy import tf

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
FAR_AWAY = 32  # threads that wait for files of another computer
AHEAD = 4  # items on the way for each thread
CHUNK = 1 << 20  # bytes


class Remote(files.RemotePath):
    """The path of an image on a system that TensorFlow opens."""

    def read_bytes(self) -> bytes:
        return read_bytes(self)


class Fetched(files.RemotePath):
    """The path of an image whose bytes are here already.

    Args:
        path: text.
        content: bytes.
    """

    def __new__(cls, path, content):
        self = super().__new__(cls, path)
        self.content = content
        return self

    def read_bytes(self) -> bytes:
        return self.content


def is_remote(path) -> bool:
    """
    >>> [is_remote(path) for path in ("gs://bucket/a", "/data/a", "C:/data", "a://b")]
    [True, False, False, True]
    """
    return SCHEME.match(os.fspath(path)) is not None


def at(path):
    """The path of an image so that `files` can read it: a `Remote` where it has a scheme."""
    if isinstance(path, files.RemotePath) or not is_remote(path):
        return path
    return Remote(path)


def joined(folder, name):
    """The path of an image in a folder; with a scheme, the separator is always a slash."""
    folder = os.fspath(folder)
    if not is_remote(folder):
        return os.path.join(folder, name)
    return Remote(f"{folder.rstrip('/')}/{name}")


def folder_and_name(path) -> str:
    """The last two parts of a path, e.g. `trainA/1.png`."""
    parts = path.split("/" if is_remote(path) else os.sep)
    return os.path.join(*parts[-2:])


def is_folder(path) -> bool:
    if is_remote(path):
        found = _status(path)
        return found is not None and found.is_directory
    found = _local_status(path)  # not `os.path.isdir`, to which a disk that fails has no folders
    return found is not None and stat.S_ISDIR(found.st_mode)


def num_bytes(path):
    """The length of a file; None where there is none."""
    if is_remote(path):
        found = _status(path)
        return None if found is None or found.is_directory else found.length
    found = _local_status(path)
    return found.st_size if found is not None and stat.S_ISREG(found.st_mode) else None


def listed(folder) -> list:
    """The names of all that is directly in a folder, sorted; those of folders may end in `/`."""
    if not is_remote(folder):
        return sorted(os.listdir(folder))
    with _explained(folder):
        return sorted(tf.io.gfile.listdir(os.fspath(folder)))


def nearest(path) -> str:
    """`path`, or the nearest folder above it that is there, on this computer."""
    place = os.path.abspath(path)
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    return place


def matching(pattern) -> tuple:
    """(folder before the first sign with a meaning, sorted paths) of a pattern as `glob` has it.

    A part with brackets, but without `*` and `?`, that is there under just this name means itself.
    """
    literal, parts = "", list(pathlib.PurePath(pattern).parts)
    while parts and (not glob.has_magic(parts[0]) or _is_itself(literal, parts[0])):
        literal = os.path.join(literal, parts.pop(0))
    if not parts:
        return os.path.dirname(literal), [literal] if os.path.lexists(literal) else []
    paths = glob.glob(os.path.join(glob.escape(literal), *parts), recursive=True)
    return literal, sorted({os.path.normpath(path) for path in paths})


def _is_itself(folder, name):
    return not {"*", "?"} & set(name) and os.path.lexists(os.path.join(folder, name))


def opened(path, mode="rb"):
    """A file of bytes, with `read`, `seek` and lines, or `write`."""
    return tf.io.gfile.GFile(os.fspath(path), mode) if is_remote(path) else open(path, mode)


def read_bytes(path, start=0, length=-1) -> bytes:
    """The content of a file, or `length` bytes from `start` on; fewer where it ends before.

    Raises:
        UnreadableImage: there is no such file.
        ReadError, Failure (with a scheme): it is there, and its system does not give it. It is
            better to stop than to go on without an image because a line is down.
    """
    if isinstance(path, files.RemotePath) and not isinstance(path, Remote):
        return path.read_bytes()
    try:
        with opened(path) as file:
            if start:
                file.seek(start)
            return file.read(length)
    except tf.errors.OutOfRangeError:  # `start` is behind the end
        return b""
    except (OSError, MemoryError) as error:
        if getattr(error, "errno", None) in files.NO_FILE:
            raise files.UnreadableImage(path, error.strerror.lower()) from None
        raise files.shortage(path, error) from error
    except tf.errors.OpError as error:
        if is_folder(path):
            raise files.UnreadableImage(path, "this is a folder, not an image") from None
        if isinstance(error, tf.errors.NotFoundError):
            raise files.UnreadableImage(path, "no such file or directory") from None
        raise _failure(path, error) from error


@contextlib.contextmanager
def replacing(path):
    """The path of a file beside `path` that takes its place if all goes well."""
    if not is_remote(path):
        with atomic.replacing(path) as file:
            yield file.name
        return
    folder, _, name = os.fspath(path).rpartition("/")
    beside = f"{folder}/.{uuid.uuid4().hex}.{name}.unfinished"
    tf.io.gfile.makedirs(folder)
    try:
        yield beside
        tf.io.gfile.rename(beside, path, overwrite=True)
    except BaseException:
        with contextlib.suppress(tf.errors.OpError):
            tf.io.gfile.remove(beside)
        raise


def remove(path):
    """Removes a file; it may be gone already."""
    with contextlib.suppress(FileNotFoundError, tf.errors.NotFoundError):
        tf.io.gfile.remove(path) if is_remote(path) else os.remove(path)


def ahead(function, items, *, threads=None):
    """Yields `function(item)` of all items, in their order; threads do few of them ahead.

    Unlike with `map` of a pool, memory does not grow with the number of items.
    """
    threads = threads or os.cpu_count() or 1
    waiting, pool = collections.deque(), ThreadPoolExecutor(threads)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) == AHEAD * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def threads_for(folder) -> int:
    """How many threads read the files of a folder best."""
    return FAR_AWAY if is_remote(folder) else os.cpu_count() or 1


def _local_status(path):
    """What this computer tells of a path; None where there is nothing."""
    try:
        return os.stat(path)
    except OSError as error:
        if error.errno in files.NO_FILE:
            return None
        raise


def _status(path):
    """What a remote system tells of a path; None where there is nothing."""
    with _explained(path):
        try:
            return tf.io.gfile.stat(os.fspath(path))
        except tf.errors.NotFoundError:
            return None


@contextlib.contextmanager
def _explained(path):
    """What TensorFlow raises in the body is a `Failure` with the path."""
    try:
        yield
    except tf.errors.OpError as error:
        raise _failure(path, error) from error


def _failure(path, error):
    what = reason(error)
    return Failure(f"{path} cannot be read: {what}. Check the address, the line and the rights.")
