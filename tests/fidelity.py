"""Compares this program with numbers that the official programs computed.

    python -m tests.fidelity [--plant ERROR | --xla] FOLDER...

Each folder holds config.json, an official checkpoint, of TensorFlow or PyTorch, and expected.npz.
Prints the error of every group against its tolerance; exits 1 if one is over, 2 if a folder cannot
be used.
`--plant` puts an error of one part in a thousand into this program, which must then be over;
`--xla` compiles its steps with XLA.
"""

import dataclasses
import functools
import json
import os
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from tests import trajectory
from tests.tolerances import OF_A_STEP, rounding
from ugatit_tf.config import Config
from ugatit_tf.interchange import official_pytorch, official_tf
from ugatit_tf.layers.moments import mixed_coefficients, normalize, pixels_of
from ugatit_tf.layers.normalization import LIN
from ugatit_tf.layers.weights import layers_in
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
    "length of a step": OF_A_STEP,  # relative, of the first one: the median over the weights
    "rho at its edges": rounding(16),  # how far a step takes it over 0, 1 or the length of a step
    "trajectory": trajectory.TOLERANCE,
    "ensemble": trajectory.FACTOR,
}
ONE_STEP = 2e-5
CHECKPOINTS = "*.index", "*_params_[0-9]*.pt"  # TensorFlow's, and PyTorch's
STATES = ("/u", ".weight_u", ".weight_v")  # of spectral normalization, in official names


def errors(folder, load=None) -> dict:
    """group -> error, for one folder; `load` makes the trainer, if not `loaded`."""
    folder = Path(folder)
    config, checkpoint, steps = read_setting(folder)
    expected = dict(np.load(folder / "expected.npz"))
    reals = tf.constant(expected["real_A"]), tf.constant(expected["real_B"])

    trainer = (load or loaded)(config, checkpoint)
    official = official_arrays(trainer.model, config)
    found = {
        "generator": _worst_map(
            expected, "generator", generator_outputs(trainer.model, expected, *reals)
        ),
        "discriminator": _worst_map(
            expected, "discriminator", discriminator_outputs(trainer.model, expected, *reals)
        ),
    }
    losses, gradients = trainer.losses_and_gradients(
        *reals, alpha=trajectory.FIXED, eps=trajectory.FIXED
    )
    wanted = official_losses(_group(expected, "loss"), config)
    found["losses"] = max(_relative(float(losses[tag]), value) for tag, value in wanted.items())
    wanted = _group(expected, "gradient")
    found.update(_gradient_errors(wanted, official(gradients)))
    if found["generator gradients"] > TOLERANCES["generator gradients"]:
        found["generator gradients"] = _nearest_gradients(trainer, reals, wanted, official)

    reals = expected["real_A"], expected["real_B"]
    start = trajectory.Start(trainer)
    first = trajectory.run(trainer, reals, 1)
    wanted = _group(expected, "after_one_step")
    found["after one step"] = _moved_apart(wanted, official(trainer.model.weights()))
    found["length of a step"] = _length_error(
        wanted, official(start.weights), official(trainer.model.weights()), config
    )
    losses = np.concatenate([first, trajectory.run(trainer, reals, steps - 1)])
    found["rho at its edges"] = start.beyond_edges(reals, config.lr)
    found.update(
        trajectory.judge(losses, expected["trajectory"], lambda: start.ensemble(reals, steps))
    )
    return found


def read_setting(folder):
    """(Config, checkpoint, number of steps) of a folder."""
    options = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if "framework" not in options:
        steps = options.pop("steps")
        checkpoint = folder / f"{options.pop('model_name')}.model-1"
        return Config(**options), checkpoint, steps
    for name in ("framework", "weight_decay"):
        del options[name]
    options.update({name: float(v) for name, v in options.items() if name.endswith("_weight")})
    (checkpoint,) = folder.glob(CHECKPOINTS[1])
    steps = len(np.load(folder / "expected.npz")["trajectory"])
    return Config(flavor="pytorch", **options), checkpoint, steps


