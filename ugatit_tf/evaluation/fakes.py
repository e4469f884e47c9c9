"""Where translated images are that are to be measured."""

import os

from ugatit_tf.errors import Failure

DOMAINS = {"a2b": ("testA", "testB"), "b2a": ("testB", "testA")}  # source and target


def fakes_in(fake_dir) -> dict:
    """direction -> folder, of those in `fake_dir`.

    Raises:
        Failure: there is none.
    """
    folders = {name: os.path.join(fake_dir, name) for name in DOMAINS}
    folders = {name: folder for name, folder in folders.items() if os.path.isdir(folder)}
    if not folders:
        raise Failure(
            f"--fake_dir {fake_dir} has no folder a2b and no folder b2a. Expected translated test "
            f"images in at least one of them."
        )
    return folders
