"""A dataset of people's own images: two folders, copied and split into training and test."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
from typing import Callable, Optional

import numpy as np

from ugatit_tf import atomic, threads
from ugatit_tf.data import folders, storage
from ugatit_tf.data.presence import printable
from ugatit_tf.errors import Failure, counted, listed
from ugatit_tf.images import image_file
from ugatit_tf.progress import track

AUTO = "auto"  # of the number of test images: a tenth, and at most
MOST_TESTED = 100
Cut = Callable[[np.ndarray], Optional[np.ndarray]]  # the part of an image that counts, or None


@dataclasses.dataclass(frozen=True)
class Domain:
    """What was made of one folder: numbers of images, and which files were left out and why."""

    folder: str
    train: int
    test: int
    left_out: dict[str, list[str]]  # reason -> names

    def lines(self, letter: str) -> list[str]:
        """Sentences for people."""
        lines = [
            f"{letter}: {counted(self.train, 'image')} to train, {self.test} to test, of "
            f"{printable(self.folder)}"
        ]
        for reason, names in self.left_out.items():
            lines.append(f"  left out, {reason}: {len(names)} ({listed(names)})")
        return lines


def prepare(
    target: str,
    sources: tuple[str, str],
    *,
    cuts: tuple[Cut | None, Cut | None] = (None, None),
    test: int | str = AUTO,
    smallest: int = 0,
    seed: int = 0,
) -> tuple[Domain, Domain]:
    """Makes the dataset `target`, which does not exist, from two folders of images.

    Files are copied as they are. Those of which a part is cut are turned upright and become PNG.

    Args:
        sources: the folders of A and of B; their subfolders are not looked into.
        cuts: functions, for A and B, from uint8 [height, width, 3] to the part that is wanted, or
            to None if the image has none; None keeps whole images.
        test: the number of test images of each domain; "auto": a tenth, at most 100.
        smallest: the shorter side in pixels below which an image is left out.
        seed: which images are for the test is a function of it and of their names.

    Raises:
        Failure: a folder has too few images.
        OSError: a file cannot be read or written.
    """
    splits = [folders.examine(source) for source in sources]
    atomic.remove_abandoned(os.path.dirname(target))
    with atomic.folder(target) as unfinished:
        storage.check_space(unfinished, sum(i.num_bytes for s in splits for i in s.images))
        return tuple(
            _make(split, unfinished, letter, cut, test=test, smallest=smallest, seed=seed)
            for split, letter, cut in zip(splits, "AB", cuts)
        )


def _make(split, target, letter, cut, *, test, smallest, seed):
    """Writes trainA and testA, or those of B."""
    indices, left_out = _chosen(split, smallest if cut is None else 0)
    train = os.path.join(target, f"train{letter}")
    os.mkdir(train)
    work = functools.partial(_copy, split, train, cut, smallest)
    label = f"{letter}: copying" if cut is None else f"{letter}: cutting"
    results = threads.map_ahead(work, indices)
    results = track(results, len(indices), unit="image", label=label, patience=2.0)
    names = []
    for index, (name, problem) in zip(indices, results):
        if problem:
            left_out.setdefault(problem, []).append(printable(split.images[index].name))
        else:
            names.append(name)
    number = min(MOST_TESTED, len(names) // 10) if test == AUTO else test
    if number >= len(names):
        reasons = "".join(f" Left out, {why}: {len(those)}." for why, those in left_out.items())
        raise Failure(
            f"{printable(split.folder)} has {counted(len(names), 'usable image')}, and {number} "
            f"are for the test: none is left to train.{reasons} Nothing was kept."
        )
    tested = os.path.join(target, f"test{letter}")
    os.mkdir(tested)
    for name in sorted(names, key=functools.partial(_rank, seed))[:number]:
        os.rename(os.path.join(train, name), os.path.join(tested, name))
    return Domain(split.folder, len(names) - number, number, left_out)


def _chosen(split, smallest):
    """(indices of the images that are used, reason -> names of the other files)."""
    small_reason = _too_small(smallest)
    repeated = {name for names in split.duplicates for name in names[1:]}
    indices, left_out = [], {}
    if split.refused:
        left_out["broken or no image"] = [
            f"{printable(name)}: {reason}" for name, reason in split.refused
        ]
    for index, image in enumerate(split.images):
        if image.name in repeated:  # it could be in training and in the test
            left_out.setdefault("copies of others", []).append(printable(image.name))
        elif min(image.size) < smallest:
            left_out.setdefault(small_reason, []).append(printable(image.name))
        else:
            indices.append(index)
    return indices, left_out


def _copy(split, folder, cut, smallest, index):
    """Writes one image. Returns (its name, why it was not written or "")."""
    name, path = split.images[index].name, split.paths[index]
    if cut is None:
        content = storage.read_bytes(path)
    else:
        part = cut(image_file.read(path))
        if part is None:
            return name, "without a face"
        if min(part.shape[:2]) < smallest:
            return name, _too_small(smallest)
        name += "" if name.lower().endswith(".png") else ".png"
        content = image_file.encode(part)
    with open(os.path.join(folder, name), "xb") as file:
        file.write(content)
    return name, ""


def _too_small(smallest):
    return f"smaller than {smallest} pixels"


def _rank(seed, name):
    """A number that depends on nothing but the seed and a name: new images move few others."""
    return hashlib.sha256(os.fsencode(f"{seed}/{name}")).digest()
