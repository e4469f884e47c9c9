"""Files and folders that appear whole or not at all, and disappear in one move.

They are written in the same folder under a hidden name, and renamed when they are whole. The
writer holds a lock on them, which ends with the process, however that ends. So files that a
killed process left behind can be told from files that are being written, and `remove_abandoned`
removes them.

A rename is safe from a kill, but not from a power failure: the disk may have the name and not
yet the content. So the content is synced before the rename and the name after it, which takes
about 8 ms, unless the caller needs no such safety.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

UNFINISHED = re.compile(r"\.([0-9a-f]{32}|step_\d+)\.unfinished")  # `step_`: of older versions
ABANDONED = 600  # seconds after which a file without a lock is no longer being written
NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)  # of a folder, on some file systems


@contextlib.contextmanager
def replacing(path: str | os.PathLike, *, synced: bool = True) -> Iterator[IO[bytes]]:
    """Opens a binary file that replaces `path` if the context ends without an error.

    The folder is created if it is missing. Other programs may write to the path `file.name`.

    Args:
        synced: bool. Whether the file must be whole even after a power failure.
    """
    path = os.fspath(path)
    file = _locked_file(path)
    try:
        with file:
            yield file
            file.flush()
            if synced:
                os.fsync(file.fileno())
            if fcntl is None:
                file.close()  # Windows renames no open file; elsewhere it stays locked until then
            os.replace(file.name, path)
        if synced:
            _sync_folder(os.path.dirname(path))
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file.name)


@contextlib.contextmanager
def folder(path: str | os.PathLike) -> Iterator[str]:
    """Creates a folder that is renamed to `path` if the context ends without an error.

    Yields:
        The path of the folder to fill. `path` itself must not exist.
    """
    path = os.fspath(path)
    with _locked_folder(path) as unfinished:
        try:
            yield unfinished
            for parent, _, names in os.walk(unfinished):
                for name in names:
                    sync(os.path.join(parent, name))
                _sync_folder(parent)
            os.rename(unfinished, path)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    _sync_folder(os.path.dirname(path))


def remove(path: str) -> None:
    """Removes a folder; a kill in the middle leaves nothing under its name."""
    unfinished = _hidden(path)
    os.rename(path, unfinished)
    shutil.rmtree(unfinished, ignore_errors=True)  # `remove_abandoned` removes what is left


def remove_abandoned(*folders: str | os.PathLike) -> None:
    """Removes from these folders, not from their subfolders, what killed processes were writing."""
    for parent in {path or "." for path in folders}:
        names = os.listdir(parent) if os.path.isdir(parent) else []
        for path in (os.path.join(parent, name) for name in names if UNFINISHED.fullmatch(name)):
            with contextlib.suppress(OSError):  # removed by another process, or no permission
                if _is_abandoned(path):
                    shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


def sync(path: str | os.PathLike) -> None:
    """Waits until the disk has the content of a file."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def lock(descriptor: int) -> bool:
    """Locks a file until it is closed; False if another process has locked it.

    Where there are no locks, this is True.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (OSError, AttributeError):  # a file system, or a computer, without locks
        pass
    return True


def _hidden(path: str) -> str:
    return os.path.join(os.path.dirname(path), f".{uuid.uuid4().hex}.unfinished")


def _locked_file(path: str) -> IO[bytes]:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    while True:
        file = open(_hidden(path), "xb")  # noqa: SIM115
        lock(file.fileno())
        if os.path.exists(file.name):  # else it was removed as abandoned before it was locked
            return file
        file.close()


@contextlib.contextmanager
def _locked_folder(path: str) -> Iterator[str]:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    unfinished = _hidden(path)
    os.mkdir(unfinished)
    if fcntl is None:  # Windows opens no folder
        yield unfinished
        return
    descriptor = os.open(unfinished, os.O_RDONLY)
    try:
        lock(descriptor)
        yield unfinished
    finally:
        os.close(descriptor)


def _is_abandoned(path: str) -> bool:
    descriptor = None
    try:
        descriptor = os.open(path, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except (OSError, AttributeError):  # no locks here
        return time.time() - os.stat(path).st_mtime > ABANDONED
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _sync_folder(path: str) -> None:
    """Waits until the disk has the names in a folder."""
    if os.name == "nt":
        return
    descriptor = os.open(path or ".", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise
    finally:
        os.close(descriptor)
