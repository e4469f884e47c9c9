"""What is saved, where, and how it comes back: whole or not at all.

A checkpoint is a folder `step_0001000` with one TensorFlow checkpoint of named tensors, the same
on both Keras generations. It is written under another name and renamed, and removed likewise.

Beside those of a run, best/ holds the best one by some metric. A process can be killed anywhere,
and the run then goes on from its newest checkpoint. So an older best one stays until the run
cannot fall back behind the newer one any more, and what is newer than the checkpoint that a run
goes on from is removed (`tidy`), since the run will make it again.
"""

import contextlib
import json
import os
import re

from ugatit_tf import atomic, tf_paths
from ugatit_tf.errors import Failure
from ugatit_tf.jsonfile import JSONFileError, read_json
from ugatit_tf.lazy import tf

KEPT = 5
NAME = re.compile(r"step_(\d{7,})")
FILE = "state"  # the prefix of the TensorFlow checkpoint inside the folder
FILES = (f"{FILE}.index", f"{FILE}.data-00000-of-00001")
REMOVE = "Remove that folder to go on from the one before."
CHUNK = 1 << 20  # bytes
BEST = "best"  # the folder in the run folder with the best checkpoint by some metric
METRIC = "metric.json"  # in that checkpoint: which metric, and its value


def folder_name(step) -> str:
    """
    >>> folder_name(1000)
    'step_0001000'
    """
    return f"step_{step:07d}"


def saved(run_folder) -> dict:
    """step -> path of every checkpoint in `run_folder`, oldest first."""
    if not os.path.isdir(run_folder):
        return {}
    matches = (NAME.fullmatch(name) for name in os.listdir(run_folder))
    steps = sorted((int(match.group(1)), match.group()) for match in matches if match)
    paths = {step: os.path.join(run_folder, name) for step, name in steps}
    return {step: path for step, path in paths.items() if os.path.isdir(path)}


def newest(run_folder) -> str:
    """The path of the newest checkpoint.

    Raises:
        Failure: there is none.
    """
    found = saved(run_folder)
    if not found:
        raise Failure(
            f"No checkpoint in {run_folder}. Train first: python main.py --phase train, with the "
            f"same --dataset (or --run) and --checkpoint_dir."
        )
    return found[max(found)]


def chosen(run_folder, which) -> str:
    """The path of the newest checkpoint for `which` "latest", of the best one for "best".

    Raises:
        Failure: there is none.
    """
    if which == "latest":
        return newest(run_folder)
    path, _ = best(run_folder)
    if not path:
        raise Failure(
            f"No best checkpoint in {run_folder}. Training keeps one with --best_by; "
            f"--which latest takes the newest."
        )
    return path


def best(run_folder):
    """(path, {"tag": ..., "value": ...}) of the best checkpoint; (None, {}) if there is none.

    That is the newest in best/, since each was better than those before it.
    """
    for path in reversed(saved(os.path.join(run_folder, BEST)).values()):
        metric = _metric(path)
        if metric:
            return path, metric
    return None, {}


def save_if_best(run_folder, step, state, tag, value):
    """Keeps the checkpoint of `step` in best/ if its `value` of `tag` is the smallest so far."""
    _, metric = best(run_folder)
    if metric.get("tag") == tag and metric["value"] <= value:
        return
    folder = os.path.join(run_folder, BEST)
    save(folder, step, state, keep=None, notes={METRIC: {"tag": tag, "value": value}})
    others = {s: path for s, path in saved(folder).items() if s != step}
    reached = max(saved(run_folder), default=0)  # where the run goes on, were it killed now
    still_needed = max((s for s in others if s <= reached), default=None)
    for other, path in others.items():
        if other != still_needed:
            atomic.remove(path)


def remove_older_best(run_folder):
    """Leaves only the best checkpoint in best/, once the run's own of that step is saved."""
    newest_best, _ = best(run_folder)
    for path in saved(os.path.join(run_folder, BEST)).values():
        if path != newest_best:
            atomic.remove(path)


def tidy(run_folder, step) -> list:
    """Removes what a killed process left, before a run goes on from its checkpoint of `step`.

    That is: what is incomplete, the best checkpoints of later steps, and older ones than are kept.

    Returns:
        The paths of complete best checkpoints that were removed as later ones.
    """
    folder = os.path.join(run_folder, BEST)
    atomic.remove_abandoned(run_folder, folder)
    complete = {number: path for number, path in saved(folder).items() if _metric(path)}
    for number, path in saved(folder).items():
        if number > step or number not in complete:
            atomic.remove(path)
    remove_older_best(run_folder)
    _remove_oldest(run_folder, KEPT)
    return [path for number, path in complete.items() if number > step]


