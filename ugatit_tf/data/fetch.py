"""A public dataset from its archive: downloaded or given, checked, unpacked, counted."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping

from ugatit_tf import atomic
from ugatit_tf.data import download, recipes, storage, unpack
from ugatit_tf.data.recipes import SPLITS, Recipe
from ugatit_tf.errors import Failure, listed

DOWNLOADS = ".downloads"  # in the folder of the datasets


def is_here(recipe: Recipe, folder: str) -> bool:
    """Whether a dataset exists; raises a `Failure` where it is not what the recipe makes."""
    if not os.path.lexists(folder):
        return False
    counts = {split: _count(os.path.join(folder, split)) for split in SPLITS}
    differences = recipe.differences(counts)
    if differences or not recipe.urls:  # without a recipe nobody knows what is complete
        what = f" and is something else: {', '.join(differences)}" if differences else ""
        raise Failure(
            f"{folder} already exists{what}. Nothing is overwritten: rename or remove it first."
        )
    return True


def fetch(
    recipe: Recipe, folder: str, *, archive: str = "", keep_archive: bool = False
) -> Mapping[str, int]:
    """Makes the dataset `folder`, which does not exist, whole or not at all.

    Args:
        archive: the file that the user has; without it, it is downloaded.
        keep_archive: whether the file that was downloaded stays in `.downloads`.

    Returns:
        split -> number of images.

    Raises:
        Failure: the archive cannot be had, or is not what the recipe says.
        OSError: a file cannot be read or written.
    """
    parent = os.path.dirname(folder) or "."
    os.makedirs(parent, exist_ok=True)
    atomic.remove_abandoned(parent)
    path = archive or _downloaded(recipe, os.path.join(parent, DOWNLOADS))
    storage.check_space(parent, os.path.getsize(path))
    try:
        counts = _unpacked(recipe, path, folder)
    except Failure:
        if not archive:
            os.unlink(path)  # it would be refused again
            _remove_if_empty(os.path.dirname(path))
        raise
    if not archive and not keep_archive:
        os.unlink(path)
        _remove_if_empty(os.path.dirname(path))
    return counts


def _downloaded(recipe, downloads):
    """The path of the archive, which may be there already."""
    path = os.path.join(downloads, recipe.file)
    if os.path.exists(path):
        if recipe.sha256 in (None, storage.digest_of_file(path)):
            print(f"{path} is here already.", flush=True)
            return path
        os.unlink(path)
    size = f" ({recipe.num_bytes / 1e6:.0f} MB)" if recipe.num_bytes else ""
    print(f"Downloading {recipe.file}{size} into {downloads}", flush=True)
    try:
        download.download(recipe.urls, path, num_bytes=recipe.num_bytes, sha256=recipe.sha256)
    except download.Unreachable as error:
        raise Failure("\n".join([str(error), *_advice(recipe)])) from None
    finally:
        _remove_if_empty(downloads)
    return path


def _advice(recipe):
    """What to do without a download."""
    yield "To try again, or to continue, start the same command. Or get the file with a browser:"
    yield from (f"  {page}" for page in recipe.pages)
    yield "and name it:"
    yield recipes.command(recipe.name, "--archive", "FILE")


def _unpacked(recipe, path, folder):
    digest = storage.digest_of_file(path)
    print(f"sha256 of {path}: {digest}, {_judged(recipe, digest)}", flush=True)
    with atomic.folder(folder) as unfinished:
        counts, broken = unpack.unpack(path, recipe.folders_of(digest), unfinished)
        differences = recipe.differences(counts)
        if differences:
            unreadable = f" Files that are no images: {listed(broken)}." if broken else ""
            raise Failure(
                f"{path} is not the archive of {recipe.name}: {', '.join(differences)}."
                f"{unreadable} Nothing was kept."
            )
    if broken:
        print(f"Left out, as they are no images: {listed(broken)}")
    return counts


def _judged(recipe, digest):
    if recipe.sha256 is None:
        return "which is not known beforehand: the numbers of images are checked"
    if recipe.sha256 == digest:
        return "as expected"
    return (
        f"another archive than the usual one: look whether A are {recipe.domains[0]}; --swap True "
        f"exchanges A and B"
    )


def _count(folder):
    return len(os.listdir(folder)) if os.path.isdir(folder) else 0


def _remove_if_empty(folder):
    with contextlib.suppress(OSError):
        os.rmdir(folder)
