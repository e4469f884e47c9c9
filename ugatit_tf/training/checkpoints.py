"""Checkpoints: written, restored and removed, each whole or not at all.

A checkpoint is a folder `step_0001000` with one TensorFlow checkpoint of named tensors, the same
on both Keras generations. It is written under another name and renamed, and removed likewise.

The folder best/ holds the best checkpoint by some metric. A process can be killed anywhere, and
the run then continues from its newest checkpoint. So an older best one stays until the run cannot
fall back behind the newer one any more, and a best one that is newer than the checkpoint that a
run continues from is removed (`tidy`): the run will write it again.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from typing import Any

from ugatit_tf import atomic, invocation
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.errors import Failure, reason
from ugatit_tf.jsonfile import JSONFileError, read_json
from ugatit_tf.lazy import tf
from ugatit_tf.training import tensor_file

State = Mapping[str, Mapping[str, "tf.Variable"]]  # group -> name -> variable

KEEP = 5  # the newest checkpoints of a run; older ones are removed
FILE = tensor_file.FILE  # in each checkpoint folder
NAME = re.compile(r"step_(\d{7,})")
BEST = "best"  # the folder in the run folder with the best checkpoint by some metric
METRIC = "metric.json"  # in that checkpoint: which metric, and its value


def folder_name(step: int) -> str:
    """The name of the checkpoint of a step.

    >>> folder_name(1000)
    'step_0001000'
    """
    return f"step_{step:07d}"


def saved(run_folder: str) -> dict[int, str]:
    """step -> path of every checkpoint in `run_folder`, oldest first."""
    if not os.path.isdir(run_folder):
        return {}
    matches = (NAME.fullmatch(name) for name in os.listdir(run_folder))
    steps = sorted((int(match.group(1)), match.group()) for match in matches if match)
    paths = {step: os.path.join(run_folder, name) for step, name in steps}
    return {step: path for step, path in paths.items() if os.path.isdir(path)}


def newest(run_folder: str) -> str:
    """The path of the newest checkpoint.

    Raises:
        Failure: there is none.
    """
    paths = saved(run_folder)
    if not paths:
        refuse_lone_generators(run_folder)
        raise Failure(
            f"No checkpoint in {run_folder}. Train first: {invocation.command('train')}, with the "
            f"same --dataset (or --run) and --checkpoint_dir."
        )
    return paths[max(paths)]


def lone_generators(run_folder: str) -> dict[str, str]:
    """direction -> path of the generator files of a run that was imported without the rest."""
    if saved(run_folder):
        return {}
    paths = {name: os.path.join(run_folder, f"{name}.npz") for name in DIRECTIONS}
    return {name: path for name, path in paths.items() if os.path.isfile(path)}


def refuse_lone_generators(run_folder: str) -> None:
    """Raises a `Failure` where the run has generators alone, with what is missing."""
    lone = lone_generators(run_folder)
    if lone:
        missing = [*(f"the generator {name}" for name in DIRECTIONS if name not in lone)]
        raise Failure(
            f"{run_folder} has only {' and '.join(lone)}, imported from a file without the rest. "
            f"They translate and can be exported. Missing for this: "
            f"{', '.join([*missing, 'both discriminators'])}. Import a checkpoint of all networks, "
            f"or let another run start from them: --run NAME --init_from {run_folder}"
        )


def chosen(run_folder: str, which: str) -> str:
    """The path of the best checkpoint for "best", else of the newest, whose step a "mean" has.

    Raises:
        Failure: there is none.
    """
    if which != BEST:
        return newest(run_folder)
    path, _ = best(run_folder)
    if not path:
        raise Failure(
            f"No best checkpoint in {run_folder}. Training keeps one with --best_by; "
            f"--which latest takes the newest."
        )
    return path


def best(run_folder: str) -> tuple[str | None, dict[str, Any]]:
    """(path, {"tag": ..., "value": ...}) of the best checkpoint; (None, {}) if there is none.

    It is the newest in best/, since each was better than those before it.
    """
    for path in reversed(saved(os.path.join(run_folder, BEST)).values()):
        metric = _metric(path)
        if metric:
            return path, metric
    return None, {}


def save_if_best(run_folder: str, step: int, state: State, tag: str, value: float) -> None:
    """Writes the checkpoint of `step` to best/ if its `value` of `tag` is the smallest so far."""
    _, metric = best(run_folder)
    if metric.get("tag") == tag and metric["value"] <= value:
        return
    folder = os.path.join(run_folder, BEST)
    _write(os.path.join(folder, folder_name(step)), state, {METRIC: {"tag": tag, "value": value}})
    older = {number: path for number, path in saved(folder).items() if number != step}
    resumed = max(saved(run_folder), default=0)  # from where the run continues, if killed now
    needed = max((number for number in older if number <= resumed), default=None)
    for number, path in older.items():
        if number != needed:
            atomic.remove(path)


def remove_older_best(run_folder: str) -> None:
    """Leaves only the best checkpoint in best/, once the run's own of that step is saved."""
    newest_best, _ = best(run_folder)
    for path in saved(os.path.join(run_folder, BEST)).values():
        if path != newest_best:
            atomic.remove(path)


