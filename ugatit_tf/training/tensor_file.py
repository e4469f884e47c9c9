"""The TensorFlow checkpoint inside a checkpoint folder: named tensors, written and read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from ugatit_tf import tf_paths
from ugatit_tf.errors import Failure, reason
from ugatit_tf.lazy import tf

FILE = "state"  # the prefix of the TensorFlow checkpoint inside the folder
FILES = (f"{FILE}.index", f"{FILE}.data-00000-of-00001")
REMOVE = "Remove that folder to continue from the one before."
CHUNK = 1 << 20  # bytes


@contextlib.contextmanager
def reading(path: str) -> Iterator[Any]:
    """Opens the checkpoint at `path` and yields TensorFlow's reader of it.

    Raises:
        Failure: it cannot be read, when it is opened or later.
    """
    try:
        with tf_paths.plain_path(path) as plain:
            yield tf.train.load_checkpoint(os.path.join(plain, FILE))
    except (ValueError, IndexError, tf.errors.OpError) as error:  # IndexError: cut off
        raise Failure(
            f"The checkpoint {path} cannot be read: {reason(error)}. {_advice(path)}"
        ) from None


def write(folder: str, variables: Mapping[str, tf.Variable]) -> None:
    """Writes the TensorFlow checkpoint into a folder."""
    tf.raw_ops.SaveV2(
        prefix=os.fsencode(os.path.join(folder, FILE)),
        tensor_names=list(variables),
        shape_and_slices=[""] * len(variables),
        tensors=[variable.read_value() for variable in variables.values()],
    )


def _advice(path: str) -> str:
    """What to do about a checkpoint that cannot be read: only a damaged one should be removed.

    It is damaged where files are missing, or where the system reads all their bytes and TensorFlow
    fails again. Where the system fails, the files may be whole.
    """
    try:
        names = os.listdir(path)
        for name in FILES:
            if name not in names:
                return REMOVE
            with open(os.path.join(path, name), "rb") as file:
                while file.read(CHUNK):
                    pass
        with tf_paths.plain_path(path) as plain:
            reader = tf.train.load_checkpoint(os.path.join(plain, FILE))
            for name in reader.get_variable_to_shape_map():
                reader.get_tensor(name)
    except IsADirectoryError:
        return REMOVE
    except OSError as error:
        return (
            f"Its files may be whole, but this computer could not read them ({error.strerror}). "
            f"Solve that, then start again."
        )
    except (ValueError, IndexError, tf.errors.OpError):
        return REMOVE
    return "A second attempt could read it: start again."
