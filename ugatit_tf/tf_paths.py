"""Paths for TensorFlow, which treats some characters as patterns and mostly needs UTF-8."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator

from ugatit_tf.errors import Failure

MAGIC = "[*?" if os.sep == "\\" else "[*?\\"  # a pattern to TensorFlow


@contextlib.contextmanager
def plain_path(folder: str | os.PathLike) -> Iterator[str]:
    """Yields a path of `folder` that TensorFlow can use: its own, or that of a temporary link.

    TensorFlow reads checkpoints through patterns, so that it finds none in `fotos [2020]`, and
    accepts most paths only as UTF-8.

    Raises:
        Failure: no link can be made.
    """
    folder = os.fspath(folder)
    if is_plain(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="ugatit_tf_") as parent:
        link = os.path.join(parent, "folder")
        try:
            os.symlink(os.path.abspath(folder), link, target_is_directory=True)
        except OSError:
            link = folder
        if not is_plain(link):
            raise Failure(
                f"TensorFlow cannot read files in {folder}: a name in this path has one of "
                f"{' '.join(MAGIC)}, or is not UTF-8. Rename it, or use another folder."
            )
        yield link


def is_plain(path: str) -> bool:
    """Whether TensorFlow can use a path as it is."""
    try:
        path.encode()
    except UnicodeEncodeError:  # bytes that are not UTF-8
        return False
    return not set(MAGIC) & set(path)