def _metric(path):
    """What is noted of a checkpoint in best/; empty where it is incomplete."""
    try:
        metric = note(path, METRIC)
        usable = isinstance(metric["tag"], str) and isinstance(metric["value"], (int, float))
    except (OSError, Failure, TypeError, KeyError):
        return {}
    return metric if usable else {}


def save(run_folder, step, state, *, keep=KEPT, notes=None) -> str:
    """Writes the checkpoint of `step`, then removes all but the newest `keep`.

    Args:
        state: dict group -> dict name -> tf.Variable.
        keep: int, or None for all.
        notes: dict file name -> content, written beside it as JSON.

    Returns:
        The path of the checkpoint. One that is there already stays as it is.
    """
    path = os.path.join(run_folder, folder_name(step))
    if not os.path.isdir(path):
        try:
            with atomic.folder(path) as beside:
                _write(beside, _flat(state), notes or {})
        except (OSError, tf.errors.OpError) as error:
            raise Failure(
                f"The checkpoint of step {step} could not be written: {str(error).splitlines()[0]}"
                f". Those before it in {run_folder} are kept. Is the disk full?"
            ) from None
    if keep:
        _remove_oldest(run_folder, keep)
    return path


def restore(path, state):
    """Loads the groups of `state` from the checkpoint at `path`, all or nothing.

    Raises:
        Failure: the checkpoint cannot be read, or a variable is missing, left over or
            has another shape; the message names some.
    """
    variables = _flat(state)
    with _reading(path) as reader:
        shapes = reader.get_variable_to_shape_map()
        groups = tuple(f"{group}/" for group in state)
        shapes = {name: shape for name, shape in shapes.items() if name.startswith(groups)}
        wanted = {name: variable.shape.as_list() for name, variable in variables.items()}
        differing = sorted(
            name for name in {*shapes, *wanted} if shapes.get(name) != wanted.get(name)
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


def groups(path) -> set:
    """The names of the groups in the checkpoint at `path`.

    Raises:
        Failure: it cannot be read.
    """
    with _reading(path) as reader:
        return {name.split("/")[0] for name in reader.get_variable_to_shape_map()}


def check_room(path, num_weights):
    """Refuses networks that the checkpoint at `path` cannot hold, before they are built.

    Raises:
        Failure: its files are too short for so many weights.
    """
    with contextlib.suppress(OSError):  # what is missing, reading explains
        most = os.path.getsize(os.path.join(path, FILES[1])) // 4
        if num_weights > most:
            raise Failure(
                f"The checkpoint {path} is of another architecture: it has at most {most} numbers, "
                f"and the networks of its config.json have {num_weights}."
            )


def note(path, name):
    """The content of the note `name` that was saved with the checkpoint at `path`.

    Raises:
        FileNotFoundError: there is none.
        Failure: it is damaged.
    """
    try:
        return read_json(os.path.join(path, name), object)
    except JSONFileError as error:
        raise Failure(f"The checkpoint {path} cannot be read: {error}. {REMOVE}") from None


@contextlib.contextmanager
def _reading(path):
    """Opens the checkpoint at `path`; where it cannot be read, also later, a `Failure` says why."""
    try:
        with tf_paths.plain_path(path) as plain:
            yield tf.train.load_checkpoint(os.path.join(plain, FILE))
    except (ValueError, IndexError, tf.errors.OpError) as error:  # IndexError: cut off
        reason = str(error).splitlines()[0]
        raise Failure(f"The checkpoint {path} cannot be read: {reason}. {_advice(path)}") from None


def _advice(path):
    """What to do about a checkpoint that cannot be read: only a bad one should be removed.

    It is bad where its files are gone, or the system gives all their bytes and TensorFlow, asked
    again, cannot use them. Where the system fails, they may be whole.
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
            f"Set that right, then start again."
        )
    except (ValueError, IndexError, tf.errors.OpError):
        return REMOVE
    return "A second attempt could read it: start again."


def _remove_oldest(run_folder, keep):
    for path in list(saved(run_folder).values())[:-keep]:
        atomic.remove(path)


def _write(folder, variables, notes):
    for name, content in notes.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(content, file)
    tf.raw_ops.SaveV2(
        prefix=os.fsencode(os.path.join(folder, FILE)),
        tensor_names=list(variables),
        shape_and_slices=[""] * len(variables),
        tensors=[variable.read_value() for variable in variables.values()],
    )


def _flat(state):
    return {
        f"{group}/{name}": variable
        for group, variables in state.items()
        for name, variable in variables.items()
    }
