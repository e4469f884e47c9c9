"""Makes the small goldens of this folder from the large ones that the official graph wrote.

    python -m tests.trim_golden LARGE_FOLDER SMALL_FOLDER

Keeps the weights and what a mistake would show in; leaves out the optimizers' slots (all
zero), most pictures, and the gradients and updates of the largest kernels. Of the PyTorch program
the light model is kept so, as a file in the format of 2019; of its full model one generator, as
people keep them, in the newer format.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from ugatit_tf.interchange import official_tf, torch_file, torch_writer

LARGEST = {"gradient": 512, "after_one_step": 2304}  # elements of an array that is kept
PICTURES = ("generator/ab/image", "generator/ba/image")


def trim(large, small):
    large, small = Path(large), Path(small)
    small.mkdir(parents=True)
    shutil.copy(large / "config.json", small)
    options = json.loads((large / "config.json").read_text(encoding="utf-8"))
    if "framework" not in options:
        _trim_variables(large, small)
    elif options["light"]:
        shutil.copy(large / "toy_params_legacy.pt", small / "toy_params_0000001.pt")
    else:
        state = torch_file.read(str(large / "toy_params_0000001.pt"))
        torch_writer.write(small / "genA2B.pt", state["genA2B"])
    kept = _is_kept if options["light"] else _is_of_one_generator
    with np.load(large / "expected.npz") as arrays:
        arrays = {name: arrays[name] for name in arrays if kept(name, arrays[name])}
    np.savez_compressed(small / "expected.npz", **arrays)


def _trim_variables(large, small):
    prefix = next(large.glob("*.index")).with_suffix("")
    weights = {k: v for k, v in official_tf.read(prefix).items() if not _is_slot(k)}
    tf.raw_ops.SaveV2(
        prefix=str(small / prefix.name),
        tensor_names=list(weights),
        shape_and_slices=[""] * len(weights),
        tensors=list(weights.values()),
    )


def _is_slot(name):
    return name.endswith(("/Adam", "/Adam_1")) or name.startswith(("beta1_power", "beta2_power"))


def _is_kept(name, array):
    group = name.split("/")[0]
    if group in LARGEST:
        return array.size <= LARGEST[group]
    return not name.endswith("/image") or name in PICTURES


def _is_of_one_generator(name, _):
    return name == "real_A" or name.startswith("generator/ab/")


if __name__ == "__main__":
    trim(*sys.argv[1:])
