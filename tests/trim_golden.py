"""Makes the small goldens of this folder from the large ones that the official graph wrote.

    python -m tests.trim_golden LARGE_FOLDER SMALL_FOLDER

Keeps the weights and what a mistake would show in; leaves out the optimizers' slots (all
zero), most pictures, and the gradients and updates of the largest kernels.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from ugatit_tf.interchange import official_tf

LARGEST = {"gradient": 512, "after_one_step": 2304}  # elements of an array that is kept
PICTURES = ("generator/ab/image", "generator/ba/image")


def trim(large, small):
    large, small = Path(large), Path(small)
    small.mkdir(parents=True)
    shutil.copy(large / "config.json", small)
    prefix = next(large.glob("*.index")).with_suffix("")
    weights = {k: v for k, v in official_tf.read(prefix).items() if not _is_slot(k)}
    tf.raw_ops.SaveV2(
        prefix=str(small / prefix.name),
        tensor_names=list(weights),
        shape_and_slices=[""] * len(weights),
        tensors=list(weights.values()),
    )
    with np.load(large / "expected.npz") as arrays:
        kept = {name: arrays[name] for name in arrays if _is_kept(name, arrays[name])}
    np.savez_compressed(small / "expected.npz", **kept)


def _is_slot(name):
    return name.endswith(("/Adam", "/Adam_1")) or name.startswith(("beta1_power", "beta2_power"))


def _is_kept(name, array):
    group = name.split("/")[0]
    if group in LARGEST:
        return array.size <= LARGEST[group]
    return not name.endswith("/image") or name in PICTURES


if __name__ == "__main__":
    trim(*sys.argv[1:])