def tidy(run_folder: str, step: int) -> list[str]:
    """Removes what a killed process left, before a run continues from its checkpoint of `step`.

    These are incomplete checkpoints, best ones of later steps, and more than the newest `KEEP`.

    Returns:
        The paths of complete best checkpoints of later steps that were removed.
    """
    folder = os.path.join(run_folder, BEST)
    atomic.remove_abandoned(run_folder, folder)
    complete = {number: path for number, path in saved(folder).items() if _metric(path)}
    for number, path in saved(folder).items():
        if number > step or number not in complete:
            atomic.remove(path)
    remove_older_best(run_folder)
    _remove_oldest(run_folder)
    return [path for number, path in complete.items() if number > step]


def _metric(path: str) -> dict[str, Any]:
    """The metric of a checkpoint in best/; empty where it is incomplete."""
    try:
        metric = note(path, METRIC)
        is_valid = isinstance(metric["tag"], str) and isinstance(metric["value"], (int, float))
    except (OSError, Failure, TypeError, KeyError):
        return {}
    return metric if is_valid else {}


def save(
    run_folder: str,
    step: int,
    state: State,
    *,
    keep: int | None = None,
    notes: Mapping[str, Any] | None = None,
) -> str:
    """Writes the checkpoint of `step`, then removes all but the newest.

    Args:
        keep: int. How many stay; None is `KEEP`.
        notes: dict file name -> content, written into the checkpoint as JSON.

    Returns:
        The path of the checkpoint. One that exists already stays as it is.

    Raises:
        Failure: it could not be written.
    """
    path = os.path.join(run_folder, folder_name(step))
    _write(path, state, notes or {})
    _remove_oldest(run_folder, keep)
    return path


def restore(path: str, state: State) -> None:
    """Loads the groups of `state` from the checkpoint at `path`, all or nothing.

    Raises:
        Failure: the checkpoint cannot be read, or a variable is missing, left over or
            has another shape; the message names some.
    """
    variables = _flat(state)
    with tensor_file.reading(path) as reader:
        shapes = reader.get_variable_to_shape_map()
        groups = tuple(f"{group}/" for group in state)
        shapes = {name: shape for name, shape in shapes.items() if name.startswith(groups)}
        expected = {name: variable.shape.as_list() for name, variable in variables.items()}
        differing = sorted(
            name for name in {*shapes, *expected} if shapes.get(name) != expected.get(name)
        )
        if differing:
            raise Failure(
                f"The checkpoint {path} is of another architecture: {len(differing)} variables "
                f"differ, e.g. {', '.join(differing[:3])}. Its config.json was changed, or it "
                f"belongs to another run."
            )
        tensors = {name: reader.get_tensor(name) for name in variables}
    for name, variable in variables.items():
        variable.assign(tensors[name])


def groups(path: str) -> set[str]:
    """The names of the groups in the checkpoint at `path`.

    Raises:
        Failure: it cannot be read.
    """
    with tensor_file.reading(path) as reader:
        return {name.split("/")[0] for name in reader.get_variable_to_shape_map()}


def check_room(path: str, num_weights: int) -> None:
    """Refuses networks that the checkpoint at `path` cannot hold, before they are built.

    Raises:
        Failure: its files are too short for so many weights.
    """
    with contextlib.suppress(OSError):  # `restore` explains what is missing
        room = os.path.getsize(os.path.join(path, tensor_file.FILES[1])) // 4
        if num_weights > room:
            raise Failure(
                f"The checkpoint {path} is of another architecture: it has at most {room} numbers, "
                f"and the networks of its config.json have {num_weights}."
            )


def note(path: str, name: str) -> Any:
    """The content of the note `name` that was saved with the checkpoint at `path`.

    Raises:
        FileNotFoundError: there is none.
        Failure: it is damaged.
    """
    try:
        return read_json(os.path.join(path, name), object)
    except JSONFileError as error:
        raise Failure(
            f"The checkpoint {path} cannot be read: {error}. {tensor_file.REMOVE}"
        ) from None


def _remove_oldest(run_folder: str, keep: int | None = None) -> None:
    for path in list(saved(run_folder).values())[: -(keep or KEEP)]:
        atomic.remove(path)


def _write(path: str, state: State, notes: Mapping[str, Any]) -> None:
    if os.path.isdir(path):
        return
    try:
        with atomic.folder(path) as folder:
            for name, content in notes.items():
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    json.dump(content, file)
            tensor_file.write(folder, _flat(state))
    except (OSError, tf.errors.OpError) as error:
        raise Failure(
            f"The checkpoint {path} could not be written: {reason(error)}. Those before it are "
            f"not touched. Is the disk full?"
        ) from None


def _flat(state: State) -> dict[str, tf.Variable]:
    return {
        f"{group}/{name}": variable
        for group, variables in state.items()
        for name, variable in variables.items()
    }