def loaded(config, checkpoint):
    """A trainer whose model and optimizers hold an official checkpoint."""
    trainer = Trainer(build_model(config), config)
    if config.flavor == "pytorch":
        official_pytorch.restore(trainer.model, checkpoint)
    else:
        optimizers = trainer.generator_optimizer, trainer.discriminator_optimizer
        official_tf.restore(trainer.model, checkpoint, optimizers)
    return trainer


def official_arrays(model, config):
    """A function of our weights, or their gradients, to official name -> array."""
    if config.flavor == "pytorch":
        tensors = official_pytorch.tensors_of(model.weights())
        return lambda ours: {
            tensors[path].path: tensors[path].from_ours(np.asarray(value))
            for path, value in ours.items()
        }
    return lambda ours: {
        official_tf.official_name(path, sn=config.sn): np.asarray(value)
        for path, value in ours.items()
    }


def official_losses(wanted, config) -> dict:
    """our tag -> official loss. The PyTorch program counts a cycle to the other generator."""
    if config.flavor == "tensorflow":
        return wanted
    changed = dict(wanted, G_A_cycle=wanted["G_B_cycle"], G_B_cycle=wanted["G_A_cycle"])
    for side in "AB":
        moved = changed[f"G_{side}_cycle"] - wanted[f"G_{side}_cycle"]
        changed[f"G_{side}_loss"] = wanted[f"G_{side}_loss"] + moved
    return changed


