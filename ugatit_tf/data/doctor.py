"""What is in a dataset, what is wrong with it, and whether this computer can train on it.

The sizes of a checkpoint and of the memory follow from the options alone, so nothing is built
for them.
"""

import dataclasses
import itertools
import os
import pathlib
import shutil
import statistics

import numpy as np

from ugatit_tf import machine
from ugatit_tf.config import ADAPTIVE_NORMS
from ugatit_tf.data import presence, storage
from ugatit_tf.data.folders import MOST_NAMED, TEST, TRAIN, examine, shown, some
from ugatit_tf.sizes import smallest_image

UNEQUAL, MUCH_SMALLER = 4, 0.5  # images of one domain to the other; a side to img_size
EXPECT = (  # below this many images in a domain
    (100, "warnings", "expect overfitting, output that is memorized rather than translated. "
     "Add images, keep --augment_flag True and stop early."),
    (500, "warnings", "this can work for narrow domains; the paper's smallest had 400, of one "
     "painter. Add images if yours vary, and compare samples to see when to stop."),
    (1000, "notes", "fine; the paper used 400 to 6452 in each domain."),
)  # fmt: skip

CHECKPOINTS = 6  # five are kept while the next one is written
BEST_CHECKPOINTS = 2  # more where the best one is kept as well, the older until the newer is safe
SAVED_PER_WEIGHT = 12  # bytes: the weight and its two moments in Adam, in float32
MEMORY_PER_WEIGHT = 32  # bytes: these, the gradient, and as much again in passing
SUMMED_PER_WEIGHT = 4  # bytes: the gradients' sum with --accumulate
AVERAGED_PER_WEIGHT = 4  # bytes for each of the generators': the moving average of --ema
MEMORY_PER_PIXEL = 480  # bytes for each channel of the first layer, for the backward pass
RECOMPUTED = 0.43  # part of these with --recompute
MEMORY_BASE = 1.1e9


@dataclasses.dataclass(frozen=True)
class Report:
    """What a dataset and this computer are like, in whole sentences."""

    parts: dict  # trainA, trainB, testA, testB -> Part
    errors: list  # training cannot start
    warnings: list  # it can, and something should be set right
    notes: list  # good to know

    def lines(self) -> list:
        """The report as text that any terminal can show."""
        kinds = (("Error", self.errors), ("Warning", self.warnings), ("Note", self.notes))
        told = [f"{kind}: {sentence}" for kind, sentences in kinds for sentence in sentences]
        return [f"{name}: {_summary(part)}" for name, part in self.parts.items()] + told


def check(config, *, thorough=False) -> Report:
    """Examines the dataset of `config`, and whether disk and memory suffice to train on it.

    Args:
        thorough: bool. Reads packed parts through, which `examine` believes.
    """
    parts = {name: examine(os.path.join(config.dataset_folder, name)) for name in TRAIN + TEST}
    report = diagnose(parts, config)
    packs = [part.pack for part in parts.values() if part.pack and thorough]
    damage = [sentence for pack in packs for sentence in pack.damage()]
    return dataclasses.replace(report, errors=report.errors + damage)


def diagnose(parts, config) -> Report:
    """What `check` says about `parts`, which were examined before."""
    counts = {name: len(parts[name].images) for name in TRAIN}
    told = {"errors": list(_missing(parts)), "warnings": [], "notes": []}
    for name, part in parts.items():
        told["warnings"] += _flaws(name, part, config)
    for pair in (*itertools.product(TRAIN, TEST), TRAIN):
        told["warnings"] += _shared(parts, *pair)
    for kind, sentence in (*_quantity(counts), _disk(config), _memory(config)):
        told[kind].append(sentence)
    return Report(parts, **told)


def checkpoint_bytes(config) -> int:
    """What one checkpoint takes on disk: every weight and its two moments, in float32.

    With `--ema` the moving average of the generators is there too.
    """
    return SAVED_PER_WEIGHT * num_weights(config) + _average_bytes(config)


