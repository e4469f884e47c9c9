"""Files and folders that appear whole or not at all, and disappear in one move.

What is being written is beside its place, under a hidden name, and gets its own name when it is
whole. Its writer holds a lock on it, which ends with the process, however that ends. So what a
killed process left behind is known, and `remove_abandoned` removes it.

A rename is safe from a kill, but not from a power failure: the disk may have the name and not
yet the content. So the content is synced before the rename and the name after it, which takes
about 8 ms, unless the caller can do without.
"""

import contextlib
import errno
import os
import re
import shutil
import time
import uuid

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

UNFINISHED = re.compile(r"\.([0-9a-f]{32}|step_\d+)\.unfinished")  # `step_`: of older versions
ABANDONED = 600  # seconds after which nobody still writes what no lock can tell about
NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)  # of a folder, on some file systems


@contextlib.contextmanager
def replacing(path, *, synced=True):
    """Opens a binary file beside `path` that takes its place if all goes well.

    The folder is made where it is missing. `file.name` is a path that others may write to.

    Args:
        synced: bool. Whether a power failure must not leave an empty or half a file.
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
def folder(path):
    """Makes a folder beside `path` that gets this name, with all that is in it, if all goes well.

    Yields:
        The path of the folder to fill. There must be none at `path`.
    """
    path = os.fspath(path)
    with _locked_folder(path) as beside:
        try:
            yield beside
            for parent, _, names in os.walk(beside):
                for name in names:
                    sync(os.path.join(parent, name))
                _sync_folder(parent)
            os.rename(beside, path)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    _sync_folder(os.path.dirname(path))


def remove(path):
    """Removes a folder; a kill in the middle leaves nothing under its name."""
    beside = _beside(path)
    os.rename(path, beside)
    shutil.rmtree(beside, ignore_errors=True)  # what is left is removed as abandoned


def remove_abandoned(*folders):
    """Removes from these folders, not from those in them, what killed processes were writing."""
    for place in {path or "." for path in folders}:
        names = os.listdir(place) if os.path.isdir(place) else []
        for path in (os.path.join(place, name) for name in names if UNFINISHED.fullmatch(name)):
            with contextlib.suppress(OSError):  # another was faster, or it is not ours to remove
                if _is_abandoned(path):
                    shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


def sync(path):
    """Waits until the disk has the content of a file."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _beside(path):
    return os.path.join(os.path.dirname(path), f".{uuid.uuid4().hex}.unfinished")


def _locked_file(path):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    while True:
        file = open(_beside(path), "xb")  # noqa: SIM115
        _lock(file.fileno())
        if os.path.exists(file.name):  # else it was taken for abandoned before it was locked
            return file
        file.close()


@contextlib.contextmanager
def _locked_folder(path):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    beside = _beside(path)
    os.mkdir(beside)
    if fcntl is None:  # Windows opens no folder
        yield beside
        return
    opened = os.open(beside, os.O_RDONLY)
    try:
        _lock(opened)
        yield beside
    finally:
        os.close(opened)


def _lock(opened):
    if fcntl:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_abandoned(path):
    opened = None
    try:
        opened = os.open(path, os.O_RDONLY)
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except (OSError, AttributeError):  # no locks here
        return time.time() - os.stat(path).st_mtime > ABANDONED
    finally:
        if opened is not None:
            os.close(opened)


def _sync_folder(path):
    """Waits until the disk has the names in a folder."""
    if os.name == "nt":
        return
    opened = os.open(path or ".", os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise
    finally:
        os.close(opened)
