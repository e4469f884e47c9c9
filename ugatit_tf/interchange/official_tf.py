"""Reads checkpoints of the official TensorFlow 1 program (github.com/taki0112/UGATIT)."""

from __future__ import annotations

import contextlib
import math
import os
import re

import tensorflow as tf

from ugatit_tf import tf_paths
from ugatit_tf.errors import reason
from ugatit_tf.interchange import official_folder
from ugatit_tf.interchange.mapping import MappingError, assign
from ugatit_tf.interchange.source import Source
from ugatit_tf.networks.model import UGATIT

NETWORKS = {
    "a2b": "generator_B",  # the official name of a generator is the domain that it makes
    "b2a": "generator_A",
    "discriminator_a/local_network": "discriminator_A/local",
    "discriminator_a/global_network": "discriminator_A/global",
    "discriminator_b/local_network": "discriminator_B/local",
    "discriminator_b/global_network": "discriminator_B/global",
}
LAYERS = {
    r"stem/convolution": r"conv/conv2d",
    r"stem/norm": r"ins_norm",
    r"down/(\d+)/convolution": r"conv_\1/conv2d",
    r"down/(\d+)/norm": r"ins_norm_\1",
    r"residual/(\d+)/convolution_(\d)": r"resblock_\1/res\2/conv_0/conv2d",
    r"residual/(\d+)/norm_(\d)": r"resblock_\1/res\2/instance_norm",
    r"cam": r"CAM_logit",
    r"cam/mixer": r"conv_1x1/conv2d",
    r"mlp/(\d+)": r"MLP/linear_\1/dense",
    r"gamma_head": r"MLP/gamma/dense",
    r"beta_head": r"MLP/beta/dense",
    r"adaptive/(\d+)/convolution_(\d)": r"adaptive_resblock\1/res\2/conv_0/conv2d",
    r"adaptive/(\d+)/norm_(\d)": r"adaptive_resblock\1/res\2/instance_layer_norm",
    r"up/(\d+)/convolution": r"up_conv_\1/conv2d",
    r"up/(\d+)/norm": r"layer_ins_norm_\1",
    r"to_image": r"G_logit/conv2d",
}
DISCRIMINATOR_LAYERS = {  # a layer without spectral normalization has a further scope, conv2d
    r"convolutions/(\d+)": r"conv_\1",
    r"last": r"conv_last",
    r"to_logit": r"D_logit",
}
SLOTS = {"m": "Adam", "v": "Adam_1"}
POWERS = {"beta_1_power": "beta1_power", "beta_2_power": "beta2_power"}


def find(path: str) -> Source:
    """The checkpoint that `path` names, in one of the ways of `official_folder.chosen`.

    Raises:
        FileNotFoundError: no checkpoint there.
        MappingError: not one of the official program, or its folder has another model's name.
    """
    prefix = official_folder.chosen(path)
    shapes = architecture(prefix)
    return Source(
        path=prefix,
        step=official_folder.step_of(prefix),
        architecture=shapes,
        options=official_folder.agreed(official_folder.options_of(prefix), shapes, prefix),
        untold=official_folder.TOLD,
        named="NAME-1000",
        check_room=lambda num_weights: check_room(prefix, num_weights),
        restore=lambda model, optimizers: restore(model, prefix, optimizers),
    )


def official_name(path: str, *, sn: bool) -> str:
    """The official variable of the weight at `path`.

    >>> official_name("a2b/down/0/norm/gamma", sn=True)
    'generator_B/ins_norm_0/gamma'
    >>> official_name("discriminator_a/local_network/last/kernel", sn=False)
    'discriminator_A/local/conv_last/conv2d/kernel'
    """
    plain = "" if sn else "/conv2d"
    table = {**LAYERS, **{ours: name + plain for ours, name in DISCRIMINATOR_LAYERS.items()}}
    network = next(ours for ours in NETWORKS if path.startswith(ours + "/"))
    layer, leaf = path[len(network) + 1 :].rsplit("/", 1)
    for ours, official in table.items():
        match = re.fullmatch(ours, layer)
        if match:
            return f"{NETWORKS[network]}/{match.expand(official)}/{leaf}"
    raise MappingError(f"The table of official names lacks {path}.")


