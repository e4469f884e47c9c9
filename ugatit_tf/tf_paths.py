"""Paths that TensorFlow can use: it takes some characters for a pattern, and most only as UTF-8."""

import contextlib
import os
import tempfile

from ugatit_tf.errors import Failure

MAGIC = "[*?" if os.sep == "\\" else "[*?\\"  # what TensorFlow takes for a pattern in a path


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
