"""What is translated, how, and where the results go: the options of `--phase translate`."""

import dataclasses
import re
from typing import Union

from ugatit_tf import shipped
from ugatit_tf.checkpoint_options import model_option, which_option
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.options import ConfigError, Options, option

FITS = ("auto", "keep", "stretch", "crop", "pad")
FORMATS = ("same", "png", "jpg", "webp")
HEATMAPS = ("none", "overlay", "side", "raw", "npy")
SMALLEST_TILE, SMALLEST_SIDE = 64, 8  # pixels
NATIVE = "native"  # the size of an image itself
MOST_PIXELS = 178_956_970  # Pillow opens no image with more


def size_option(help: str) -> Union[int, str]:
    """The option `size` of the phases that translate at another size than that of training."""
    rule = {"at_least": SMALLEST_SIDE, "zero": True, "multiple_of": 4, "words": (NATIVE,)}
    return option(0, help, **rule)


@dataclasses.dataclass(frozen=True)
class TranslateOptions(Options):
    """Which images or which video to translate, how, and where the results go."""

    input: str = option(
        "",
        "an image, a folder, a pattern in quotes (e.g. 'in/*.jpg'), or a video; without it the "
        "examples of the model that --model names",
        common=True,
    )
    output: str = option(
        "",
        "a folder or, for one image or video, a file; its suffix says the format",
        needed=True,
    )
    model: str = model_option()
    which: str = which_option()
    direction: str = option(
        "",
        "direction; without it a2b, or the model's only one",
        choices=("", *DIRECTIONS),
        common=True,
    )
    recursive: bool = option(False, "the folders in the input folder too")
    overwrite: bool = option(False, "replace results that exist")
    resume_output: bool = option(False, "leave results that exist, and make those that are missing")
    shard: str = option(
        "",
        "I/N, e.g. 2/4: translate only each N-th image, from the I-th on; N machines, each with "
        "its own I, share a folder",
    )
    fit: str = option(
        "auto",
        "how an image meets the networks; keep: in its own shape (light models); stretch: as the "
        "official square; crop: the square in the middle; pad: a square with reflected borders; "
        "auto: keep if the model can, else stretch",
        choices=FITS,
    )
    size: Union[int, str] = size_option(
        "side in pixels that the networks work with, of keep the shorter one; 0: the training "
        "size, to which keep only scales down what is more than 1.25 times as large; native: with "
        "keep, the image's own, which suits textures"
    )
    max_side: int = option(
        0,
        "with keep: a longer side is scaled down to this for the networks; 0: never",
        at_least=SMALLEST_SIDE,
        zero=True,
    )
    restore_size: bool = option(True, "give results the size of their source")
    tile_pixels: int = option(
        2_000_000,
        "with keep: images with more pixels are translated in overlapping tiles",
        at_least=SMALLEST_TILE**2,
    )
    max_pixels: int = option(
        64_000_000,
        "images with more pixels are refused before they are decoded",
        at_least=1,
        at_most=MOST_PIXELS,
    )
    face: bool = option(
        False,
        "find the face, translate it as a selfie, put it back (requirements-face.txt)",
    )
    format: str = option("same", "format of the results", choices=FORMATS)
    quality: int = option(95, "quality of JPEG and WebP", at_least=1, at_most=100)
    heatmap: str = option(
        "none",
        "show where the networks look; overlay: beside the result as NAME_attention.png; side: "
        "input, result and heatmaps in one image; raw: 16-bit PNG; npy: NumPy",
        choices=HEATMAPS,
    )
    report: bool = option(False, "write report.html and contact_sheet.png into the output folder")
    smooth: float = option(
        0.0,
        "of a video: part of the last frame in the next, against flicker, e.g. 0.3",
        at_least=0,
        below=1,
    )

    @property
    def part(self) -> tuple:
        """(number of the shard, how many there are); (0, 0) where `shard` is not of this form."""
        match = re.fullmatch("([0-9]{1,9})/([0-9]{1,9})", self.shard or "1/1")
        return tuple(map(int, match.groups())) if match else (0, 0)

    def check_pairs(self) -> None:
        if not self.input:
            object.__setattr__(self, "input", shipped.examples(self.model))
        number, count = self.part
        if not 1 <= number <= count:
            raise ConfigError(
                f"--shard must be I/N with I from 1 to N, e.g. 2/4. Received: {self.shard!r}"
            )
        if self.overwrite and self.resume_output:
            raise ConfigError(
                "--overwrite replaces what is there and --resume_output keeps it. Use one of them."
            )
        if self.face and (self.fit == "crop" or not self.restore_size):
            raise ConfigError(
                "--face puts the face back into its image. Leave out --fit crop and "
                "--restore_size False."
            )
        if self.fit not in ("auto", "keep"):
            if self.max_side:
                raise ConfigError(f"--max_side belongs to --fit keep, not to --fit {self.fit}.")
            if self.size == NATIVE:
                raise ConfigError(f"--size native belongs to --fit keep, not to --fit {self.fit}.")
        if self.size == NATIVE and self.face:
            raise ConfigError("--face translates a square of --size. Leave out --size native.")
