"""The built-in dataset: two unpaired domains of faces, drawn by program and seed.

Domain A is lit and grainy like a photograph and has small eyes; domain B is flat
like a cartoon and has large ones. Both share pose, hair, skin and background, so a
translator has to change shape (eyes, chin) and texture (light, grain), and nothing
else. `eye_area` and `shading` measure the two changes on any image.
"""

import json
import os
import pathlib

import numpy as np
from PIL import Image

from ugatit_tf import atomic
from ugatit_tf.data.canvas import Canvas
from ugatit_tf.data.faces import cartoon, noise, person, photograph
from ugatit_tf.images import files
from ugatit_tf.jsonfile import JSONFileError, read_json

PAINTERS = {"A": photograph, "B": cartoon}
VERSION = 1  # raise it when the same arguments draw another image
FIRST_TEST_INDEX = 1_000_000  # training images count from 0
SMALLEST = 8  # below this an eye is less than a pixel

SUPERSAMPLING = 2  # edges are anti-aliased already; this keeps thin lines even


def draw(domain, index, *, size=128, seed=0):
    """Returns one face, uint8 [size, size, 3]; the same arguments give the same image."""
    if domain not in PAINTERS:
        raise ValueError(
            f"Unknown `domain`. Expected one of {sorted(PAINTERS)}. Received: {domain!r}"
        )
    if size < SMALLEST:
        raise ValueError(f"Expected a `size` of at least {SMALLEST} pixels. Received: {size}")
    rng = np.random.default_rng([seed, ord(domain), index])
    who = person(rng)
    canvas = Canvas(size * SUPERSAMPLING, shift=who.shift, zoom=who.zoom, tilt=who.tilt)
    grain = PAINTERS[domain](canvas, who, rng)
    pixels = np.clip(canvas.rgb + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    pixels = np.asarray(Image.fromarray(pixels).reduce(SUPERSAMPLING), np.float32)
    for cells, amount in grain:
        pixels = pixels + amount * noise(rng, cells, size)[:, :, None]
    return np.clip(pixels + 0.5, 0, 255).astype(np.uint8)


def write_dataset(folder, *, size, train=300, test=30, seed=0):
    """Writes trainA, trainB, testA and testB into `folder`, all of it or nothing.

    A folder made with the same arguments is kept; any other is a FileExistsError.
    """
    if min(train, test) < 1:
        raise ValueError(
            f"Expected at least one image in each part. Received: train={train}, test={test}"
        )
    folder = pathlib.Path(folder)
    made_with = {"size": size, "train": train, "test": test, "seed": seed, "version": VERSION}
    if folder.exists():
        check_same(folder, made_with)
        return
    atomic.remove_abandoned(folder.parent)
    with atomic.folder(folder) as beside:
        unfinished = pathlib.Path(beside)
        for split, first, count in (("train", 0, train), ("test", FIRST_TEST_INDEX, test)):
            for domain in PAINTERS:
                part = unfinished / f"{split}{domain}"
                part.mkdir(parents=True)
                for i in range(count):
                    face = draw(domain, first + i, size=size, seed=seed)
                    Image.fromarray(face).save(part / f"face_{i + 1:05d}.png")
        (unfinished / "demo.json").write_text(json.dumps(made_with, indent=2) + "\n")


def check_same(folder, made_with):
    """Raises unless `folder` was written with these arguments."""
    try:
        found = read_json(folder / "demo.json")
    except (OSError, JSONFileError):
        found = None
    if found == made_with:
        return
    problem = "was not written by the demo"
    if isinstance(found, dict):
        different = [name for name in made_with if found.get(name) != made_with[name]]
        listed = "; ".join(f"{n} is {found.get(n)}, not {made_with[n]}" for n in different)
        problem = f"holds another demo dataset: {listed}"
    raise FileExistsError(
        f"{folder} exists and {problem}. Choose another folder, or remove this one first."
    )


def eye_area(images):
    """Returns the fraction of each image that is dark eye, float [N].

    Only pupils, irises and lashes are drawn this dark between brow and cheek.
    """
    images = np.asarray(images)
    height, width = images.shape[1:3]
    band = images[:, int(0.38 * height) : int(0.76 * height), int(0.14 * width) : int(0.86 * width)]
    darkness = np.clip((90 - band.max(-1).astype(np.float64)) / 35, 0, 1)
    return darkness.sum((1, 2)) / (height * width)


def shading(images):
    """Returns the mean grey step between neighbours in the calmer half, float [N].

    Edges are in the other half; what is left is light and grain, and 0 where flat.
    """
    grey = np.asarray(images, np.float64).mean(-1)
    steps = [np.abs(np.diff(grey, axis=axis)).reshape(len(grey), -1) for axis in (1, 2)]
    steps = np.sort(np.concatenate(steps, 1), 1)
    return steps[:, : steps.shape[1] // 2].mean(1)


def moved(before, after, target):
    """Returns how far the mean went from `before` to `target`, in percent."""
    start, end = np.mean(before), np.mean(target)
    return float(100 * (np.mean(after) - start) / (end - start))


def how_far(dataset_folder, results) -> list:
    """Lines on how far a test moved what a translation must change: eyes and shading.

    Shading is how much brightness changes from one pixel to the next away from edges: A is drawn
    as a photograph, with light and grain, and B as a cartoon, flat.

    Args:
        dataset_folder: the drawn dataset, with testA and testB.
        results: the folder of the test, with a2b and b2a or one of them.
    """
    lines = []
    for source, target in ("AB", "BA"):
        folders = (
            os.path.join(dataset_folder, f"test{source}"),
            os.path.join(results, f"{source}2{target}".lower()),
            os.path.join(dataset_folder, f"test{target}"),
        )
        if all(map(os.path.isdir, folders)):
            before, after, aim = map(_images_in, folders)
            of_eyes, of_shading = (
                moved(measure(before), measure(after), measure(aim))
                for measure in (eye_area, shading)
            )
            lines.append(
                f"{source} to {target}: eye area went {of_eyes:.0f}% of the way to {target}'s "
                f"mean, shading {of_shading:.0f}%"
            )
    return [*lines, "Shading is light and grain away from edges, which A has and B has not."]


def _images_in(folder):
    return np.stack([files.read(os.path.join(folder, name)) for name in sorted(os.listdir(folder))])
