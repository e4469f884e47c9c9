"""An official checkpoint folder: which checkpoint is meant, and what the folder's name tells.

The official program calls it, for example,
`UGATIT_light_selfie2anime_lsgan_4resblock_6dis_1_1_10_10_1000_sn_smoothing`: the model, the
dataset, gan_type, n_res, n_dis, n_critic, the weights adv, cycle, identity and cam, and sn and
smoothing where they are on.
"""

from __future__ import annotations

import ntpath
import os
import re

from ugatit_tf import tf_paths
from ugatit_tf.interchange.mapping import MappingError
from ugatit_tf.lazy import tf
from ugatit_tf.losses import ADVERSARIAL

STATE = "checkpoint"  # the file in which TensorFlow notes its newest checkpoint
# A name that a shell has completed may end with the dot in which its files begin to differ.
FILE_ENDING = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})?$")
WEIGHTS = ("adv_weight", "cycle_weight", "identity_weight", "cam_weight")
TOLD = ("gan_type", "n_critic", *WEIGHTS, "smoothing")  # by the name alone, not by shapes
NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?"
NAME = re.compile(
    rf"UGATIT(?P<light>_light)?_(?P<dataset>.+)_(?P<gan_type>{'|'.join(ADVERSARIAL)})"
    r"_(?P<n_res>[0-9]+)resblock_(?P<n_dis>[0-9]+)dis_(?P<n_critic>[0-9]+)_"
    + "_".join(f"(?P<{name}>{NUMBER})" for name in WEIGHTS)
    + "(?P<sn>_sn)?(?P<smoothing>_smoothing)?"
)
TYPES = {
    **dict.fromkeys(("light", "sn", "smoothing"), bool),
    **dict.fromkeys(("n_res", "n_dis", "n_critic"), int),
    **dict.fromkeys(WEIGHTS, float),
}


def chosen(path: str) -> str:
    """The prefix of the checkpoint that `path` names.

    Args:
        path: a prefix (`UGATIT.model-1000`), one of its files (`UGATIT.model-1000.index`), or what
            several checkpoints share: an official folder, the file `checkpoint` in it, or a
            prefix without its step (`UGATIT.model`). Of several it is the one that the file
            `checkpoint` names, or, where that is not there, the one of the largest step.

    Raises:
        FileNotFoundError: a folder without a checkpoint.
    """
    path = os.fspath(path)
    folder, name = os.path.split(path)
    if os.path.isdir(path):
        return _newest(path)
    if name == STATE and os.path.isfile(path):
        return _newest(folder)
    prefix = FILE_ENDING.sub("", path)
    folder, name = os.path.split(prefix)
    names = _names(folder)
    steps = [one for one in names if re.fullmatch(rf"{re.escape(name)}-[0-9]+", one)]
    if name in names or not steps:  # where there is none, `architecture` says so
        return prefix
    return _newest(folder, steps)


def _newest(folder, names=None):
    """The prefix of the newest checkpoint, of all in the folder or of those with these names."""
    names = names or _names(folder)
    if not names:
        raise FileNotFoundError(
            f"No TensorFlow checkpoint in {folder}. Expected files such as "
            f"UGATIT.model-1000.index and UGATIT.model-1000.data-00000-of-00001."
        )
    recorded = _recorded(folder)
    if recorded not in names:
        recorded = max(names, key=lambda name: (step_of(name) or -1, name))
    return os.path.join(folder, recorded)


def _names(folder):
    """The names of the checkpoints in a folder; none where there is no such folder."""
    folder = folder or os.curdir
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return [name[: -len(".index")] for name in names if name.endswith(".index")]


def _recorded(folder):
    """The name of the checkpoint that the file `checkpoint` says is the newest; "" if none."""
    with tf_paths.plain_path(folder or os.curdir) as plain:
        try:
            state = tf.train.get_checkpoint_state(plain)
        except UnicodeDecodeError:
            return ""
    # The folder may have been moved: what counts of a path is its last part.
    # It may be a path of Windows, and `ntpath` knows both kinds.
    return ntpath.basename(state.model_checkpoint_path) if state else ""


def step_of(prefix: str) -> int | None:
    """The step number at the end of an official checkpoint's name; None if there is none.

    >>> step_of("checkpoint/UGATIT.model-30000")
    30000
    """
    match = re.search(r"-([0-9]{1,18})$", os.path.basename(str(prefix)))
    return int(match.group(1)) if match else None


def options_of(path: str) -> dict:
    """The options that the name of a folder tells; empty if it is not an official name.

    Args:
        path: the folder, or the prefix or a file of a checkpoint in it.

    >>> options_of("UGATIT_horse2zebra_hinge_4resblock_6dis_1_1_10_10_1000_sn")["gan_type"]
    'hinge'
    """
    path = os.path.abspath(path)
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    match = NAME.fullmatch(os.path.basename(folder))
    if not match:
        return {}
    return {name: TYPES.get(name, str)(text or "") for name, text in match.groupdict().items()}


def agreed(options: dict, architecture: dict, path: str) -> dict:
    """The `options` of a folder's name that the shapes do not tell.

    A name that is wrong where it can be checked may be wrong where it cannot, and a wrong
    `smoothing` gives other images without an error. So it is refused.

    Args:
        architecture: the options that the shapes in the checkpoint tell.
        path: of the checkpoint, for the message.

    Raises:
        MappingError: the name contradicts the shapes.
    """
    wrong = [
        f"--{name} {value}, the checkpoint has {architecture[name]}"
        for name, value in options.items()
        if architecture.get(name, value) != value
    ]
    if wrong:
        raise MappingError(
            f"The folder of {path} has the name of another model: it says {'; '.join(wrong)}. "
            f"Give the folder another name, such as the run's, and name the options that the "
            f"checkpoint itself does not tell: {', '.join(f'--{name}' for name in TOLD)}."
        )
    return {name: value for name, value in options.items() if name not in architecture}
