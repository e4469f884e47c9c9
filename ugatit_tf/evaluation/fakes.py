"""The folders of translated images that are measured."""

from __future__ import annotations

import os

from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.errors import Failure


def fake_folders(fake_dir: str) -> dict[str, str]:
    """direction -> the folder of that name in `fake_dir`; one of them may be missing.

    Raises:
        Failure: both are missing.
    """
    folders = {name: os.path.join(fake_dir, name) for name in DIRECTIONS}
    folders = {name: folder for name, folder in folders.items() if os.path.isdir(folder)}
    if not folders:
        raise Failure(
            f"--fake_dir {fake_dir} has no folder a2b and no folder b2a. Expected translated test "
            f"images in at least one of them."
        )
    return folders
