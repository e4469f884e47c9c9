"""Whether the folders of a dataset exist, without reading an image."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ugatit_tf.config import Config
from ugatit_tf.data import recipes, storage
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.errors import Failure

SPLITS = recipes.SPLITS
TRAIN, TEST = SPLITS[:2], SPLITS[2:]
BUILT_IN = "demo"  # the dataset that is drawn if it does not exist
FOR_TRAINING = (
    "Training needs JPEG, PNG, WebP, BMP, GIF or TIFF files in dataset/NAME/trainA and trainB; "
    "--dataset demo draws its own."
)
FOR_MEASURING = "To measure, images of both domains are needed."


def is_drawn(config: Config) -> bool:
    """Whether the dataset of `config` is the built-in one and has not been drawn yet."""
    return config.dataset == BUILT_IN and not storage.is_folder(config.dataset_folder)


def no_images(folder: str, expected: str = FOR_TRAINING) -> str:
    """Returns a message about a folder that is missing or has no readable image.

    Args:
        expected: a sentence that says what is needed.
    """
    problem = "No readable image in" if storage.is_folder(folder) else "There is no folder"
    return f"{problem} {printable(folder)}. {expected}"


def require(dataset_folder: str, splits: Iterable[str], expected: str = FOR_TRAINING) -> None:
    """Refuses a dataset on this computer if one of its `splits` is missing or empty.

    Args:
        expected: as for `no_images`.

    Raises:
        Failure: names the folder.
    """
    for folder in (storage.join(dataset_folder, split) for split in splits):
        if not storage.is_remote(folder) and not _has_files(folder):
            raise Failure(no_images(folder, expected) + _how_to_fetch(dataset_folder))


def _how_to_fetch(dataset_folder):
    """A line with the command that downloads a dataset that is missing; "" without a recipe."""
    name = os.path.basename(dataset_folder)
    if name not in recipes.RECIPES or os.path.lexists(dataset_folder):
        return ""
    return f"\nTo download it: {recipes.command(name)}"


def test_folders(dataset_folder: str) -> dict[str, str]:
    """Returns direction -> folder of the test images that exist.

    Raises:
        Failure: none exists.
    """
    folders = {
        name: os.path.join(dataset_folder, direction.source_folder)
        for name, direction in DIRECTIONS.items()
    }
    existing = {name: folder for name, folder in folders.items() if storage.is_folder(folder)}
    if not existing:
        raise Failure(
            f"Neither testA nor testB in {dataset_folder}. Expected images in at least one of them."
        )
    return existing


def printable(name: str) -> str:
    """Escapes line breaks and undecodable bytes of a file name, so that any terminal shows it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _has_files(folder):
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False
