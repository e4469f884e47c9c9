"""Draws translations chosen by the rank of a score, for the README: best, middle and worst.

    python -m assets.draw_results dataset/horse2zebra/testA results/.../a2b \\
      dataset/horse2zebra/testB assets/horse2zebra.png --features FILE.onnx --mean 127 --std 128

An image scores by KID's kernel: how much more its features resemble those of the target's test
images, in the mean, than those of the source's. Nobody chooses by hand.
"""

import argparse
import pathlib

import numpy as np
from PIL import Image

from ugatit_tf.evaluation import features, kid
from ugatit_tf.evaluation.feature_file import FeatureFile, FileExtractor
from ugatit_tf.images import image_file, panels

COLUMNS = 6  # images of each kind
SIDE = 128  # pixels of an image in the picture


def scores(outputs: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The score of each output, [n], from features [n, d], [m, d] and [k, d]."""
    outputs, sources, targets = (np.asarray(x, np.float64) for x in (outputs, sources, targets))
    return kid.kernel(outputs, targets).mean(1) - kid.kernel(outputs, sources).mean(1)


def chosen(values: np.ndarray, count: int = COLUMNS) -> dict:
    """Kind -> indices of the best, the middle and the worst scores, the better first."""
    ranks = np.argsort(-np.asarray(values), kind="stable")
    middle = (len(ranks) - count) // 2
    parts = (ranks[:count], ranks[middle : middle + count], ranks[-count:])
    return dict(zip(("Best", "Middle", "Worst"), parts))


def draw(source: str, translated: str, target: str, path: str, extractor: FileExtractor) -> None:
    """Writes a grid of inputs above outputs."""
    sources, targets = images_in(source), images_in(target)
    outputs = {pathlib.Path(p).stem: p for p in images_in(translated)}
    pairs = [(p, outputs[p.stem]) for p in sources if p.stem in outputs]
    if not pairs:
        raise SystemExit(f"{translated} has no image with the name of one in {source}.")
    found = [
        features.features_of(extractor, map(image_file.read, paths))
        for paths in ([output for _, output in pairs], sources, targets)
    ]
    rows, titles = [], []
    for kind, indices in chosen(scores(*found)).items():
        for which, title in enumerate((f"{kind}: input", "output")):
            rows.append([small(image_file.read(pairs[index][which])) for index in indices])
            titles.append(title)
    image_file.write(path, panels.grid(rows, row_titles=titles))


def images_in(folder: str) -> list:
    """The paths of the images in a folder, sorted."""
    return [p for p in sorted(pathlib.Path(folder).iterdir()) if p.suffix in image_file.WRITERS]


def small(image: np.ndarray) -> np.ndarray:
    """An image at the size of the picture."""
    size = SIDE, SIDE
    return np.asarray(Image.fromarray(image).convert("RGB").resize(size, Image.Resampling.LANCZOS))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draws translations chosen by rank.")
    for name in ("source", "translated", "target", "path"):
        parser.add_argument(name)
    parser.add_argument("--features", required=True, help="an ONNX file")
    parser.add_argument("--size", type=int, default=0, help="of its images, if it does not say")
    parser.add_argument("--mean", type=float, nargs="+", required=True)
    parser.add_argument("--std", type=float, nargs="+", required=True)
    words = parser.parse_args()
    mean, std = (tuple(part * (3 // len(part))) for part in (words.mean, words.std))
    network = FileExtractor(FeatureFile(words.features, words.size, mean, std))
    draw(words.source, words.translated, words.target, words.path, network)
