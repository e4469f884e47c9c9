"""Small datasets and runs on disk, made without training."""

import contextlib
import os
import time

import numpy as np
import pytest

from tests import made
from ugatit_tf.images import image_file
from ugatit_tf.interchange import export
from ugatit_tf.interchange.formats import comparison
from ugatit_tf.networks.model import build_model
from ugatit_tf.phases import PHASES
from ugatit_tf.training import checkpoints
from ugatit_tf.training.step import Trainer
from ugatit_tf.translation.generators import Generators
from ugatit_tf.translation.streaming import Input
from ugatit_tf.translation.translator import Translator

# What a summary of a run holds that another run of the same options has not
UNREPEATABLE = ("seconds_per_step", "images_per_second", "memory_gb", "hours")
STEP = 3  # of the checkpoint that `make_run` writes
ODD_NAMES = (  # of folders and files, in which TensorFlow or a pattern sees something else
    "fotos [2020]", "a*b?", "back\\slash", os.fsdecode(b"not \xff UTF-8"),
)  # fmt: skip
PARTS = ("trainA", "trainB", "testA", "testB")


def repeatable(lines):
    """Lines of a history without what another run of the same options has not."""
    return [{k: v for k, v in line.items() if k not in UNREPEATABLE} for line in lines]


def odd(folder):
    """A new folder in `folder` whose name has all of `ODD_NAMES`, as far as the disk allows."""
    for name in ("".join(ODD_NAMES), "".join(ODD_NAMES[:-1])):
        try:
            (folder / name).mkdir()
            return folder / name
        except OSError:  # some systems take UTF-8 alone
            pass
    return folder


def config_in(root, **options):
    """A tiny configuration whose folders are all below `root`."""
    locations = {
        f"{name}_dir": str(root / folder)
        for name, folder in (
            ("dataset", "dataset"),
            ("checkpoint", "checkpoint"),
            ("result", "results"),
            ("log", "logs"),
            ("sample", "samples"),
            ("export", "export"),
        )
    }
    return made.tiny_config(**{"dataset": "tiny", "img_ch": 3, **locations, **options})


def write_images(folder, names, *, height=10, width=14, seed=0):
    """Writes images of noise, one under each name; returns their paths."""
    draw = np.random.default_rng(seed)
    paths = [os.path.join(folder, name) for name in names]
    for path in paths:
        image_file.write(path, draw.integers(0, 256, [height, width, 3], dtype=np.uint8))
    return paths


def write_dataset(folder, parts=PARTS, count=3):
    for number, part in enumerate(parts):
        names = [f"{part}_{i}.png" for i in range(count)]
        write_images(os.path.join(folder, part), names, seed=number)


def make_run(config, step=STEP):
    """Writes config.json and a checkpoint of `step` with made weights; returns the model."""
    model = build_model(config)
    trainer = Trainer(model, config)
    made.fill(model.weights())
    trainer.steps_done.assign(step)
    os.makedirs(config.run_folder)
    config.save(config.run_folder)
    checkpoints.save(config.run_folder, step, trainer.state())
    return model


def wait_for(condition, process=None, seconds=200):
    """Waits until `condition()` is true.

    Raises:
        AssertionError: the `subprocess.Popen` has ended, or the seconds are over.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"nothing happened in {seconds} seconds"
        if process is not None and process.poll() is not None:
            assert condition(), f"the process ended with code {process.returncode}"
            return
        time.sleep(0.02)


@contextlib.contextmanager
def killed_at_the_end(process):
    """Within it a `subprocess.Popen` may run; a test that fails leaves none behind."""
    try:
        yield process
    finally:
        process.kill()
        process.wait(60)
        if process.stdout:
            process.stdout.close()


def with_networks(translator, change):
    """The same translator, each of whose networks is what `change` makes of it."""
    generators = translator.generators
    networks = {name: change(network) for name, network in generators.networks.items()}
    return Translator(
        Generators(
            networks,
            generators.source,
            discriminators=generators.discriminators,
            size=generators.size,
            xla=generators.xla,
        ),
        size=translator.size,
        channels=translator.channels,
        any_size=translator.any_size,
        has_heatmap=translator.has_heatmap,
    )


def blind(network):
    """A change for `with_networks`: an image whose numbers are not finite."""

    def run(x):
        out = network(x)
        return out._replace(image=np.nan * out.image)

    return run


def results_of(translator, arrays, **options):
    """The `Result` of each array, as the networks give it."""
    return list(translator.stream(arrays, Input, lambda _, result: result, **options))


def bytes_below(folder) -> dict:
    """Path below `folder` -> content of every file."""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


@contextlib.contextmanager
def unchecked_exports():
    """Exports are not loaded again in processes of their own; tests/test_export.py does that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "_outputs_alone", lambda *_: {})
        patch.setattr(comparison, "outputs_alone", lambda *_: {})
        patch.setattr(comparison, "_note", lambda *_: None)
        yield


def run_phase(name, config, **options):
    """Runs a phase as the command line does."""
    phase = PHASES[name]
    phase.run(config, phase.options(**options))
