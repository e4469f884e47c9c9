"""The test phase: both directions of a trained run over its test folders, and a page of results."""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import os
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from ugatit_tf import atomic
from ugatit_tf.config import Config
from ugatit_tf.data import folders, pipeline, presence
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.errors import Failure, counted
from ugatit_tf.images import image_array, image_file, panels
from ugatit_tf.images.report import Row, write_report
from ugatit_tf.progress import track
from ugatit_tf.translation import loading, paths
from ugatit_tf.translation.fit import CPU
from ugatit_tf.translation.generators import Result
from ugatit_tf.translation.streaming import Input
from ugatit_tf.translation.translator import Translator


def run_test(config: Config, which: str = "latest") -> str:
    """Translates testA to B and testB to A; one of the folders may be missing.

    Args:
        which: the "latest" checkpoint, the "best", or the "mean" of all.

    Returns:
        The path of the report page. The images are in folders next to it: `a2b`,
        `a2b_attention`, `b2a`, `b2a_attention` (no heatmaps where the model gives none).

    Raises:
        Failure: there is no checkpoint or no test folder, a generator gives NaN, XLA cannot
            compile the networks, or results were removed during the test.
    """
    test_folders = presence.test_folders(config.dataset_folder)
    translator = loading.from_run(config, which, fixed_size=True)
    sources = {name: folders.images_in(folder) for name, folder in test_folders.items()}
    step = os.path.basename(translator.source)
    parent = os.path.join(config.result_dir, config.run_name)
    atomic.remove_abandoned(*(folder for folder, _, _ in os.walk(parent)))
    folder = paths.make_fresh_folder(os.path.join(parent, step))
    report = os.path.join(folder, "index.html")
    facts = {
        "Checkpoint": translator.source,
        "Images": ", ".join(f"{len(p)} {DIRECTIONS[d].title}" for d, p in sources.items()),
        "Size": f"{config.img_size} x {config.img_size}",
    }
    with contextlib.closing(translate_all(translator, sources, folder)) as rows:
        write_report(report, rows, title=f"{config.run_name}, {step}", facts=facts)
    _refuse_removed(sources, folder)
    return report


def translate_all(
    translator: Translator, sources: dict[str, Sequence], folder: str
) -> Iterator[Row]:
    """Translates and writes images; yields a `Row` of the report for each, in their order.

    Args:
        sources: dict direction -> paths of images.
        folder: where the folders of the results are written.

    Raises:
        UnreadableImage: an image can no longer be read.
        OSError: a result cannot be written.
        Failure: a generator gives NaN, or XLA cannot compile the networks.
    """

    options = {"size": translator.size, "channels": translator.channels}
    options["antialias"] = translator.antialias

    def load(path_and_name):
        path, name = path_and_name
        with tf.device(CPU):
            image = pipeline.load(path, **options).numpy()
        return Input(image, details=(os.path.basename(path), name, image))

    for direction, images in sources.items():
        rows = translator.stream(
            zip(images, output_names(images)),
            load,
            functools.partial(_write_result, folder, direction),
            direction=direction,
            heatmap=True,
            reconstruct=True,
        )
        with contextlib.closing(rows):
            label = DIRECTIONS[direction].title
            yield from track(rows, len(images), unit="image", label=label)


def output_names(paths: Sequence) -> list[str]:
    """File names for translations: as the sources, but PNG, and no name twice.

    >>> output_names(["in/horse.jpg", "in/cat.jpg", "in/cat.png"])
    ['horse.png', 'cat.jpg.png', 'cat.png.png']
    """
    names = [os.path.basename(path) for path in paths]
    stems = [os.path.splitext(name)[0] for name in names]
    counts = collections.Counter(stem.lower() for stem in stems)
    used, results = set(), []
    for name, stem in zip(names, stems):
        base = name if counts[stem.lower()] > 1 else stem
        candidates = itertools.chain([base], (f"{base}_{n}" for n in itertools.count(2)))
        result = next(c for c in candidates if c.lower() not in used)
        used.add(result.lower())
        results.append(f"{result}.png")
    return results


def _write_result(folder, direction, details: tuple[str, str, np.ndarray], result: Result) -> Row:
    """Writes the translation and its heatmap; returns the row of the report."""
    source_name, name, source = details
    source, output = image_array.to_uint8(source), image_array.to_uint8(result.image)
    image_file.write(os.path.join(folder, direction, name), output)
    images = {"Input": source}
    if result.heatmaps.generator is not None:
        images["Heatmap"] = panels.overlay(source, result.heatmaps.generator)
        image_file.write(os.path.join(folder, f"{direction}_attention", name), images["Heatmap"])
    images.update({"Output": output, "Reconstruction": image_array.to_uint8(result.reconstruction)})
    return Row(source_name, DIRECTIONS[direction].title, images, link=f"{direction}/{name}")


def _refuse_removed(sources, folder):
    """Raises `Failure` where results are missing."""
    results = [
        os.path.join(folder, direction, name)
        for direction, images in sources.items()
        for name in output_names(images)
    ]
    removed = [path for path in results if not os.path.lexists(path)]
    if removed:
        raise Failure(
            f"{len(removed)} of {counted(len(results), 'result')} were removed meanwhile, e.g. "
            f"{removed[0]}. Start again."
        )
