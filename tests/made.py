"""What tests are made of: seeded numbers, small configurations, weights that matter."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ugatit_tf.config import Config
from ugatit_tf.keras_settings import raw
from ugatit_tf.layers.weights import named_weights

TINY = {
    "light": True,
    "ch": 2,
    "n_res": 1,
    "n_dis": 2,
    "img_size": 8,
    "img_ch": 1,
    "epoch": 7,
    "iteration": 11,
    "decay_epoch": 3,
}


def half_kernels_are_cut_off():
    """Whether oneDNN is held below a processor that TensorFlow still asks for half kernels.

    It then fails or crashes in each of them. TF_ENABLE_ONEDNN_OPTS=0 is what a processor without
    AVX-512 does with half numbers.
    """
    processor = Path("/proc/cpuinfo")
    return (
        not os.environ.get("ONEDNN_MAX_CPU_ISA", "AVX512").startswith("AVX512")
        and os.environ.get("TF_ENABLE_ONEDNN_OPTS") != "0"
        and processor.exists()
        and bool(re.search(r"^flags.* avx512", processor.read_text(), re.MULTILINE))
    )


needs_half = pytest.mark.skipif(
    half_kernels_are_cut_off(), reason="ONEDNN_MAX_CPU_ISA cuts off TensorFlow's half kernels."
)


def tiny_config(**options):
    return Config(**{**TINY, **options})


def counting(shape):
    """1, 2, 3, ... in float32."""
    return np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)


def numbers(*shape, seed=0):
    """Normal numbers in float32."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def images(*shape, seed=0):
    """Uniform numbers in [-1, 1)."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def levels(*shape, seed=0):
    """Uniform whole numbers from 0 to 255 in uint8."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def fill(weights, seed=0):
    """Gives every weight a value at which its part shows, and returns path -> array.

    Kernels keep the size of signals; gamma is around 1; rho is anywhere in [0, 1].
    """
    draw = np.random.default_rng(seed)
    for path, weight in weights.items():
        kind, shape = path.rsplit("/", 1)[-1], weight.shape.as_list()
        value = draw.normal(size=shape)
        if kind == "kernel":
            value /= np.sqrt(np.prod(shape[:-1]))
        elif kind == "rho":
            value = draw.uniform(size=shape)
        elif kind in ("bias", "beta", "gamma"):
            value = 0.3 * value + (kind == "gamma")
        weight.assign(value)
    return arrays(weights)


def filled(layer, seed=0):
    """Fills a layer that has been built. Returns path below the layer -> array."""
    return fill(named_weights(layer), seed)


def arrays(weights):
    return {path: raw(weight).numpy().copy() for path, weight in weights.items()}


def gradients(function, *inputs):
    """(output, gradients of its sum with respect to the inputs), as arrays."""
    inputs = [tf.constant(x) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = tf.reduce_sum(function(*inputs))
    return output.numpy(), [g.numpy() for g in tape.gradient(output, inputs)]
