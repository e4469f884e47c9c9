"""What phases are asked for that are not options of a run. No TensorFlow."""

import dataclasses
import math
import os
import re
from typing import Union

from ugatit_tf.config import ConfigError

DIRECTIONS = ("a2b", "b2a")
FITS = ("auto", "keep", "stretch", "crop", "pad")
FORMATS = ("same", "png", "jpg", "webp")
HEATMAPS = ("none", "overlay", "side", "raw", "npy")
CHOICES = {"direction": DIRECTIONS, "fit": FITS, "format": FORMATS, "heatmap": HEATMAPS}
SMALLEST_TILE, SMALLEST_SIDE = 64, 8  # pixels
NATIVE = "native"  # the size of an image itself
MOST_PIXELS = 178_956_970  # Pillow opens no image with more


@dataclasses.dataclass(frozen=True)
class Request:
    """Which images to translate, how, and what becomes of the results.

    Raises:
        ConfigError: a value has the wrong range, or two options contradict each other.
    """

    input: str = ""  # an image, a folder, a pattern, or a video
    output: str = ""  # a folder or, for one image or video, a file
    model: str = ""  # an exported model or a generator file; empty means: the run of --dataset
    direction: str = ""  # one of DIRECTIONS; empty: a2b, or what the model knows
    recursive: bool = False  # the folders in the input folder too
    overwrite: bool = False  # replace results that exist
    resume_output: bool = False  # leave results that exist, and make those that are missing
    shard: str = ""  # I/N: of the images only each N-th, from the I-th on; empty: all

    fit: str = "auto"  # one of FITS; auto is keep where the model takes any size, else stretch
    size: Union[int, str] = 0  # side the networks work with; 0: see `Model.fit_of`; or NATIVE
    max_side: int = 0  # with keep: a longer side is scaled down to this; 0 never does
    restore_size: bool = True  # scale results to the size of their source
    tile_pixels: int = 2_000_000  # with keep: images with more are translated in tiles
    max_pixels: int = 64_000_000  # images with more are refused before they are decoded
    face: bool = False  # find the face, translate it alone, and put it back

    format: str = "same"  # one of FORMATS
    quality: int = 95  # of JPEG and WebP
    heatmap: str = "none"  # one of HEATMAPS: where the networks looked
    report: bool = False  # one HTML page and a contact sheet of all results
    smooth: float = 0.0  # part of the last image of a video in the next, against flicker

    def __post_init__(self):
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices and (name, self.direction) != ("direction", ""):
                raise ConfigError(
                    f"--{name} must be one of {', '.join(choices)}. "
                    f"Received: {getattr(self, name)!r}"
                )
        self._check_numbers()
        self._check_pairs()
        number, count = self.part
        if not 1 <= number <= count:
            raise ConfigError(
                f"--shard must be I/N with I from 1 to N, e.g. 2/4. Received: {self.shard!r}"
            )

    @property
    def part(self) -> tuple:
        """(number of the shard, how many there are); (0, 0) where `shard` is not of this form."""
        found = re.fullmatch("([0-9]{1,9})/([0-9]{1,9})", self.shard or "1/1")
        return tuple(map(int, found.groups())) if found else (0, 0)

    def _check_numbers(self):
        size = 0 if self.size == NATIVE else self.size
        for name, value, smallest, largest in (
            ("size", size, 0, math.inf),
            ("max_side", self.max_side, 0, math.inf),
            ("tile_pixels", self.tile_pixels, SMALLEST_TILE**2, math.inf),
            ("max_pixels", self.max_pixels, 1, MOST_PIXELS),
            ("quality", self.quality, 1, 100),
        ):
            if not smallest <= value <= largest:
                most = f" and at most {largest}" if largest < math.inf else ""
                raise ConfigError(f"--{name} must be at least {smallest}{most}. Received: {value}")
        if not 0 <= self.smooth < 1:
            raise ConfigError(f"--smooth must be at least 0 and below 1. Received: {self.smooth}")
        for name, value in (("size", size), ("max_side", self.max_side)):
            if 0 < value < SMALLEST_SIDE:
                raise ConfigError(
                    f"--{name} must be 0 or at least {SMALLEST_SIDE}. Received: {value}"
                )
        if size % 4:
            near = max(SMALLEST_SIDE, round(size / 4) * 4)
            raise ConfigError(
                f"--size must be a multiple of 4. Received: {size}. The nearest that works: {near}"
            )

    def _check_pairs(self):
        if self.overwrite and self.resume_output:
            raise ConfigError(
                "--overwrite replaces what is there and --resume_output keeps it. Use one of them."
            )
        if self.face and (self.fit == "crop" or not self.restore_size):
            raise ConfigError(
                "--face puts the face back into its image. Leave out --fit crop and "
                "--restore_size False."
            )
        if self.max_side and self.fit not in ("auto", "keep"):
            raise ConfigError(f"--max_side belongs to --fit keep, not to --fit {self.fit}.")
        if self.size == NATIVE and self.fit not in ("auto", "keep"):
            raise ConfigError(f"--size native belongs to --fit keep, not to --fit {self.fit}.")
        if self.size == NATIVE and self.face:
            raise ConfigError("--face translates a square of --size. Leave out --size native.")


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What is measured."""

    fake_dir: str = ""  # translated test images in a2b and b2a; empty: those of the run
    votes: str = ""  # files with the answers of a study: measures these alone


@dataclasses.dataclass(frozen=True)
class Packing:
    """Into which files a dataset is packed.

    Raises:
        ConfigError: a value has the wrong range, or two options contradict each other.
    """

    pack_to: str = ""  # the folder below dataset_dir that is written; empty: NAME_packed
    shards: int = 0  # files of each part; 0: as many as --shard_mb needs
    shard_mb: int = 128  # about how large each is

    def __post_init__(self):
        if os.path.basename(self.pack_to) != self.pack_to or self.pack_to in (".", ".."):
            raise ConfigError(
                f"--pack_to is the name of a folder below --dataset_dir, not a path. "
                f"Received: {self.pack_to!r}"
            )
        for name, smallest in (("shards", 0), ("shard_mb", 1)):
            if getattr(self, name) < smallest:
                raise ConfigError(
                    f"--{name} must be at least {smallest}. Received: {getattr(self, name)}"
                )
        if self.shards and self.shard_mb != Packing.shard_mb:
            raise ConfigError("--shards and --shard_mb both say how many shards. Use one of them.")


@dataclasses.dataclass(frozen=True)
class Study:
    """A page that asks people which translation they prefer.

    Raises:
        ConfigError: `methods` cannot be read.
    """

    sources: str = ""  # folder of the images that were translated
    methods: str = ""  # NAME=FOLDER,NAME=FOLDER: where the results of each are
    page: str = "study.html"  # what is written
    question: str = "Which image below is the best translation?"

    def __post_init__(self):
        if self.methods:
            self.folders()

    def folders(self) -> dict:
        """name -> folder of the results of each method."""
        pairs = [part.partition("=") for part in self.methods.split(",")]
        found = {name.strip(): folder for name, _, folder in pairs}
        if not all(name.strip() and folder for name, _, folder in pairs) or len(found) < 2:
            raise ConfigError(
                f"--methods must be NAME=FOLDER,NAME=FOLDER with at least two names. "
                f"Received: {self.methods!r}"
            )
        return found
