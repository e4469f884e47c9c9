"""Images in, images out: both directions of a trained run over its test folders.

While the networks work on a batch, threads decode the images of the next and encode those of
the last. A few batches are on the way at any time, so memory does not grow with the folders.
"""

import collections
import contextlib
import itertools
import os

import numpy as np
import tensorflow as tf

from ugatit_tf import atomic, threads
from ugatit_tf.data import folders, pipeline, presence
from ugatit_tf.errors import Failure, counted, reason
from ugatit_tf.images import image_array, image_file, panels
from ugatit_tf.images.report import Row, write_report
from ugatit_tf.networks import weight_count
from ugatit_tf.networks.model import build_model
from ugatit_tf.networks.shapes import refuse_not_finite
from ugatit_tf.progress import track
from ugatit_tf.training import checkpoints
from ugatit_tf.translation import devices
from ugatit_tf.translation.fit import CPU
from ugatit_tf.translation.model import BATCH

DIRECTIONS = {"a2b": ("testA", "A to B"), "b2a": ("testB", "B to A")}
NOT_COMPILED = (
    tf.errors.InternalError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.UnimplementedError,
)


def load(config, which="latest"):
    """(model, path of the checkpoint) with the latest weights of the run, or the best.

    The generators have their moving average, where the run keeps one (`--ema`).

    Raises:
        Failure: there is no checkpoint, or it cannot be used.
    """
    path = checkpoints.chosen(config.run_folder, which)
    checkpoints.check_room(path, weight_count.num_weights(config))
    model = build_model(config)
    checkpoints.restore(path, {"weights": model.weights()})
    if "average" in checkpoints.groups(path):
        weights = model.generator_weights()
        checkpoints.restore(path, {"average": weights})
    return model, path


def test(config, which="latest") -> str:
    """Translates testA to B and testB to A; either may be missing.

    Returns:
        The path of the report page. The images are in the folders beside it:
        `a2b`, `a2b_attention`, `b2a`, `b2a_attention` (without attention where the model has
        none).

    Raises:
        Failure: no checkpoint, neither test folder is there, a generator gives NaN, or results
            were removed meanwhile.
    """
    present = presence.test_folders(config.dataset_folder)
    model, checkpoint = load(config, which)
    sources = {direction: folders.images_in(folder) for direction, folder in present.items()}
    step, parent = os.path.basename(checkpoint), os.path.join(config.result_dir, config.run_name)
    atomic.remove_abandoned(*(folder for folder, _, _ in os.walk(parent)))
    folder = fresh_folder(os.path.join(parent, step))
    report = os.path.join(folder, "index.html")
    facts = {
        "Checkpoint": checkpoint,
        "Images": ", ".join(f"{len(p)} {DIRECTIONS[d][1]}" for d, p in sources.items()),
        "Size": f"{config.img_size} x {config.img_size}",
    }
    generators = {"a2b": model.a2b, "b2a": model.b2a}
    copies = devices.of_generators(generators, config, lambda made: _graphs(made, config))
    with contextlib.closing(translated(copies, config, sources, folder)) as rows:
        write_report(report, rows, title=f"{config.run_name}, {step}", facts=facts)
    _refuse_removed(sources, folder)
    return report


def networks(model, config) -> dict:
    """direction -> its generator as a graph for batches of any size, compiled with `--xla`."""
    return _graphs({"a2b": model.a2b, "b2a": model.b2a}, config)


def translated(networks, config, sources, folder):
    """Translates and writes images; yields a `Row` of the report for each, in their order.

    Args:
        networks: as from `networks`, or `Copies` of these.
        sources: dict direction -> paths of images.
        folder: where the folders of the results are.

    Raises:
        UnreadableImage: an image cannot be read any more.
        OSError: a result cannot be written.
        Failure: XLA cannot compile the networks.
    """
    copies = devices.copies_of(networks)
    for direction, paths in sources.items():
        yield from _translated(copies, config, direction, paths, folder)


def fresh_folder(path) -> str:
    """Makes and returns a folder that did not exist: `path`, else `path_2`, `path_3`, ..."""
    while True:
        folder = free_name(path)
        with contextlib.suppress(FileExistsError):  # another process was faster
            os.makedirs(folder)
            return folder


def free_name(path) -> str:
    """Where there is nothing: `path`, else `path_2`, `path_3`, ..."""
    names = itertools.chain([path], (f"{path}_{number}" for number in itertools.count(2)))
    return next(name for name in names if not os.path.lexists(name))


def _refuse_removed(sources, folder):
    """Raises `Failure` where results are not there any more."""
    paths = [
        os.path.join(folder, direction, name)
        for direction, images in sources.items()
        for name in output_names(images)
    ]
    removed = [path for path in paths if not os.path.lexists(path)]
    if removed:
        raise Failure(
            f"{len(removed)} of {counted(len(paths), 'result')} were removed meanwhile, e.g. "
            f"{removed[0]}. Start again."
        )


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


def _graphs(generators, config):
    images = tf.TensorSpec([None, config.img_size, config.img_size, config.img_ch])
    options = {"input_signature": [images], "jit_compile": config.xla or None}
    return {name: tf.function(generator, **options) for name, generator in generators.items()}


def _translated(copies, config, direction, paths, folder):
    other = "b2a" if direction == "a2b" else "a2b"

    def load(job):
        path, _ = job
        with tf.device(CPU):
            image = pipeline.load(path, size=config.img_size, channels=config.img_ch).numpy()
        return job, image

    def translate(batch):
        jobs, images = zip(*batch)
        missing = BATCH - len(images) if config.xla else 0  # XLA would compile for each size
        x = np.stack(images + images[-1:] * missing)

        def run(networks):
            with _refusal_of_xla(config):
                forth = networks[direction](x)
                cycled = networks[other](forth.image).image
            heat = forth.heatmap.numpy() if config.generator_cam else [None] * len(images)
            made = {direction: forth.image.numpy(), other: cycled.numpy()}
            for name, numbers in made.items():
                refuse_not_finite(numbers, f"{config.run_folder}: the generator {name}")
            return heat, *made.values()

        return list(zip(jobs, images, *copies.use(run)))

    def finish(item):
        (path, name), *images = item
        return _written(folder, direction, path, name, *images)

    jobs = zip(paths, output_names(paths))
    options = {"size": BATCH, "limit": 2 * BATCH, "devices": copies.count}
    rows = threads.staged(jobs, load, translate, finish, **options)
    with contextlib.closing(rows):
        yield from track(rows, len(paths), unit="image", label=DIRECTIONS[direction][1])


def _written(folder, direction, path, name, source, heatmap, image, cycled):
    """Writes what the networks made of the image at `path`; returns its row of the report."""
    shown, output = image_array.to_uint8(source), image_array.to_uint8(image)
    image_file.write(os.path.join(folder, direction, name), output)
    images = {"Input": shown}
    if heatmap is not None:
        images["Attention"] = panels.overlay(shown, heatmap)
        image_file.write(os.path.join(folder, f"{direction}_attention", name), images["Attention"])
    images.update({"Output": output, "Reconstruction": image_array.to_uint8(cycled)})
    title = DIRECTIONS[direction][1]
    return Row(os.path.basename(path), title, images, link=f"{direction}/{name}")


@contextlib.contextmanager
def _refusal_of_xla(config):
    """With `--xla`, what TensorFlow says in the body when it cannot compile is a `Failure`."""
    try:
        yield
    except NOT_COMPILED as error:
        if not config.xla:
            raise
        raise Failure(
            f"XLA cannot compile the networks: {reason(error)}. Use --xla False."
        ) from error