def free_bytes(path) -> int:
    """What is free on the disk where `path` is or will be."""
    return shutil.disk_usage(storage.nearest(path)).free


def memory_bytes(config) -> int:
    """About how much memory training takes at its peak.

    An estimate: three constants fitted to the light model on 2 cores, batch 1 (ch 64: 13.4 GB at
    512 pixels, 6.9 GB at 256, 6.0 GB at 128; ch 16: 1.5 GB at 128); the full one (ch 32, 128
    pixels: 3.3 GB) then is within 6%. Gradient penalties, other depths and devices differ.
    """
    pixels = MEMORY_PER_PIXEL * config.batch_size * config.img_size**2 * config.ch
    pixels *= RECOMPUTED if config.recompute else 1
    per_weight = MEMORY_PER_WEIGHT + (SUMMED_PER_WEIGHT if config.accumulate > 1 else 0)
    weights = per_weight * num_weights(config) + _average_bytes(config)
    return int(MEMORY_BASE + weights + pixels)


def _average_bytes(config):
    return AVERAGED_PER_WEIGHT * num_generator_weights(config) if config.ema else 0


def num_weights(config) -> int:
    """How many numbers the four networks hold, the spectral states included."""
    return num_generator_weights(config) + num_discriminator_weights(config)


def num_generator_weights(config) -> int:
    """How many numbers both generators hold."""
    ch, wide, img_ch = config.ch, 4 * config.ch, config.img_ch
    layers = [(7, img_ch, ch), (3, ch, 2 * ch), (3, 2 * ch, wide)]  # side, before, after
    layers += 4 * config.n_res * [(3, wide, wide)]
    layers += [(3, wide, 2 * ch), (3, 2 * ch, ch), (7, ch, img_ch)]
    layers += _attention(wide) if config.generator_cam else []
    others = 2 * 7 * ch + 4 * config.n_res * wide  # gamma, beta of the encoder
    if config.decoder_norm in ADAPTIVE_NORMS:
        places = 1 if config.light else (config.img_size // 4) ** 2  # that the MLP sees
        layers += [(1, places * wide, wide), *3 * [(1, wide, wide)]]
        others += 3 * 3 * ch  # gamma, beta, rho
        others += 2 * config.n_res * wide if config.decoder_norm == "adalin" else 0  # rho
    else:
        others += 4 * config.n_res * wide + 2 * 3 * ch  # gamma, beta
    return _of_two_networks(layers, others)


def num_discriminator_weights(config) -> int:
    """How many numbers both discriminators hold."""
    layers, others = [], 0
    for depth in (max(0, config.n_dis - 4), config.n_dis - 2):
        *_, last = channels = [config.img_ch, *(config.ch * 2**i for i in range(depth + 2))]
        layers += [(4, *pair) for pair in zip(channels, channels[1:])]
        layers += [(4, last, 1), *(_attention(last) if config.discriminator_cam else [])]
        states = sum(channels[1:]) + 1 + config.discriminator_cam  # u, one for each output
        others += states if config.sn else 0
    return _of_two_networks(layers, others)


def _of_two_networks(layers, others):
    """Kernels and biases of convolutions (side, channels before, after), and `others`, twice."""
    return 2 * (others + sum(side**2 * before * after + after for side, before, after in layers))


def _attention(channels):
    """The layers of a class activation map: its head, and the 1x1 convolution."""
    return [(1, channels, 1), (1, 2 * channels, channels)]


def _missing(parts):
    for folder in (parts[name].folder for name in TRAIN if not parts[name].images):
        yield presence.missing(folder)


def _flaws(name, part, config):
    count = len(part.images)
    if part.refused:
        yield part.refusal
    if part.animated:
        yield part.stilled
    if part.duplicates:
        groups = [" = ".join(map(shown, group[:MOST_NAMED])) for group in part.duplicates]
        told = f"{name} holds files with the same content: {some(groups)}. They are seen more"
        yield f"{told} often than the rest; keep one of each."
    if part.near_empty:
        named = some([shown(file) for file in part.near_empty])
        told = f"{len(part.near_empty)} of {count} images in {name} are almost of one colour"
        yield f"{told}: {named}. Look at them, and remove what is empty."
    sides = [min(image.size) for image in part.images]
    tiny = sum(side < MUCH_SMALLER * config.img_size for side in sides)
    if tiny:
        usual = max(int(statistics.median(sides)), smallest_image(config.n_dis) + 3) // 4 * 4
        instead = f", or train with --img_size {usual}" if usual < config.img_size else ""
        told = f"{tiny} of {count} images in {name} are much smaller than --img_size "
        told += f"{config.img_size} (the smallest is {_size(part.smallest)}) and will be enlarged"
        yield f"{told}, which looks blurred. Use larger images{instead}."


def _shared(parts, one, other):
    marks = set(np.intersect1d(parts[one].marks, parts[other].marks).tolist())
    digests = {p.digest for p in parts[other].images if marks and hash(p.digest) in marks}
    both = [shown(p.name) for p in parts[one].images if digests and p.digest in digests]
    if both:
        why = "An image belongs to one domain only; sort them."
        if other in TEST:
            why = "A test on what was trained on proves nothing; remove them from one side."
        yield f"{other} holds {len(both)} of the images in {one}: {some(both)}. {why}"


def _quantity(counts):
    """(kind, sentence) on what so many training images can teach."""
    low = 1
    for high, kind, expect in EXPECT:
        found = [f"{name} ({count})" for name, count in counts.items() if low <= count < high]
        if found:
            yield kind, f"Below {high} images in {' and '.join(found)}: {expect}"
        low = high
    (less, few), (more, many) = sorted((count, name) for name, count in counts.items())
    if more > UNEQUAL * less > 0:
        told = f"{many} has {more / less:.1f} times as many images as {few} ({more}, {less}). "
        told += f"A step takes one of each, so those of {few} come round as much more often and "
        yield "warnings", f"{told}may be learned by heart; add images to {few} if you can."


def _disk(config):
    one, free = checkpoint_bytes(config), free_bytes(config.run_folder)
    there, kept = pathlib.Path(config.run_folder), CHECKPOINTS
    kept += BEST_CHECKPOINTS if config.best_metric else 0
    more = max(1, kept - sum(len(list(there.glob(name))) for name in ("step_*", "best/step_*")))
    told = f"A checkpoint takes {_amount(one)}; {more} more in {shown(config.run_folder)} take "
    told += f"{_amount(one * more)}, and {_amount(free)} are free."
    smaller = "a smaller --ch" if config.light else "--light True or a smaller --ch"
    helps = f"Free some, use another --checkpoint_dir, or {smaller}."
    return ("notes", told) if free >= one * more else ("warnings", f"{told} {helps}")


def _memory(config):
    need, there, where = memory_bytes(config), machine.free_gpu_bytes(), "on the GPU"
    if there is None:
        there, where = machine.available_bytes(), "of memory"
    told = f"Training takes about {_amount(need)} {where} (an estimate)"
    told += "." if there is None else f", and {_amount(there)} are available."
    helps = "--light True, " * (not config.light) + "--recompute True, " * (not config.recompute)
    helps += "a smaller --img_size or --ch"
    helps += " or --batch_size" * (config.batch_size > 1)
    enough = there is None or need <= there
    return ("notes", told) if enough else ("warnings", f"{told} What helps: {helps}.")


def _summary(part):
    if not part.images:
        return "no images"
    sizes = dict.fromkeys([_size(part.smallest), _size(part.largest)])  # one, or from and to
    return f"{len(part.images)} images, {' to '.join(sizes)} pixels"


def _size(size):
    return f"{size[1]} x {size[0]}"  # width first, as people say it


def _amount(num_bytes):
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:.1f} MB"
