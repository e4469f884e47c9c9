"""Which kind of model a path holds, by the names of its files alone."""

from __future__ import annotations

import os

from ugatit_tf import shipped
from ugatit_tf.config import CONFIG_FILE
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.errors import Failure

SAVED_MODEL = "saved_model.pb"
GENERATOR, RUN, EXPORT = "generator file", "run folder", "exported folder"


def kind_of(path: str | os.PathLike) -> str:
    """Returns `GENERATOR`, `RUN` or `EXPORT`, by what the path is or holds.

    A folder of generator files without a SavedModel is a `GENERATOR` too, and so is a shipped
    model, by its name.

    Raises:
        Failure: the path holds none of these.
    """
    path = shipped.path_of(path)
    if os.path.isfile(path):
        return GENERATOR
    if os.path.isfile(os.path.join(path, CONFIG_FILE)):
        return RUN
    if exports_in(path):
        return EXPORT
    if generator_files(path):
        return GENERATOR
    problem = "has none of these" if os.path.isdir(path) else "does not exist"
    raise Failure(
        f"No model in {path}: it {problem}. Expected a run folder with {CONFIG_FILE}, an exported "
        f"folder, a generator file (a2b.npz), or the name of a model that comes with this program: "
        f"{', '.join(shipped.names())}.{hint(path)}"
    )


def exports_in(path: str | os.PathLike) -> dict[str, str]:
    """direction -> folder of the SavedModel, `path` itself or folders in it."""
    path = shipped.path_of(path)
    if os.path.isfile(os.path.join(path, SAVED_MODEL)):
        name = os.path.basename(os.path.abspath(path))
        return {name if name in DIRECTIONS else "a2b": path}
    folders = {name: os.path.join(path, name) for name in DIRECTIONS}
    return {k: v for k, v in folders.items() if os.path.isfile(os.path.join(v, SAVED_MODEL))}


def generator_files(path: str | os.PathLike) -> list[str]:
    """`path` itself if it is a file, or the generator files in it, of one direction each."""
    path = shipped.path_of(path)
    files = [path] if os.path.isfile(path) else [f"{os.path.join(path, n)}.npz" for n in DIRECTIONS]
    return [file for file in files if os.path.isfile(file)]


def hint(path: str | os.PathLike) -> str:
    """Asks whether the last model in a folder of `path`, or its run, is meant; "" where none is.

    An export is in a folder of its step, below that of its name; so is a checkpoint of a run.
    """
    names = sorted(os.listdir(path)) if os.path.isdir(path) else []
    folders = filter(os.path.isdir, (os.path.join(path, name) for name in names))
    meant = [folder for folder in folders if exports_in(folder) or generator_files(folder)]
    run = os.path.dirname(os.path.abspath(path))
    if not meant and names and os.path.isfile(os.path.join(run, CONFIG_FILE)):
        meant = [run]
    return f" Did you mean {meant[-1]}?" if meant else ""
