"""The layout of a sample sheet, and its way back from a file to images. No TensorFlow."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

import numpy as np

from ugatit_tf.config import Config
from ugatit_tf.images import panels

ROWS = 3  # images of each domain on a sample sheet
COLUMNS = (
    "Input",
    "Generator's heatmap",
    "Translation",
    "Local discriminator",
    "Global discriminator",
    "Reconstruction",
    "Identity",
)
NAME = re.compile(r"step_(\d+)\.png")


class Pictures(NamedTuple):
    """What a sheet shows of one direction: lists of uint8 [img_size, img_size, 3]."""

    inputs: list[np.ndarray]
    translations: list[np.ndarray]


def columns(config: Config) -> list[str]:
    """The titles of the columns: networks without CAM have no heatmaps."""
    missing = () if config.generator_cam else COLUMNS[1:2]
    missing += () if config.discriminator_cam else COLUMNS[3:5]
    return [title for title in COLUMNS if title not in missing]


def saved(folder: str) -> dict[int, str]:
    """step -> path of the sheets in a folder of samples, in the order of their steps."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found = {int(match[1]): name for name in names if (match := NAME.fullmatch(name))}
    return {step: os.path.join(folder, found[step]) for step in sorted(found)}


def directions(sheet: np.ndarray, config: Config, counts: tuple[int, int]) -> dict[str, Pictures]:
    """Takes a sheet apart.

    Args:
        sheet: uint8 [height, width, 3], as `samples.sheet` draws it.
        counts: training images of A and of B; sheets of fewer than `ROWS` have fewer rows.

    Returns:
        "a2b" and "b2a" -> `Pictures`.

    Raises:
        ValueError: it is no sheet of a run with these options.
    """
    titles, size = columns(config), (config.img_size, config.img_size)
    rows = panels.cut(sheet, size, len(titles))
    of_a, of_b = (min(ROWS, count) for count in counts)
    if of_a + of_b != len(rows):
        raise ValueError(f"Expected {of_a} + {of_b} rows. Received: {len(rows)}")
    place = titles.index("Translation")
    return {
        name: Pictures([row[0] for row in part], [row[place] for row in part])
        for name, part in (("a2b", rows[:of_a]), ("b2a", rows[of_a:]))
    }
