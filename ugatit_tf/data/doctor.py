"""What is in a dataset, what is wrong with it, and whether this computer can train on it.

Every file is decoded once, small, in a pool of threads: thousands take seconds. The sizes of
a checkpoint and of the memory follow from the options alone, so nothing is built for them.
"""

import dataclasses
import hashlib
import itertools
import os
import pathlib
import shutil
import statistics
from concurrent.futures import ThreadPoolExecutor

from ugatit_tf.config import smallest_image
from ugatit_tf.pictures import files

TRAIN, TEST = ("trainA", "trainB"), ("testA", "testB")
GLANCE = 64  # side in pixels to which a JPEG is decoded here
DENSEST = 256  # about as many pixels of a side are looked at
FLAT = 2.0  # a standard deviation below this many of 255 levels is almost one colour
UNEQUAL = 4  # times as many pictures in one domain as in the other
MUCH_SMALLER = 0.5  # of img_size, the shorter side
FEW = 100
SOME = 500
MANY = 1000
MOST_NAMED = 50  # broken files in one warning
MOST_SHOWN = 5  # of anything else

CHECKPOINTS = 6  # five are kept while the next one is written
COPIES_SAVED = 3  # a weight and its two moments in Adam
BYTES = 4  # of one number in float32
MEMORY_BASE = 1.1e9
MEMORY_PER_WEIGHT = 32  # weight, moments, gradient, and as much again in passing
MEMORY_PER_PIXEL = 480  # and per channel of the first layer: what the backward pass keeps


@dataclasses.dataclass(frozen=True)
class Picture:
    """What one look at a readable file tells."""

    name: str
    size: tuple  # (height, width) as people see it
    num_bytes: int
    digest: str  # sha256 of the file's content
    deviation: float  # standard deviation of the pixels, in levels, of the liveliest channel


@dataclasses.dataclass(frozen=True)
class Part:
    """One folder of a dataset: its readable pictures by name, and the files refused."""

    folder: str
    pictures: list = dataclasses.field(default_factory=list)  # of Picture
    refused: list = dataclasses.field(default_factory=list)  # of (name, reason)

    @property
    def paths(self) -> list:
        return [os.path.join(self.folder, picture.name) for picture in self.pictures]

    @property
    def smallest(self):
        """(height, width) of the picture with the shortest side; None where there is none."""
        return min((p.size for p in self.pictures), key=lambda s: (min(s), max(s)), default=None)

    @property
    def largest(self):
        """(height, width) of the picture with the most pixels; None where there is none."""
        return max((p.size for p in self.pictures), key=lambda s: s[0] * s[1], default=None)

    @property
    def duplicates(self) -> list:
        """Lists of names of files with the same content."""
        names = {}
        for picture in self.pictures:
            names.setdefault(picture.digest, []).append(picture.name)
        return [same for same in names.values() if len(same) > 1]

    @property
    def near_empty(self) -> list:
        """Names of the pictures that are almost of one colour."""
        return [picture.name for picture in self.pictures if picture.deviation < FLAT]

    @property
    def fingerprint(self) -> str:
        """sha256 of names and contents; times and folders do not matter."""
        whole = hashlib.sha256()
        for picture in sorted(self.pictures, key=lambda p: os.fsencode(p.name)):
            facts = b"\0%d\0%s\0" % (picture.num_bytes, picture.digest.encode())
            whole.update(os.fsencode(picture.name) + facts)
        return whole.hexdigest()


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


def examine(folder) -> Part:
    """Looks at every file directly in `folder`; where there is none, a Part without pictures."""
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        names = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(_look, itertools.repeat(folder), names))
    pictures = [picture for picture in found if isinstance(picture, Picture)]
    return Part(str(folder), pictures, [p for p in found if not isinstance(p, Picture)])


def check(config) -> Report:
    """Examines the dataset of `config`, and whether disk and memory suffice to train on it."""
    parts = {name: examine(os.path.join(config.dataset_folder, name)) for name in TRAIN + TEST}
    warnings, notes = diagnose(parts, config)
    for problems, facts in (_disk(config), _memory(config)):
        warnings += problems
        notes += facts
    return Report(parts, _missing(parts), warnings, notes)


def diagnose(parts, config):
    """(warnings, notes) about the pictures in `parts`; each says what to do."""
    warnings = []
    for name, part in parts.items():
        warnings += _broken(name, part) + _doubled(name, part) + _empty(name, part)
        warnings += _tiny(name, part, config)
    for pair in (*itertools.product(TRAIN, TEST), TRAIN):
        warnings += _shared(parts, *pair)
    counts = {name: len(parts[name].pictures) for name in TRAIN}
    if min(counts.values()) == 0:
        return warnings, []
    few, notes = _too_few(counts)
    return warnings + _unequal(counts) + few, notes


def checkpoint_bytes(config) -> int:
    """What one checkpoint takes on disk: every weight and its two moments, in float32."""
    return COPIES_SAVED * BYTES * num_weights(config)


