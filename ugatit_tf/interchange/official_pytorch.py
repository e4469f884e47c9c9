"""The checkpoint of the official PyTorch program: a dict of six state_dicts, read and written."""

from __future__ import annotations

import math
import os
import re
from typing import IO

import numpy as np

from ugatit_tf.errors import listed
from ugatit_tf.interchange import mapping, official_folder, torch_file, torch_writer
from ugatit_tf.interchange.mapping import MappingError
from ugatit_tf.interchange.pytorch_names import NETWORKS, tensors_of
from ugatit_tf.interchange.source import Source
from ugatit_tf.layers.weights import named_weights
from ugatit_tf.networks.model import UGATIT

STATE_DICTS = tuple(NETWORKS.values())
GENERATORS = {"genA2B": "a2b", "genB2A": "b2a"}
FIRST = "DownBlock.1.weight"  # of every generator
SUFFIXES = (".pt", ".pth", ".bin", ".safetensors")


def find(path: str) -> Source:
    """Reads the checkpoint at `path`.

    Raises:
        FileNotFoundError: no such file.
        Failure: it cannot be read, or is not of the official program.
    """
    state = _read(path)
    lone = not any(name not in GENERATORS for name in state)
    return Source(
        path=path,
        step=_step_of(path),
        architecture=_architecture(state, path),
        options={},
        untold=official_folder.WEIGHTS,
        named="NAME_params_0100000.pt",
        check_room=lambda num_weights: _check_room(num_weights, state, path),
        restore=lambda model, optimizers: _assign(model.weights(), state, path),
        lone_generators=tuple(GENERATORS[name] for name in state) if lone else (),
        restore_generator=lambda generator: _assign(
            named_weights(generator, generator.name),
            {
                name: tensors
                for name, tensors in state.items()
                if GENERATORS[name] == generator.name
            },
            path,
        ),
    )


def restore(model: UGATIT, path: str | os.PathLike) -> None:
    """Loads an official checkpoint into `model`, all or nothing.

    Args:
        model: UGATIT of the flavor "pytorch" and of the checkpoint's architecture.
        path: a file of `torch.save`, in either of its formats, or a .safetensors file. torch is not
            needed, and nothing in the file is executed.

    Raises:
        FileNotFoundError: no such file.
        Failure: it cannot be read.
        MappingError: a tensor is missing, left over, or has another shape.
    """
    path = os.fspath(path)
    _assign(model.weights(), _read(path), path)


def write(file: str | os.PathLike | IO[bytes], model: UGATIT) -> None:
    """Writes the weights of `model`, of the flavor "pytorch", for the official PyTorch program.

    Args:
        file: as in `torch_writer.write`.

    Raises:
        MappingError: the official program has no such networks.
    """
    weights = model.weights()
    state = {name: {} for name in STATE_DICTS}
    for path, tensor in tensors_of(weights).items():
        state[tensor.network][tensor.name] = tensor.from_ours(weights[path].numpy())
    torch_writer.write(file, state)


def _read(path) -> dict:
    """name of a network -> its state_dict; of all six, or of generators alone."""
    state = _state_dicts(torch_file.read(path), path)
    missing = [name for name in STATE_DICTS if name not in state]
    if missing and not set(state) <= set(GENERATORS):
        raise MappingError(
            f"{path} lacks {', '.join(missing)}. Expected {', '.join(STATE_DICTS)}, or generators "
            f"alone."
        )
    return state


def _state_dicts(content, path):
    """The state_dicts in what a file held: nested or flat ones, or that of one generator."""
    nested = {name: value for name, value in content.items() if isinstance(value, dict)}
    if not nested:
        for key, value in content.items():
            network, _, name = _plain(key).partition(".")
            if network in STATE_DICTS:
                nested.setdefault(network, {})[name] = value
    if not nested and FIRST in map(_plain, content):
        nested = {_network_named_in(path): content}
    others = sorted(set(nested) - set(STATE_DICTS))
    if others or not nested:
        raise MappingError(
            f"{path} is not a checkpoint of the official PyTorch program: expected the state_dicts "
            f"{', '.join(STATE_DICTS)}, or that of a generator. Received: "
            f"{listed(others or sorted(map(str, content)))}"
        )
    state = {name: nested[name] for name in STATE_DICTS if name in nested}
    return {
        name: {_plain(key): value for key, value in tensors.items()}
        for name, tensors in state.items()
    }


def _plain(key):
    """A name without what `torch.nn.DataParallel` puts before it."""
    return str(key).replace("module.", "")


def _network_named_in(path):
    """Which generator a file holds, by its name; a state_dict does not tell."""
    return "genB2A" if re.search("b2a", os.path.basename(path), re.IGNORECASE) else "genA2B"


def _step_of(path):
    """The step in an official file name, `NAME_params_0100000.pt`; None where it has none."""
    match = re.search(r"_params_([0-9]{1,18})\.[a-z]+$", os.path.basename(path))
    return int(match.group(1)) if match else None


def _architecture(state, path) -> dict:
    generator = next(iter(state.values()))
    try:
        ch, img_ch, *_ = generator[FIRST].shape
        wide, inputs = generator["FC.0.weight"].shape
    except (KeyError, ValueError, AttributeError):
        raise MappingError(
            f"{path} is not a checkpoint of the official PyTorch program: its generator has no "
            f"{FIRST} and FC.0.weight, or of other shapes."
        ) from None
    options = {
        "flavor": "pytorch",
        "light": inputs == wide,
        "ch": ch,
        "img_ch": img_ch,
        "n_res": _count(r"DownBlock\.\d+\.conv_block\.1\.weight", generator),
        "smoothing": False,
        "decoder_norm": "adalin",  # the official program knows no other
        "generator_cam": True,
        "discriminator_cam": True,
    }
    if not options["light"]:
        options["img_size"] = 4 * math.isqrt(inputs // max(wide, 1))
    if "disGA" in state:
        options["n_dis"] = _count(r"model\.\d+\.weight(_orig)?", state["disGA"])
        options["sn"] = "conv.weight_orig" in state["disGA"]
    return options


def _check_room(num_weights, state, path):
    """Refuses networks that the file cannot hold, before they are built.

    Where it lacks less than half, the tensors that are missing or misshaped are worth a look.
    """
    found = sum(np.size(value) for named in state.values() for value in named.values())
    if num_weights > 2 * found:
        raise MappingError(
            f"{path} is damaged: its shapes are of networks with {num_weights} numbers, and it has "
            f"{found}."
        )


def _count(pattern, names):
    return sum(re.fullmatch(pattern, name) is not None for name in names)


def _assign(weights, state, path):
    """Copies the tensors of `state` into `weights`, all or none."""
    tensors = tensors_of(weights)
    arrays = {
        f"{network}.{name}": value
        for network, named in state.items()
        for name, value in named.items()
    }
    numbers = {name: value for name, value in arrays.items() if isinstance(value, np.ndarray)}
    mapping.check({tensor.path: tensor.shape for tensor in tensors.values()}, numbers, source=path)
    for ours, tensor in tensors.items():
        weight = weights[ours]
        weight.assign(tensor.to_ours(numbers[tensor.path], weight.shape))
