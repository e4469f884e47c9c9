"""What is wrong with the dataset of a run, and whether the run fits this computer.

The sizes of a checkpoint and of the memory follow from the options alone, so nothing is built
for them.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import pathlib
import statistics
from collections.abc import Iterator

import numpy as np

from ugatit_tf import gpu, machine
from ugatit_tf.config import Config
from ugatit_tf.data import presence
from ugatit_tf.data.folders import TEST, TRAIN, Split, examine
from ugatit_tf.data.presence import printable
from ugatit_tf.data.storage import free_bytes
from ugatit_tf.errors import listed
from ugatit_tf.networks.weight_count import num_generator_weights, num_weights
from ugatit_tf.sizes import smallest_image

UNEQUAL, MUCH_SMALLER = 4, 0.5  # images of one domain to the other; a side to img_size
MOST_EQUAL = 5  # files of the same content in a message
EXPECTATIONS = (  # below this many images in a domain
    (100, "warnings", "expect overfitting, output that is memorized rather than translated. "
     "Add images, keep --augment_flag True and stop early."),
    (500, "warnings", "this can work for narrow domains; the paper's smallest had 400, of one "
     "painter. Add images if yours vary, and compare samples to see when to stop."),
    (1000, "notes", "fine; the paper used 400 to 6452 in each domain."),
)  # fmt: skip

CHECKPOINTS = 6  # five are kept while the next one is written
BEST_CHECKPOINTS = 2  # the best one, and the older one until the newer is complete
SAVED_PER_WEIGHT = 12  # bytes: the weight and its two moments in Adam, in float32
MEMORY_PER_WEIGHT = 32  # bytes: these, the gradient, and as much again for a moment
SUMMED_PER_WEIGHT = 4  # bytes: the gradients' sum with --accumulate
AVERAGED_PER_WEIGHT = 4  # bytes for each weight of the generators: the moving average of --ema
MEMORY_PER_PIXEL = 480  # bytes for each channel of the first layer, for the backward pass
RECOMPUTED = 0.43  # fraction of these with --recompute
MEMORY_BASE = 1.1e9


@dataclasses.dataclass(frozen=True)
class Report:
    """The state of a dataset and of this computer, in whole sentences."""

    splits: dict[str, Split]  # trainA, trainB, testA, testB
    errors: list[str]  # training cannot start
    warnings: list[str]  # training can start, and something should be corrected
    notes: list[str]  # good to know

    def lines(self) -> list[str]:
        """Returns the report as text that any terminal can show."""
        kinds = (("Error", self.errors), ("Warning", self.warnings), ("Note", self.notes))
        return [
            *(f"{name}: {_summary(split)}" for name, split in self.splits.items()),
            *(f"{kind}: {sentence}" for kind, sentences in kinds for sentence in sentences),
        ]


def check(config: Config, *, thorough: bool = False) -> Report:
    """Examines the dataset of `config`, and whether disk and memory suffice to train on it.

    Args:
        thorough: read packed splits completely, of which `examine` reads the manifest alone.
    """
    splits = {name: examine(os.path.join(config.dataset_folder, name)) for name in TRAIN + TEST}
    report = diagnose(splits, config)
    packs = [split.pack for split in splits.values() if split.pack and thorough]
    damage = [sentence for pack in packs for sentence in pack.damage()]
    return dataclasses.replace(report, errors=report.errors + damage)


def diagnose(splits: dict[str, Split], config: Config) -> Report:
    """Returns the report of `check` on `splits` that were examined before."""
    counts = {name: len(splits[name].images) for name in TRAIN}
    empty = (splits[name].folder for name in TRAIN if not splits[name].images)
    report = Report(splits, [presence.no_images(folder) for folder in empty], [], [])
    for name, split in splits.items():
        report.warnings.extend(_flaws(name, split, config))
    for pair in (*itertools.product(TRAIN, TEST), TRAIN):
        report.warnings.extend(_shared_images(splits, *pair))
    report.warnings.extend(_precision(config))
    for kind, sentence in (*_quantity(counts), _disk(config), _memory(config)):
        getattr(report, kind).append(sentence)
    return report


def checkpoint_bytes(config: Config) -> int:
    """Returns the size of a checkpoint on disk: every weight and its two moments, in float32.

    With `--ema` the moving average of the generators is part of it.
    """
    return SAVED_PER_WEIGHT * num_weights(config) + _average_bytes(config)


def memory_bytes(config: Config) -> int:
    """Returns about how much memory training takes at its peak.

    An estimate: three constants fitted to the light model on 2 cores, batch 1 (ch 64: 13.4 GB at
    512 pixels, 6.9 GB at 256, 6.0 GB at 128; ch 16: 1.5 GB at 128); the full one (ch 32, 128
    pixels: 3.3 GB) then is within 6%. Gradient penalties, other depths and devices differ.
    """
    pixels = MEMORY_PER_PIXEL * config.batch_size * config.training_size**2 * config.ch
    pixels *= RECOMPUTED if config.recompute else 1
    per_weight = MEMORY_PER_WEIGHT + (SUMMED_PER_WEIGHT if config.accumulate > 1 else 0)
    weights = per_weight * num_weights(config) + _average_bytes(config)
    return int(MEMORY_BASE + weights + pixels)


def _average_bytes(config):
    return AVERAGED_PER_WEIGHT * num_generator_weights(config) if config.ema else 0


def _flaws(name: str, split: Split, config: Config) -> Iterator[str]:
    count = len(split.images)
    yield from split.warnings()
    if split.duplicates:
        groups = [" = ".join(map(printable, group[:MOST_EQUAL])) for group in split.duplicates]
        yield (
            f"{name} holds files with the same content: {listed(groups)}. Training uses them more "
            f"often than the others; keep one of each."
        )
    if split.near_empty:
        yield (
            f"{len(split.near_empty)} of {count} images in {name} are almost of one color: "
            f"{listed([printable(file) for file in split.near_empty])}. Look at them, and remove "
            f"what is empty."
        )
    sides = [min(image.size) for image in split.images]
    num_small = sum(side < MUCH_SMALLER * config.img_size for side in sides)
    if num_small:
        usual = max(int(statistics.median(sides)), smallest_image(config.n_dis) + 3) // 4 * 4
        or_smaller = f", or train with --img_size {usual}" if usual < config.img_size else ""
        yield (
            f"{num_small} of {count} images in {name} are much smaller than --img_size "
            f"{config.img_size} (the smallest is {_size(split.smallest)}) and will be enlarged, "
            f"which looks blurred. Use larger images{or_smaller}."
        )


def _shared_images(splits, first, second):
    hashes = set(
        np.intersect1d(splits[first].content_hashes, splits[second].content_hashes).tolist()
    )
    if not hashes:
        return
    digests = {image.digest for image in splits[second].images if hash(image.digest) in hashes}
    names = [printable(image.name) for image in splits[first].images if image.digest in digests]
    if names:
        advice = (
            "A test on training images proves nothing; remove them from one of the two."
            if second in TEST
            else "An image belongs to one domain only; sort them."
        )
        yield f"{second} holds {len(names)} of the images in {first}: {listed(names)}. {advice}"


def _quantity(counts):
    """(kind, sentence) on what to expect of this many training images."""
    low = 1
    for high, kind, expectation in EXPECTATIONS:
        few = [f"{name} ({count})" for name, count in counts.items() if low <= count < high]
        if few:
            yield kind, f"Below {high} images in {' and '.join(few)}: {expectation}"
        low = high
    (less, smaller), (more, larger) = sorted((count, name) for name, count in counts.items())
    if more > UNEQUAL * less > 0:
        yield (
            "warnings",
            f"{larger} has {more / less:.1f} times as many images as {smaller} ({more}, {less}). A "
            f"step takes one of each, so those of {smaller} are repeated more often and may be "
            f"memorized; add images to {smaller} if you can.",
        )


def _precision(config):
    """Warns of a precision that a processor has to emulate."""
    fast = ("float32", machine.fastest_precision() or "bfloat16")
    if config.precision not in fast and not gpu.used(config.strategy):
        yield (
            f"This processor is slower with --precision {config.precision} than with float32. Use "
            f"--precision {fast[1]}."
        )


def _disk(config):
    checkpoint, free = checkpoint_bytes(config), free_bytes(config.run_folder)
    folder, most = pathlib.Path(config.run_folder), CHECKPOINTS
    most += BEST_CHECKPOINTS if config.best_by or config.eval_freq else 0
    existing = sum(len(list(folder.glob(name))) for name in ("step_*", "best/step_*"))
    more = max(1, most - existing)
    sentence = (
        f"A checkpoint takes {_amount(checkpoint)}; {more} more in {printable(config.run_folder)} "
        f"take {_amount(checkpoint * more)}, and {_amount(free)} are free."
    )
    if free >= checkpoint * more:
        return "notes", sentence
    smaller = "a smaller --ch" if config.light else "--light True or a smaller --ch"
    return "warnings", f"{sentence} Free some, use another --checkpoint_dir, or {smaller}."


def _memory(config):
    needed, gpus = memory_bytes(config), gpu.used(config.strategy)
    where = "on each GPU" if len(gpus) > 1 else "on the GPU" if gpus else "of memory"
    available = gpu.free_bytes(config.strategy) if gpus else machine.available_bytes()
    sentence = f"Training takes about {_amount(needed)} {where} (an estimate)"
    if available is None:
        return "notes", f"{sentence}."
    sentence = f"{sentence}, and {_amount(available)} are available."
    if needed <= available:
        return "notes", sentence
    options = [] if config.light else ["--light True"]
    options += [] if config.recompute else ["--recompute True"]
    options += ["a smaller --img_size or --ch" + " or --batch_size" * (config.batch_size > 1)]
    return "warnings", f"{sentence} What helps: {', '.join(options)}."


def _summary(split):
    if not split.images:
        return "no images"
    sizes = dict.fromkeys([_size(split.smallest), _size(split.largest)])  # one, or from and to
    return f"{len(split.images)} images, {' to '.join(sizes)} pixels"


def _size(size):
    return f"{size[1]} x {size[0]}"  # width first, as people say it


def _amount(num_bytes):
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:.1f} MB"