def free_bytes(path) -> int:
    """What is free on the disk where `path` is or will be."""
    path = pathlib.Path(os.path.abspath(path))
    there = (folder for folder in (path, *path.parents) if folder.exists())
    return shutil.disk_usage(next(there, path)).free


def memory_bytes(config) -> int:
    """About how much memory training takes at its peak.

    An estimate: three constants fitted to three measurements of the light model on a
    processor with 2 cores, in float32 at batch 1 (ch 64: 7.5 GB at 256 pixels and 6.0 GB at
    128; ch 16: 1.5 GB at 128). Gradient penalties, more residual blocks and other devices
    take more or less than it says.
    """
    values = config.batch_size * config.img_size**2 * config.ch
    weights = MEMORY_PER_WEIGHT * num_weights(config)
    return int(MEMORY_BASE + weights + MEMORY_PER_PIXEL * values)


def available_bytes():
    """How much memory is free for a new program; None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            sizes = dict(line.split(":", 1) for line in file)
        return int(sizes["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def num_weights(config) -> int:
    """How many numbers the four networks hold, the spectral states included."""
    depths = (max(0, config.n_dis - 4), config.n_dis - 2)
    return 2 * (_generator_weights(config) + sum(_patch_weights(config, d) for d in depths))


def _generator_weights(config):
    ch, wide = config.ch, 4 * config.ch
    places = 1 if config.light else (config.img_size // 4) ** 2  # that the MLP sees
    stem = _layer(7, config.img_ch, ch) + _layer(3, ch, 2 * ch) + _layer(3, 2 * ch, wide)
    stem += 2 * (ch + 2 * ch + wide)  # gamma, beta
    blocks = 2 * config.n_res * (2 * _layer(3, wide, wide) + 3 * wide)  # gamma, beta; rho
    attention = _layer(1, wide, 1) + _layer(1, 2 * wide, wide)
    mlp = _layer(1, places * wide, wide) + 3 * _layer(1, wide, wide)
    up = _layer(3, wide, 2 * ch) + _layer(3, 2 * ch, ch) + _layer(7, ch, config.img_ch)
    up += 3 * (2 * ch + ch)  # gamma, beta, rho
    return stem + blocks + attention + mlp + up


def _patch_weights(config, depth):
    channels = [config.img_ch, *(config.ch * 2**i for i in range(depth + 2))]
    last = channels[-1]
    convolutions = sum(_layer(4, *pair) for pair in zip(channels, channels[1:]))
    states = sum(channels[1:]) + 2 if config.sn else 0  # u, one for each output
    heads = _layer(1, last, 1) + _layer(1, 2 * last, last) + _layer(4, last, 1)
    return convolutions + heads + states


def _layer(side, before, after):
    return side * side * before * after + after


def _look(folder, name):
    """A `Picture`, or (name, reason) where the file is none."""
    path = os.path.join(folder, name)
    try:
        pixels = files.read(path, shrink_to=GLANCE)
        with open(path, "rb") as file:
            start = file.read(2)
            digest = hashlib.sha256(start)
            while block := file.read(1 << 20):
                digest.update(block)
            num_bytes = file.tell()
        jpeg = start == b"\xff\xd8"  # the only format that is read smaller than it is
        size = files.size(path) if jpeg else pixels.shape[:2]
    except files.UnreadablePicture as error:
        return name, error.reason
    except OSError as error:  # gone, or its disk is failing
        return name, str(error.strerror or error).lower()
    step = max(1, min(pixels.shape[:2]) // DENSEST)
    deviation = float(pixels[::step, ::step].std((0, 1)).max())
    return Picture(name, tuple(size), num_bytes, digest.hexdigest(), deviation)


def _missing(parts):
    told = []
    for part in (parts[name] for name in TRAIN):
        if not os.path.isdir(part.folder):
            told.append(
                f"There is no folder {shown(part.folder)}. Training needs pictures in "
                f"dataset/NAME/trainA and trainB; --dataset demo draws its own."
            )
        elif not part.pictures:
            told.append(
                f"No readable picture in {shown(part.folder)}. Put JPEG, PNG, WebP, BMP, GIF or "
                f"TIFF files directly into it."
            )
    return told


def _broken(name, part):
    if not part.refused:
        return []
    count = len(part.refused) + len(part.pictures)
    named = _some((f"{shown(file)} ({why})" for file, why in part.refused), MOST_NAMED)
    return [
        f"{len(part.refused)} of {count} files in {name} cannot be read and are left out: "
        f"{named}. Replace or remove them."
    ]


def _doubled(name, part):
    groups = part.duplicates
    if not groups:
        return []
    copies = sum(len(group) - 1 for group in groups)
    named = _some((" = ".join(map(shown, group[:MOST_SHOWN])) for group in groups), MOST_SHOWN)
    return [
        f"{_things(copies, 'file')} in {name} duplicate others: {named}. They are seen more "
        f"often than the rest; keep one of each."
    ]


def _empty(name, part):
    if not part.near_empty:
        return []
    return [
        f"{_things(len(part.near_empty), 'picture')} in {name} show almost one colour: "
        f"{_some(map(shown, part.near_empty), MOST_SHOWN)}. Look at them, and remove what is "
        f"empty."
    ]


def _tiny(name, part, config):
    tiny = [p for p in part.pictures if min(p.size) < MUCH_SMALLER * config.img_size]
    if not tiny:
        return []
    smallest = -(-smallest_image(config.n_dis) // 4) * 4
    usual = statistics.median(min(p.size) for p in part.pictures)
    better = max(smallest, int(usual) // 4 * 4)
    instead = f", or train with --img_size {better}" if better < config.img_size else ""
    return [
        f"{len(tiny)} of {_things(len(part.pictures), 'picture')} in {name} are much smaller than "
        f"--img_size {config.img_size} (the smallest has {_size(part.smallest)} pixels) and will "
        f"be enlarged, which looks blurred. Use larger pictures{instead}."
    ]


def _shared(parts, one, other):
    digests = {picture.digest for picture in parts[other].pictures}
    both = [picture.name for picture in parts[one].pictures if picture.digest in digests]
    if not both:
        return []
    why = "A picture belongs to one domain only; sort them."
    if other in TEST:
        why = "A test on pictures seen in training shows nothing; remove them from one side."
    return [
        f"{_things(len(both), 'picture')} of {one} are also in {other}: "
        f"{_some(map(shown, both), MOST_SHOWN)}. {why}"
    ]


def _unequal(counts):
    (few, less), (many, more) = sorted(counts.items(), key=lambda item: item[1])[:2]
    if more <= UNEQUAL * less:
        return []
    return [
        f"{many} has {more / less:.1f} times as many pictures as {few} ({more} and {less}). Each "
        f"step takes one of each, so those of {few} come round as much more often and may be "
        f"learned by heart; add pictures to {few} if you can."
    ]


def _too_few(counts):
    """(warnings, notes) on how much so many training pictures can teach."""

    def those(low, high):
        found = {name: count for name, count in counts.items() if low <= count < high}
        verb = "has" if len(found) == 1 else "have"
        numbers = " and ".join(map(str, found.values()))
        return found and f"{' and '.join(found)} {verb} fewer than {high} pictures ({numbers})"

    warnings, notes = [], []
    if few := those(1, FEW):
        warnings.append(
            f"{few}: the networks overfit, expect output that is memorized rather than "
            f"translated. Add pictures, keep --augment_flag True and stop early."
        )
    if some := those(FEW, SOME):
        warnings.append(
            f"{some}: that works for narrow domains (the paper's smallest had 400, of one "
            f"painter). Add pictures if yours vary a lot, and compare samples to see when to stop."
        )
    if many := those(SOME, MANY):
        notes.append(f"{many}: that is fine, the paper used 400 to 6452 for each domain.")
    return warnings, notes


def _disk(config):
    """(warnings, notes) about room for the checkpoints that are not there yet."""
    one, free = checkpoint_bytes(config), free_bytes(config.run_folder)
    there = len(list(pathlib.Path(config.run_folder).glob("step_*")))
    more = max(1, CHECKPOINTS - there)
    need = (
        f"One checkpoint takes {_amount(one)}; {_amount(one * more)} are needed for {more} more "
        f"in {shown(config.run_folder)}, {_amount(free)} are free"
    )
    if free >= one * more:
        return [], [f"{need}."]
    smaller = "a smaller --ch" if config.light else "--light True or a smaller --ch"
    return [f"{need}. Free some, use another --checkpoint_dir, or {smaller}."], []


def _memory(config):
    """(warnings, notes) about memory for training."""
    need, there = memory_bytes(config), available_bytes()
    takes = f"Training will take about {_amount(need)} of memory (an estimate)"
    if there is None:
        return [], [f"{takes}."]
    takes += f"; {_amount(there)} are available"
    if need <= there:
        return [], [f"{takes}."]
    helps = [] if config.light else ["--light True"]
    helps += ["a smaller --batch_size"] if config.batch_size > 1 else []
    helps += ["a smaller --img_size", "a smaller --ch"]
    return [f"{takes}. What helps: {', '.join(helps)}; closing other programs."], []


def _summary(part):
    if not part.pictures:
        return "no pictures"
    sizes = _size(part.smallest)
    if part.smallest != part.largest:
        sizes += f" to {_size(part.largest)}"
    return f"{_things(len(part.pictures), 'picture')}, {sizes} pixels"


def _size(size):
    return f"{size[1]} x {size[0]}"  # width first, as people say it


def _things(count, noun):
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _some(names, most):
    names = list(names)
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _amount(num_bytes):
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:.1f} MB"


def shown(name) -> str:
    """A file's name as any terminal can show it: what is no text is escaped.

    >>> shown("a\\nb")
    'a\\\\nb'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