def restore(model: UGATIT, prefix: str, optimizers: tuple | None = None) -> None:
    """Loads an official checkpoint into `model`, all or nothing.

    Args:
        model: UGATIT of the same architecture; see `architecture`.
        prefix: str. The path without `.index`, e.g. `checkpoint/UGATIT_.../UGATIT.model-1000000`.
        optimizers: (generators' Adam, discriminators' Adam) or None. Their slots are loaded
            too, if the checkpoint has them.

    Raises:
        FileNotFoundError: no checkpoint at `prefix`.
        MappingError: a variable is missing, left over, or has another shape.
    """
    arrays = read(prefix)
    slots = {name: arrays.pop(name) for name in sorted(arrays) if _is_optimizer_state(name)}
    weights = model.weights()
    sn = not all(role.trained for role in model.roles().values())

    targets = {path: (weight, official_name(path, sn=sn)) for path, weight in weights.items()}
    if optimizers and slots:
        arrays.update(slots)
        for index, optimizer in enumerate(optimizers):
            targets.update(_optimizer_targets(optimizer, index, sn))
    assign(
        {key: variable for key, (variable, _) in targets.items()},
        arrays,
        lambda key: targets[key][1],
        source=str(prefix),
    )


def read(prefix: str) -> dict:
    """name -> array of every variable in the checkpoint at `prefix`."""
    with _reader(prefix) as reader:
        names = reader.get_variable_to_shape_map()
        try:
            return {name: reader.get_tensor(name) for name in names}
        except (ValueError, IndexError, tf.errors.OpError) as error:  # IndexError: cut off
            raise MappingError(f"The checkpoint {prefix} cannot be read: {reason(error)}") from None


def architecture(prefix: str) -> dict:
    """The options that the shapes in a checkpoint tell: of `Config`, without `smoothing`.

    Raises:
        FileNotFoundError: no checkpoint at `prefix`.
        MappingError: not a checkpoint of the official program.
    """
    with _reader(prefix) as reader:
        shapes = reader.get_variable_to_shape_map()
    try:
        *_, img_ch, ch = shapes["generator_B/conv/conv2d/kernel"]
        inputs, wide = shapes["generator_B/MLP/linear_0/dense/kernel"]
    except (KeyError, ValueError):
        raise MappingError(
            f"{prefix} is not a checkpoint of the official U-GAT-IT program: it has no "
            f"generator_B/conv/conv2d/kernel and generator_B/MLP/linear_0/dense/kernel."
        ) from None
    options = {
        "flavor": "tensorflow",
        "light": inputs == wide,
        "ch": ch,
        "img_ch": img_ch,
        "n_res": _count(r"generator_B/resblock_\d+", shapes),
        "n_dis": _count(r"discriminator_A/global/conv_\d+(?=/)", shapes) + 1,
        "sn": "discriminator_A/global/conv_0/u" in shapes,
        "decoder_norm": "adalin",  # the official program knows no other
        "generator_cam": True,
        "discriminator_cam": True,
    }
    if not options["light"]:
        options["img_size"] = 4 * math.isqrt(inputs // max(wide, 1))
    return options


def check_room(prefix: str, num_weights: int) -> None:
    """Refuses networks that the checkpoint at `prefix` cannot hold, before they are built.

    Raises:
        MappingError: its files are too short for so many weights.
    """
    folder, name = os.path.split(os.fspath(prefix))
    paths = [os.path.join(folder, one) for one in os.listdir(folder or os.curdir)]
    data = [path for path in paths if os.path.basename(path).startswith(f"{name}.data-")]
    most = sum(map(os.path.getsize, data)) // 4
    if num_weights > most:
        raise MappingError(
            f"{prefix} is not whole: it has at most {most} numbers, and by its own names and "
            f"shapes there are {num_weights}."
        )


@contextlib.contextmanager
def _reader(prefix):
    """Opens a checkpoint, until the context ends."""
    folder, name = os.path.split(os.fspath(prefix))
    with tf_paths.plain_path(folder) as plain:
        try:
            reader = tf.train.load_checkpoint(os.path.join(plain, name))
        except (ValueError, tf.errors.OpError):  # ValueError: a name that is not UTF-8
            raise FileNotFoundError(
                f"No TensorFlow checkpoint at {prefix}. Expected a folder with one, or the path of "
                f"its files without the ending, e.g. NAME.model-1000 for NAME.model-1000.index; "
                f"in that name, without {' '.join(tf_paths.MAGIC)}."
            ) from None
        yield reader


def _count(pattern, names):
    return len({match.group() for match in (re.match(pattern, name) for name in names) if match})


def _is_optimizer_state(name):
    return name.endswith(("/Adam", "/Adam_1")) or re.match(r"beta[12]_power", name)


def _optimizer_targets(optimizer, index, sn):
    """key -> (variable, official name). The generators' optimizer, index 0, came first."""
    suffix = f"_{index}" if index else ""
    state = optimizer.state()
    targets = {}
    for key, variable in state.items():
        kind, _, path = key.partition("/")
        if kind in POWERS:
            name = POWERS[kind] + suffix
        else:
            name = f"{official_name(path, sn=sn)}/{SLOTS[kind]}"
        targets[f"optimizer {index}/{key}"] = (variable, name)
    return targets
