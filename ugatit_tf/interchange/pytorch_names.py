"""Names and layouts of the official PyTorch checkpoint, beside ours.

Names and shapes are torch's; so are the orders of axes: kernels are [outputs, inputs, height,
width] there, and the features of the full model's MLP, like the singular vectors v, are ordered by
channel, then by place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ugatit_tf.interchange.mapping import MappingError

NETWORKS = {  # our path -> the name of the state_dict
    "a2b": "genA2B",
    "b2a": "genB2A",
    "discriminator_a/global_network": "disGA",
    "discriminator_b/global_network": "disGB",
    "discriminator_a/local_network": "disLA",
    "discriminator_b/local_network": "disLB",
}
RESIDUAL = 12  # the index of the first residual block in DownBlock
LAYERS = {  # our layer -> torch's; numbers a + b * i are counted from our index i
    r"stem/convolution": "DownBlock.1",
    r"down/(\d+)/convolution": (5, 4, "DownBlock.{}"),
    r"residual/(\d+)/convolution_1": (RESIDUAL, 1, "DownBlock.{}.conv_block.1"),
    r"residual/(\d+)/convolution_2": (RESIDUAL, 1, "DownBlock.{}.conv_block.5"),
    r"cam": "gap_fc",
    r"cam/maximum_head": "gmp_fc",
    r"cam/mixer": "conv1x1",
    r"mlp/(\d+)": (0, 2, "FC.{}"),
    r"gamma_head": "gamma",
    r"beta_head": "beta",
    r"adaptive/(\d+)/convolution_1": (1, 1, "UpBlock1_{}.conv1"),
    r"adaptive/(\d+)/convolution_2": (1, 1, "UpBlock1_{}.conv2"),
    r"adaptive/(\d+)/norm_1": (1, 1, "UpBlock1_{}.norm1"),
    r"adaptive/(\d+)/norm_2": (1, 1, "UpBlock1_{}.norm2"),
    r"up/(\d+)/convolution": (2, 5, "UpBlock2.{}"),
    r"up/(\d+)/norm": (3, 5, "UpBlock2.{}"),
    r"to_image": "UpBlock2.11",
    r"convolutions/(\d+)": (1, 3, "model.{}"),  # of a discriminator, as all below
    r"to_logit": "conv",
}
LEAVES = {"kernel": "weight", "u": "weight_u", "v": "weight_v"}  # others have the same name


class Tensor(NamedTuple):
    """A tensor of the official checkpoint, and how the numbers of our weight are ordered in it.

    Our array is reshaped to `places`, its axes are taken in the order `axes`, and the result is
    reshaped to `shape`.
    """

    network: str  # the name of its state_dict
    name: str
    shape: tuple
    places: tuple
    axes: tuple

    @property
    def path(self) -> str:
        return f"{self.network}.{self.name}"

    def from_ours(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(self.places).transpose(self.axes).reshape(self.shape)

    def to_ours(self, array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        there = [self.places[axis] for axis in self.axes]
        return np.float32(array).reshape(there).transpose(np.argsort(self.axes)).reshape(shape)


def tensors_of(weights: Mapping[str, tf.Variable]) -> dict[str, Tensor]:
    """our path -> its `Tensor`, of weights as `UGATIT.weights` names them, or of some networks.

    Raises:
        MappingError: the official program has no such layer.
    """
    return {path: _tensor(path, weights) for path in weights}


def _tensor(path, weights):
    network = next(ours for ours in NETWORKS if path.startswith(f"{ours}/"))
    layer, leaf = path[len(network) + 1 :].rsplit("/", 1)
    kernel = weights.get(f"{network}/{layer}/kernel")
    kernel = () if kernel is None else tuple(kernel.shape)
    depth = sum(re.fullmatch(rf"{network}/convolutions/\d+/kernel", p) is not None for p in weights)
    name = LEAVES.get(leaf, leaf)
    if leaf == "kernel" and f"{network}/{layer}/u" in weights:
        name += "_orig"
    layout = _layout(leaf, tuple(weights[path].shape), kernel)
    return Tensor(NETWORKS[network], f"{_layer_name(layer, depth)}.{name}", *layout)


def _layout(leaf, shape, kernel):
    """(torch's shape, places, axes) of our weight of this shape; see `Tensor`."""
    if leaf == "kernel" and len(kernel) == 4:
        height, width, inputs, outputs = shape
        return (outputs, inputs, height, width), shape, (3, 2, 0, 1)
    if leaf == "kernel":  # the inputs of the full model's MLP are places times channels
        inputs, outputs = shape
        return (outputs, inputs), (inputs // outputs, outputs, outputs), (2, 1, 0)
    if leaf == "v" and len(kernel) == 4:
        return (shape[-1],), kernel[:-1], (2, 0, 1)
    if leaf in ("u", "v", "bias"):
        return shape[-1:], shape[-1:], (0,)
    return (1, *shape, 1, 1), shape, (0,)  # of a normalization


def _layer_name(layer, depth):
    """torch's name of our layer; `depth` convolutions are before the last of a discriminator."""
    if layer == "last":
        layer = f"convolutions/{depth}"
    for ours, theirs in LAYERS.items():
        match = re.fullmatch(ours, layer)
        if match and isinstance(theirs, str):
            return theirs
        if match:
            first, step, name = theirs
            return name.format(first + step * int(match.group(1)))
    raise MappingError(f"The official PyTorch program has no layer {layer}.")
