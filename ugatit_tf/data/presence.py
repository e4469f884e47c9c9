"""Whether the folders of a dataset are there, by a glance that reads no image."""

import os

from ugatit_tf.data import storage
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.errors import Failure

TRAIN, TEST = ("trainA", "trainB"), ("testA", "testB")
SPLITS = TRAIN + TEST
BUILT_IN = "demo"  # the dataset that is drawn where it is missing
NEEDED = (
    "Training needs JPEG, PNG, WebP, BMP, GIF or TIFF files in dataset/NAME/trainA and trainB; "
    "--dataset demo draws its own."
)


def is_drawn(config) -> bool:
    """Whether the dataset of `config` is the built-in one, which is still to be drawn."""
    return config.dataset == BUILT_IN and not storage.is_folder(config.dataset_folder)


def missing(folder) -> str:
    """A sentence on a folder for training that has no readable image."""
    what = "No readable image in" if storage.is_folder(folder) else "There is no folder"
    return f"{what} {printable(folder)}. {NEEDED}"


def for_measuring(folder) -> str:
    """A sentence on a folder of test images that has none."""
    what = "No readable image in" if storage.is_folder(folder) else "No folder"
    return f"{what} {printable(folder)}. To measure, images of both domains are needed."


def require(dataset_folder, parts, sentence=missing):
    """Refuses a dataset on this computer one of whose `parts` is missing or empty.

    Args:
        sentence: function of a folder to the message.

    Raises:
        Failure: names the folder.
    """
    for folder in (storage.joined(dataset_folder, part) for part in parts):
        if not storage.is_remote(folder) and not _has_files(folder):
            raise Failure(sentence(folder))


def test_folders(dataset_folder) -> dict:
    """direction -> the folder of its test images, of those that are there.

    Raises:
        Failure: there is none.
    """
    folders = {
        name: os.path.join(dataset_folder, direction.source_folder)
        for name, direction in DIRECTIONS.items()
    }
    present = {name: folder for name, folder in folders.items() if storage.is_folder(folder)}
    if not present:
        raise Failure(
            f"Neither testA nor testB in {dataset_folder}. Expected images in at least one of them."
        )
    return present


def printable(name) -> str:
    """A file's name as any terminal can show it: line breaks and what is no text, escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _has_files(folder):
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False
