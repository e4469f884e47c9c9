"""The built-in dataset: two unpaired domains of faces, drawn by a program from a seed.

Domain A is lit and grainy like a photograph and has small eyes; domain B is flat
like a cartoon and has large ones. Both share pose, hair, skin and background, so a
translator has to change shape (eyes, chin) and texture (light, grain), and nothing
else. `eye_area` and `shading` measure the two changes on any image.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ugatit_tf import atomic
from ugatit_tf.data.canvas import Canvas
from ugatit_tf.data.faces import cartoon, noise, photograph
from ugatit_tf.data.person import random_person
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.images import image_file
from ugatit_tf.jsonfile import JSONFileError, read_json

PAINTERS = {"A": photograph, "B": cartoon}
VERSION = 1  # to be raised when the same arguments draw another image
FIRST_TEST_INDEX = 1_000_000  # training images count from 0
SMALLEST = 8  # below this an eye is less than a pixel

CHANGES = {  # direction -> what it translates, and what the shading becomes
    "a2b": ("photographs to cartoons", "flat colors"),
    "b2a": ("cartoons to photographs", "light and grain"),
}

SUPERSAMPLING = 2  # edges are anti-aliased already; this keeps thin lines even


def draw(domain: str, index: int, *, size: int = 128, seed: int = 0) -> np.ndarray:
    """Draws a face, uint8 [size, size, 3]; the same arguments give the same image."""
    if domain not in PAINTERS:
        raise ValueError(
            f"Unknown `domain`. Expected one of {sorted(PAINTERS)}. Received: {domain!r}"
        )
    if size < SMALLEST:
        raise ValueError(f"Expected a `size` of at least {SMALLEST} pixels. Received: {size}")
    rng = np.random.default_rng([seed, ord(domain), index])
    person = random_person(rng)
    canvas = Canvas(size * SUPERSAMPLING, shift=person.shift, zoom=person.zoom, tilt=person.tilt)
    grain = PAINTERS[domain](canvas, person, rng)
    pixels = np.clip(canvas.rgb + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    pixels = np.asarray(Image.fromarray(pixels).reduce(SUPERSAMPLING), np.float32)
    for cells, amount in grain:
        pixels = pixels + amount * noise(rng, cells, size)[:, :, None]
    return np.clip(pixels + 0.5, 0, 255).astype(np.uint8)


def examples(count: int = 3, *, size: int = 128) -> list[np.ndarray]:
    """Pictures to translate, free to share: faces of domain A that no model was trained on.

    Returns:
        list of uint8 [size, size, 3].
    """
    return [draw("A", FIRST_TEST_INDEX + i, size=size) for i in range(count)]


def write_dataset(
    folder: str | os.PathLike, *, size: int, train: int = 300, test: int = 30, seed: int = 0
) -> None:
    """Writes trainA, trainB, testA and testB into `folder`, all of it or nothing.

    Args:
        size: pixels of the images' sides.
        train, test: the number of training and of test images in each domain.

    Raises:
        FileExistsError: the folder exists and was not written with the same arguments.
    """
    if min(train, test) < 1:
        raise ValueError(
            f"Expected at least one image in each split. Received: train={train}, test={test}"
        )
    folder = pathlib.Path(folder)
    arguments = {"size": size, "train": train, "test": test, "seed": seed, "version": VERSION}
    if folder.exists():
        _check_same(folder, arguments)
        return
    atomic.remove_abandoned(folder.parent)
    with atomic.folder(folder) as temporary:
        temporary = pathlib.Path(temporary)
        for kind, first, count in (("train", 0, train), ("test", FIRST_TEST_INDEX, test)):
            for domain in PAINTERS:
                split = temporary / f"{kind}{domain}"
                split.mkdir(parents=True)
                for i in range(count):
                    face = draw(domain, first + i, size=size, seed=seed)
                    Image.fromarray(face).save(split / f"face_{i + 1:05d}.png")
        (temporary / "demo.json").write_text(json.dumps(arguments, indent=2) + "\n")


def _check_same(folder, arguments):
    """Raises unless `folder` was written with these arguments."""
    try:
        others = read_json(folder / "demo.json")
    except (OSError, JSONFileError):
        others = None
    if others == arguments:
        return
    problem = "was not written by the demo"
    if isinstance(others, dict):
        differences = "; ".join(
            f"{name} is {others.get(name)}, not {value}"
            for name, value in arguments.items()
            if others.get(name) != value
        )
        problem = f"holds another demo dataset: {differences}"
    raise FileExistsError(
        f"{folder} exists and {problem}. Choose another folder, or remove this one first."
    )


def eye_area(images: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the fraction of each image that is dark eye, float [N].

    Only pupils, irises and lashes are drawn this dark between brow and cheek.
    """
    images = np.asarray(images)
    height, width = images.shape[1:3]
    band = images[:, int(0.38 * height) : int(0.76 * height), int(0.14 * width) : int(0.86 * width)]
    darkness = np.clip((90 - band.max(-1).astype(np.float64)) / 35, 0, 1)
    return darkness.sum((1, 2)) / (height * width)


def shading(images: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the mean gray step between neighbours in the calmer half, float [N].

    Edges are in the other half. The calmer half holds light and grain, and is 0 where flat.
    """
    gray = np.asarray(images, np.float64).mean(-1)
    steps = [np.abs(np.diff(gray, axis=axis)).reshape(len(gray), -1) for axis in (1, 2)]
    steps = np.sort(np.concatenate(steps, 1), 1)
    return steps[:, : steps.shape[1] // 2].mean(1)


def percent_of_way(before: np.ndarray, after: np.ndarray, target: np.ndarray) -> float:
    """Returns how far the mean went from `before` to `target`, in percent."""
    start, end = np.mean(before), np.mean(target)
    return float(100 * (np.mean(after) - start) / (end - start))


def summarize_results(dataset_folder: str, results: str) -> list[str]:
    """Returns what a test shows, in words: how far it moved what a translation must change.

    Args:
        dataset_folder: the drawn dataset, with testA and testB.
        results: the folder of the test, with a2b and b2a or one of them.
    """
    lines = ["What the model has learned, on test images that it has not seen:"]
    for direction in DIRECTIONS.values():
        folders = (
            os.path.join(dataset_folder, direction.source_folder),
            os.path.join(results, direction.name),
            os.path.join(dataset_folder, direction.target_folder),
        )
        if not all(map(os.path.isdir, folders)):
            continue
        images = [_images_in(folder) for folder in folders]
        eyes, shades = (percent_of_way(*map(measure, images)) for measure in (eye_area, shading))
        domains, shaded = CHANGES[direction.name]
        lines.append(
            f"  {direction.title}, {domains}: {_percent(eyes)} of the way in the size of the eyes, "
            f"{_percent(shades)} in {shaded}"
        )
    return [*lines, "0% is an image left as it was, 100% the mean of the other domain."]


def _percent(number):
    """As people read it; images of a few pixels have no eyes to measure."""
    return f"{round(number)}%" if np.isfinite(number) else "an unknown part"


def _images_in(folder):
    names = sorted(os.listdir(folder))
    return np.stack([image_file.read(os.path.join(folder, name)) for name in names])
