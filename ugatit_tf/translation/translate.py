"""Pictures in, pictures out: both directions of a trained run over its test folders."""

import collections
import itertools
import os

import tensorflow as tf
from tqdm import tqdm

from ugatit_tf.data import folders, pipeline
from ugatit_tf.networks.model import build_model
from ugatit_tf.pictures import files, panels
from ugatit_tf.pictures.report import Row, write_report
from ugatit_tf.runtime import Failure
from ugatit_tf.training import checkpoints

DIRECTIONS = {"a2b": ("testA", "A to B"), "b2a": ("testB", "B to A")}


def load(config, which="latest"):
    """(model, path of the checkpoint) with the latest weights of the run, or the best.

    The generators have their moving average, where the run keeps one (`--ema`).

    Raises:
        Failure: there is no checkpoint, or it cannot be used.
    """
    path = checkpoints.chosen(config.run_folder, which)
    model = build_model(config)
    checkpoints.restore(path, {"weights": model.weights()})
    if "average" in checkpoints.groups(path):
        weights = model.generator_weights()
        checkpoints.restore(path, {"average": weights})
    return model, path


def test(config, which="latest") -> str:
    """Translates testA to B and testB to A; either may be missing.

    Returns:
        The path of the report page. The pictures are in the folders beside it:
        `a2b`, `a2b_attention`, `b2a`, `b2a_attention`.

    Raises:
        Failure: no checkpoint, or neither test folder is there.
    """
    present = {
        direction: os.path.join(config.dataset_folder, part)
        for direction, (part, _) in DIRECTIONS.items()
        if os.path.isdir(os.path.join(config.dataset_folder, part))
    }
    if not present:
        raise Failure(
            f"Neither testA nor testB in {config.dataset_folder}. Expected pictures in at least "
            f"one of them."
        )
    model, checkpoint = load(config, which)
    sources = {direction: folders.pictures_in(folder) for direction, folder in present.items()}
    step = os.path.basename(checkpoint)
    folder = fresh_folder(os.path.join(config.result_dir, config.run_name, step))
    rows = (
        row
        for direction, paths in sources.items()
        for row in _translated(model, config, direction, paths, folder)
    )
    report = os.path.join(folder, "index.html")
    facts = {
        "Checkpoint": checkpoint,
        "Pictures": ", ".join(f"{len(p)} {DIRECTIONS[d][1]}" for d, p in sources.items()),
        "Size": f"{config.img_size} x {config.img_size}",
    }
    write_report(report, rows, title=f"{config.run_name}, {step}", facts=facts)
    return report


def fresh_folder(path) -> str:
    """Makes and returns a folder that did not exist: `path`, else `path_2`, `path_3`, ..."""
    number, folder = 1, path
    while True:
        try:
            os.makedirs(folder)
            return folder
        except FileExistsError:
            number += 1
            folder = f"{path}_{number}"


def output_names(paths) -> list:
    """File names for the translations: as the sources, as PNG, and none twice.

    >>> output_names(["in/horse.jpg", "in/cat.jpg", "in/cat.png"])
    ['horse.png', 'cat.jpg.png', 'cat.png.png']
    """
    names = [os.path.basename(path) for path in paths]
    stems = [os.path.splitext(name)[0] for name in names]
    shared = collections.Counter(stem.lower() for stem in stems)
    taken, found = set(), []
    for name, stem in zip(names, stems):
        base = name if shared[stem.lower()] > 1 else stem
        tries = itertools.chain([base], (f"{base}_{number}" for number in itertools.count(2)))
        chosen = next(one for one in tries if one.lower() not in taken)
        taken.add(chosen.lower())
        found.append(f"{chosen}.png")
    return found


def _translated(model, config, direction, paths, folder):
    """Translates and writes the pictures at `paths` one by one; yields rows of the report."""
    there, back = (model.a2b, model.b2a) if direction == "a2b" else (model.b2a, model.a2b)
    size, channels = config.img_size, config.img_ch

    @tf.function(input_signature=[tf.TensorSpec([1, size, size, channels])])
    def translate(image):
        forth = there(image)
        return forth.image[0], forth.heatmap[0], back(forth.image).image[0]

    title = DIRECTIONS[direction][1]
    for path, name in zip(tqdm(paths, desc=title, unit="picture"), output_names(paths)):
        source = pipeline.load(path, size=size, channels=channels)
        image, heatmap, cycled = (value.numpy() for value in translate(source[None]))
        shown = files.to_uint8(source.numpy())
        attention = panels.overlay(shown, heatmap)
        output = files.to_uint8(image)
        files.write(os.path.join(folder, direction, name), output)
        files.write(os.path.join(folder, f"{direction}_attention", name), attention)
        images = {
            "Input": shown,
            "Attention": attention,
            "Output": output,
            "Reconstruction": files.to_uint8(cycled),
        }
        yield Row(os.path.basename(path), title, images, link=f"{direction}/{name}")