def generator_outputs(model, expected, real_a, real_b) -> dict:
    """Brings back the expected fakes, so that an error of the first pass does not count twice."""
    outputs = {
        "ab": model.a2b(real_a),
        "ba": model.b2a(real_b),
        "aba": model.b2a(tf.constant(expected["generator/ab/image"])),
        "bab": model.a2b(tf.constant(expected["generator/ba/image"])),
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


def _gradient_errors(wanted, ours):
    found = {}
    for kind in ("generator", "discriminator"):
        names = [name for name in wanted if name.startswith(kind[:3])]  # torch: genA2B, disGA
        difference = _norm(ours[name].reshape(wanted[name].shape) - wanted[name] for name in names)
        found[f"{kind} gradients"] = difference / _norm(wanted[name] for name in names)
    return found


def _nearest_gradients(trainer, reals, wanted, official):
    """The error of the generators' gradients in the nearest of several runs on noisy images.

    If one ReLU, one sign in an L1 loss or one place of a maximum switches, the gradient jumps. So
    there must be a run, on images with noise of the size of rounding, that jumps as the official
    program did; a wrong formula has none.
    """
    nearest, runs = np.inf, 0
    while nearest > TOLERANCES["generator gradients"] and runs < 2 * trajectory.MEMBERS:
        draw = np.random.default_rng(runs)
        noisy = [trajectory.noisy(real, draw) for real in reals]
        gradients = trainer.losses_and_gradients(*noisy)[1]
        error = _gradient_errors(wanted, official(gradients))["generator gradients"]
        nearest, runs = min(nearest, error), runs + 1
    print(f"  generator gradients: the nearest of {runs} runs with noise is taken")
    return nearest


def _moved_apart(wanted, ours):
    apart = [
        np.abs(ours[name].reshape(value.shape) - value) > ONE_STEP for name, value in wanted.items()
    ]
    return sum(map(np.sum, apart)) / sum(map(np.size, apart))


def _length_error(wanted, before, after, config):
    """Adam's first step is as long as the rate, wherever the gradient is far above epsilon."""
    ratios = {"gen": [], "dis": []}
    for name, official in wanted.items():
        weight = before[name]
        if not name.endswith(STATES):
            moved = np.abs(official.reshape(weight.shape) - weight)
            clear = moved > 0.99 * config.lr
            ratios[name[:3]].append(np.abs(after[name] - weight)[clear] / moved[clear])
    return max(abs(np.median(np.concatenate(values)) - 1) for values in ratios.values())


def _norm(arrays):
    return np.sqrt(sum(np.square(np.asarray(array, np.float64)).sum() for array in arrays))


def _relative(found, wanted):
    return np.abs(found - wanted) / np.abs(wanted)


def _planted(change):
    """A `load` whose trainer is `loaded` with a changed configuration."""
    return lambda config, path: loaded(dataclasses.replace(config, **change(config)), path)


def _with_narrow_rho(config, checkpoint):
    """Clips rho to [0, 0.999]."""
    trainer = loaded(config, checkpoint)
    optimizer = trainer.generator_optimizer
    apply = optimizer.apply

    def planted(gradients, rate):
        apply(gradients, rate)
        for path, weight in optimizer.weights.items():
            if path.endswith("/rho"):
                weight.assign(tf.minimum(weight, 1 / PLANTED))

    optimizer.apply = planted
    return trainer


def _with_wide_variances(config, checkpoint):
    """Makes the variances of the mixed normalizations a thousandth larger."""
    trainer = loaded(config, checkpoint)

    def coefficients(mean, variance, *parameters, **options):
        return mixed_coefficients(mean, PLANTED * variance, *parameters, **options)

    for generator in (trainer.model.a2b, trainer.model.b2a):
        for _, layer in layers_in(generator):
            if isinstance(layer, LIN):
                layer._normalized = functools.partial(_normalized_by, coefficients, layer)
    return trainer


def _normalized_by(coefficients, layer, x, gamma, beta):
    pixels = pixels_of(x) if layer.unbiased else None
    options = {"epsilon": layer.epsilon, "unbiased_of": pixels}
    coefficients = functools.partial(coefficients, **options)
    return normalize(x, coefficients, layer._mix(), gamma, beta)


PLANTED = 1.001
PLANTS = {  # name -> a `load` that puts an error of a thousandth into the trainer
    "lr": _planted(lambda config: {"lr": PLANTED * config.lr}),
    "cycle_weight": _planted(lambda config: {"cycle_weight": PLANTED * config.cycle_weight}),
    "rho": _with_narrow_rho,
    "variance": _with_wide_variances,
}


def _what_is_missing(folder):
    """Why a folder cannot be compared with; "" if it can."""
    if not os.path.exists(os.path.join(folder, "expected.npz")):
        return f"No expected.npz in {folder}."
    if not any(any(Path(folder).glob(pattern)) for pattern in CHECKPOINTS):
        return f"No checkpoint of a whole model in {folder}."
    return ""


def main(folders, load=None) -> int:
    if folders[:1] == ["--plant"] and folders[1:2] and folders[1] in PLANTS:
        return main(folders[2:], PLANTS[folders[1]])
    if folders[:1] == ["--xla"]:
        return main(folders[1:], _planted(lambda config: {"xla": True}))
    if not folders or folders[0].startswith("--"):
        print(
            f"Usage: python -m tests.fidelity [--plant {'|'.join(PLANTS)} | --xla] FOLDER...",
            file=sys.stderr,
        )
        return 2
    tf.config.experimental.enable_tensor_float_32_execution(False)  # NVIDIA GPUs round to 10 bits
    folders = [name for name in folders if not os.path.isfile(name)]  # `golden/*`: with a README
    if missing := list(filter(None, map(_what_is_missing, folders))):
        print(*missing, sep="\n", file=sys.stderr)
        return 2
    over = 0
    for folder in folders:
        print(f"{os.path.basename(os.path.normpath(folder))}  (TensorFlow {tf.__version__})")
        for group, error in errors(folder, load).items():
            verdict = "ok" if error <= TOLERANCES[group] else "OVER"
            over += verdict == "OVER"
            print(f"  {group:24} {error:10.2e}  tolerance {TOLERANCES[group]:.0e}  {verdict}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
