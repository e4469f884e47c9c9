"""Compares this program with numbers that the official TensorFlow graph computed.

    python -m tests.fidelity FOLDER...

Each folder holds config.json, an official checkpoint and expected.npz. Prints the error of
every group against its tolerance; exits 1 if one is over, 2 if a folder cannot be used.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from ugatit_tf.config import Config
from ugatit_tf.interchange import official_tf
from ugatit_tf.networks.model import build_model
from ugatit_tf.training.step import Trainer

# Official kernels on one machine differ among themselves by a sixth to a third of these.
TOLERANCES = {
    "generator": 3e-4,  # max |difference| / max |expected|
    "discriminator": 3e-4,
    "losses": 1e-5,  # relative
    "generator gradients": 1e-4,  # norm of the difference / norm of all gradients of the set
    "discriminator gradients": 1e-4,
    "after one step": 0.005,  # part of the weights that differ by more than 2e-5
    "trajectory": 2e-4,  # relative
}
FIXED = 0.5  # alpha and eps of the penalties
ONE_STEP = 2e-5


def errors(folder, load=None) -> dict:
    """group -> error, for one folder; `load` makes the trainer, if not `loaded`."""
    folder = Path(folder)
    config, prefix, steps = read_setting(folder)
    expected = dict(np.load(folder / "expected.npz"))
    real_a, real_b = tf.constant(expected["real_A"]), tf.constant(expected["real_B"])

    trainer = (load or loaded)(config, prefix)
    found = {
        "generator": _worst_map(
            expected, "generator", generator_outputs(trainer.model, real_a, real_b)
        ),
        "discriminator": _worst_map(
            expected,
            "discriminator",
            discriminator_outputs(trainer.model, expected, real_a, real_b),
        ),
    }
    losses, gradients = trainer.losses_and_gradients(real_a, real_b, alpha=FIXED, eps=FIXED)
    wanted = _group(expected, "loss")
    found["losses"] = max(_relative(float(losses[tag]), value) for tag, value in wanted.items())
    found.update(_gradient_errors(_group(expected, "gradient"), gradients, config.sn))

    trajectory = []
    for index in range(steps):
        scalars = trainer.step(real_a, real_b, alpha=FIXED, eps=FIXED)
        trajectory.append(
            [float(scalars[f"{kind}_loss"]) for kind in ("Discriminator", "Generator")]
        )
        if index == 0:
            weights = trainer.model.weights()
            found["after one step"] = _moved_apart(
                _group(expected, "after_one_step"), weights, config.sn
            )
    found["trajectory"] = _relative(np.array(trajectory), expected["trajectory"]).max()
    return found


def read_setting(folder):
    """(Config, checkpoint prefix, number of steps) of a folder."""
    options = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    steps = options.pop("steps")
    prefix = folder / f"{options.pop('model_name')}.model-1"
    return Config(**options), prefix, steps


def loaded(config, prefix):
    """A trainer whose model and optimizers hold the checkpoint at `prefix`."""
    trainer = Trainer(build_model(config), config)
    official_tf.restore(
        trainer.model, prefix, (trainer.generator_optimizer, trainer.discriminator_optimizer)
    )
    return trainer


def generator_outputs(model, real_a, real_b) -> dict:
    ab, ba = model.a2b(real_a), model.b2a(real_b)
    outputs = {
        "ab": ab,
        "ba": ba,
        "aba": model.b2a(ab.image),
        "bab": model.a2b(ba.image),
        "aa": model.b2a(real_a),
        "bb": model.a2b(real_b),
    }
    return {
        f"{name}/{part}": value
        for name, output in outputs.items()
        for part, value in output._asdict().items()
    }


def discriminator_outputs(model, expected, real_a, real_b) -> dict:
    """Judges the expected fakes, so that an error of the generators does not count twice."""
    inputs = {
        "real_A": (model.discriminator_a, real_a),
        "real_B": (model.discriminator_b, real_b),
        "fake_A": (model.discriminator_a, tf.constant(expected["generator/ba/image"])),
        "fake_B": (model.discriminator_b, tf.constant(expected["generator/ab/image"])),
    }
    return {
        f"{name}/{depth}/{part}": value
        for name, (discriminator, images) in inputs.items()
        for depth, judged in zip(("local", "global"), discriminator(images))
        for part, value in judged._asdict().items()
    }


def _group(expected, prefix):
    """name without prefix -> array. A group that is not there would pass unseen."""
    found = {k[len(prefix) + 1 :]: v for k, v in expected.items() if k.startswith(f"{prefix}/")}
    if not found:
        raise ValueError(f"expected.npz has no array below {prefix}/.")
    return found


def _worst_map(expected, prefix, outputs):
    wanted = _group(expected, prefix)
    return max(
        np.abs(np.squeeze(outputs[name]) - np.squeeze(value)).max() / np.abs(value).max()
        for name, value in wanted.items()
    )


def _gradient_errors(wanted, gradients, sn):
    ours = {official_tf.official_name(path, sn=sn): value for path, value in gradients.items()}
    found = {}
    for kind in ("generator", "discriminator"):
        names = [name for name in wanted if name.startswith(kind)]
        difference = _norm(ours[n].numpy().reshape(wanted[n].shape) - wanted[n] for n in names)
        found[f"{kind} gradients"] = difference / _norm(wanted[n] for n in names)
    return found


def _moved_apart(wanted, weights, sn):
    ours = {official_tf.official_name(path, sn=sn): w for path, w in weights.items()}
    apart = [
        np.abs(ours[name].numpy().reshape(value.shape) - value) > ONE_STEP
        for name, value in wanted.items()
    ]
    return sum(map(np.sum, apart)) / sum(map(np.size, apart))


def _norm(arrays):
    return np.sqrt(sum(np.sum(np.square(np.float64(array))) for array in arrays))


def _relative(found, wanted):
    return np.abs(found - wanted) / np.abs(wanted)


def main(folders, load=None) -> int:
    if not folders:
        print("Usage: python -m tests.fidelity FOLDER...", file=sys.stderr)
        return 2
    over = 0
    for folder in folders:
        if not os.path.exists(os.path.join(folder, "expected.npz")):
            if os.path.isdir(folder):
                print(f"No expected.npz in {folder}.", file=sys.stderr)
                return 2
            continue  # so that `golden/*` may hold a README
        print(f"{os.path.basename(os.path.normpath(folder))}  (TensorFlow {tf.__version__})")
        for group, error in errors(folder, load).items():
            verdict = "ok" if error <= TOLERANCES[group] else "OVER"
            over += verdict == "OVER"
            print(f"  {group:24} {error:10.2e}  tolerance {TOLERANCES[group]:.0e}  {verdict}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
