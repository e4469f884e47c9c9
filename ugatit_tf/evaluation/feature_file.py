"""Features from any network in an ONNX file, computed by ONNX Runtime on the processor."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np
import tensorflow as tf

from ugatit_tf.data.storage import digest_of_file
from ugatit_tf.errors import Failure, reason
from ugatit_tf.evaluation.features import FILTERS, resized
from ugatit_tf.images import image_file

COMPARABLE = (
    "These are not features of Inception. Compare only with figures of the same file, size, "
    "normalization and numbers of images, never with those of papers."
)


@dataclasses.dataclass(frozen=True)
class FeatureFile:
    """How features are computed: of RGB values x from 0 to 255, resized, (x - mean) / std.

    Attributes:
        path: the ONNX file. It has one input, float32 [batch, 3, size, size] or
            [batch, size, size, 3], and one output [batch, features].
        size: pixels; 0 where the file says it.
        mean, std: of R, G and B.
        resize: as for `features.resized`.
    """

    path: str
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: str = "bilinear"

    def words(self) -> str:
        """What metrics.json and the tables say of the features."""
        mean, std = (
            ",".join(f"{number:g}" for number in (part[:1] if len(set(part)) == 1 else part))
            for part in (self.mean, self.std)
        )
        size = f"{self.size} x {self.size} pixels" if self.size else "pixels as the file says"
        return (
            f"{os.path.basename(self.path)}, SHA-256 {digest_of_file(self.path)[:12]}; {size}, "
            f"{FILTERS[self.resize]}; (x - {mean}) / {std}, x from 0 to 255"
        )

    def comparable(self) -> str:
        """With which figures those of these features may be compared."""
        return COMPARABLE


class FileExtractor:
    """The network of a `FeatureFile`.

    Attributes:
        protocol: the `FeatureFile`, with its size.

    Raises:
        Failure: the file is no such network; the message says what it has.
    """

    def __init__(self, protocol: FeatureFile) -> None:
        self.session = _session(protocol.path)
        (self.input,), (output,) = (
            _only(protocol.path, name, values)
            for name, values in (
                ("input", self.session.get_inputs()),
                ("output", self.session.get_outputs()),
            )
        )
        if self.input.type != "tensor(float)":
            raise _unusable(protocol.path, f"has an input of {self.input.type}")
        self.channels_first, size = _layout(protocol.path, list(self.input.shape))
        if protocol.size and size and protocol.size != size:
            raise Failure(
                f"--features_size {protocol.size}: {protocol.path} takes images of {size} x {size} "
                f"pixels. Leave the option out."
            )
        if not (protocol.size or size):
            raise Failure(
                f"{protocol.path} takes images of any size: say with --features_size at which it "
                f"was trained, e.g. 224."
            )
        self.protocol = dataclasses.replace(protocol, size=protocol.size or size)
        batch = self.input.shape[0]
        self.batch = batch if isinstance(batch, int) and batch > 0 else None
        self.key = f"{self.protocol.words()}/{digest_of_file(protocol.path)}/{image_file.DECODING}"
        blank = np.zeros([1, self.protocol.size, self.protocol.size, 3], np.uint8)
        self.num_features = self(blank).shape[1]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """uint8 [batch, height, width, 3] or [..., 1] to float32 [batch, num_features]."""
        images = np.asarray(images)
        if images.shape[-1] == 1:
            images = np.repeat(images, 3, -1)
        protocol = self.protocol
        images = tf.cast(images, tf.float32)
        inputs = resized(images, protocol.size, protocol.resize).numpy()
        inputs = (inputs - np.float32(protocol.mean)) / np.float32(protocol.std)
        if self.channels_first:
            inputs = inputs.transpose(0, 3, 1, 2)  # [B, 3, H, W]
        size = self.batch or len(inputs)
        starts = range(0, len(inputs), size)
        return np.concatenate([self._run(inputs[start : start + size]) for start in starts])

    def _run(self, inputs):
        """Features of at most as many inputs as the file takes at once."""
        count, missing = len(inputs), (self.batch or len(inputs)) - len(inputs)
        filled = np.concatenate([inputs, np.repeat(inputs[-1:], missing, 0)])
        try:
            (found,) = self.session.run(None, {self.input.name: np.ascontiguousarray(filled)})
        except Exception as error:  # whatever the runtime raises
            raise Failure(f"--features {self.protocol.path} fails: {reason(error)}") from None
        shape = list(np.shape(found))
        if len(shape) < 2 or shape[0] != len(filled) or np.prod(shape[1:]) != max(shape[1:]):
            raise _unusable(self.protocol.path, f"gives {shape} for {len(filled)} images")
        return np.float32(found).reshape(len(filled), -1)[:count]


def _session(path: str) -> Any:
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # whatever the runtime raises
        raise Failure(f"--features {path} is not a usable ONNX file: {reason(error)}") from None


def _only(path, name, values):
    if len(values) != 1:
        names = ", ".join(value.name for value in values) or "none"
        raise _unusable(path, f"has the {name}s {names}")
    return values


def _layout(path, shape):
    """(whether the channels come before the sides, the sides in pixels or 0 if the file has none).

    Sizes that may vary are texts or None.
    """
    if len(shape) == 4 and 3 in (shape[1], shape[3]):
        is_first = shape[1] == 3
        sides = shape[2:] if is_first else shape[1:3]
        fixed = {side for side in sides if isinstance(side, int) and side > 0}
        if len(fixed) <= 1:
            return is_first, fixed.pop() if fixed else 0
    raise _unusable(path, f"has an input {shape}")


def _unusable(path, received):
    return Failure(
        f"--features {path} {received}. Expected one input, float32 [batch, 3, size, size] or "
        f"[batch, size, size, 3], and one output, [batch, features]."
    )
