"""Why an image could not be read: because of its file, or because of this computer."""

from __future__ import annotations

import errno
import os

NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)
ADVICE = {
    errno.EMFILE: "too many files are open: raise the limit (`ulimit -n`)",
    errno.ENFILE: "too many files are open on this computer: close some programs",
    errno.ENOMEM: "there is not enough memory: close other programs",
    errno.EACCES: "permission denied: give the right to read it",
}


class UnreadableImage(ValueError):  # noqa: N818
    """The file at `path` is not a whole image; `reason` says why in one line."""

    path: str
    reason: str

    def __init__(self, path: str | os.PathLike, reason: object) -> None:
        path, reason = os.fspath(path), " ".join(str(reason).split())
        super().__init__(path, reason)  # both, so that it can be pickled between processes
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class ReadError(OSError):
    """This computer could not read the file, so nothing is known about the image in it.

    Arguments as of `OSError`: its number, the reason, the path.
    """

    def __str__(self) -> str:
        advice = f"{self.strerror.lower()}: check its disk or network connection"
        return f"{self.filename} could not be read; {ADVICE.get(self.errno, advice)}, and try again"


def read_error(path: str | os.PathLike, error: Exception) -> ReadError:
    """Returns an error of the operating system, or a lack of memory, as a `ReadError`."""
    if isinstance(error, OSError) and error.errno:
        return ReadError(error.errno, error.strerror, os.fspath(path))
    return ReadError(errno.ENOMEM, "not enough memory", os.fspath(path))
