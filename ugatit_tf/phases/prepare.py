"""`--phase prepare`: a dataset from two folders of your own images."""

import dataclasses
import os
from typing import Optional, Union

import numpy as np

from ugatit_tf.config import Config
from ugatit_tf.data import storage
from ugatit_tf.errors import Failure
from ugatit_tf.options import LARGEST_COUNT, ConfigError, Options, option
from ugatit_tf.phases.phase import Phase, check_folder
from ugatit_tf.translation import face

DOMAINS_WITH = {"none": "", "a": "a", "b": "b", "both": "ab"}


@dataclasses.dataclass(frozen=True)
class PrepareOptions(Options):
    """Which images become a dataset."""

    folder_a: str = option("", "folder of the images of A, e.g. photographs", needed=True)
    folder_b: str = option("", "folder of the images of B, e.g. drawings", needed=True)
    test: Union[int, str] = option(
        "auto",
        "images of each domain that become testA and testB; auto: a tenth, at most 100",
        at_least=0,
        at_most=LARGEST_COUNT,
        words=("auto",),
    )
    faces: str = option(
        "none",
        "cut out the largest face, of photographs; images without one are left out",
        choices=tuple(DOMAINS_WITH),
    )
    smallest: int = option(
        128, "pixels of the shorter side below which an image is left out", at_least=0
    )

    def check_pairs(self) -> None:
        if self.folder_a and os.path.realpath(self.folder_a) == os.path.realpath(self.folder_b):
            raise ConfigError("--folder_a and --folder_b are the same folder. Expected two.")


def check(named: dict, options: PrepareOptions) -> None:
    if "dataset" not in named:
        raise ConfigError("--phase prepare needs --dataset, the name of the new dataset.")
    config = Config(**named)
    for name in ("folder_a", "folder_b"):
        if not os.path.isdir(getattr(options, name)):
            raise Failure(f"--{name}: there is no folder {getattr(options, name)}.")
    if storage.is_remote(config.dataset_dir):
        raise Failure(f"A dataset is made on this computer. Copy it to {config.dataset_dir} then.")
    if os.path.lexists(config.dataset_folder):
        raise Failure(
            f"{config.dataset_folder} already exists. Use another --dataset, or remove it first."
        )
    check_folder("dataset_dir", config.dataset_dir)
    if options.faces != "none":
        face.require("faces")


def run(named: dict, options: PrepareOptions) -> None:
    from ugatit_tf.data import prepare

    config = Config(**named)
    domains = prepare.prepare(
        config.dataset_folder,
        (options.folder_a, options.folder_b),
        cuts=tuple(cut_face if x in DOMAINS_WITH[options.faces] else None for x in "ab"),
        test=options.test,
        smallest=options.smallest,
        seed=config.seed,
    )
    for letter, domain in zip("AB", domains):
        print(*domain.lines(letter), sep="\n")
    print(f"To use it: --dataset {config.dataset}")


def cut_face(pixels: np.ndarray) -> Optional[np.ndarray]:
    """The square around the largest face, or None."""
    region = face.find(pixels)
    return None if region is None else face.cut(pixels, region)


PREPARE = Phase(
    "prepare",
    "make a dataset from two folders of your own images",
    check,
    run,
    PrepareOptions,
    has_run=lambda options: False,
    uses=lambda options: ("dataset", "dataset_dir", "seed"),
    names=(),
    needs_tensorflow=False,
)
