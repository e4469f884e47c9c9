"""What a format of `--phase export` is. Works without TensorFlow."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from ugatit_tf import invocation
from ugatit_tf.config import Config
from ugatit_tf.errors import Failure
from ugatit_tf.interchange.difference import Difference

if TYPE_CHECKING:
    from ugatit_tf.networks.generator import Generator
    from ugatit_tf.networks.model import UGATIT


class Exported(NamedTuple):
    """What is exported."""

    config: Config
    networks: UGATIT | None  # None for lone generators
    generators: dict[str, Generator]  # direction -> generator
    source: str  # path of the checkpoint
    half: bool = False  # `--half`
    size: int = 0  # `--size`, or the training size
    license: str = ""  # `--license`


class Limit(NamedTuple):
    """The most that a file may differ from the Keras model, in levels of 255."""

    largest: float | None = 1.0  # None: any
    mean: float | None = None

    def allows(self, difference: Difference) -> bool:
        return all(
            most is None or value <= most for value, most in zip(difference, self)
        )  # NaN is not allowed

    def __str__(self) -> str:
        return ", ".join(f"{name} {most:g}" for name, most in self._asdict().items() if most)


# Rounding each weight to 11 bits moved a pixel by up to 0.9 levels in our measurements.
OF_FLOAT16 = Limit(2.0)


@dataclasses.dataclass
class Model:
    """One direction in a file that a format wrote.

    Attributes:
        file: its name in the folder of the export; a SavedModel is a folder.
        shapes: of the images with which it is compared.
        limit: the most that it may differ.
        in_float32: whether it computes in float32 whatever `--precision` the run has.
        inputs, outputs: name -> what it is.
        notes: what else export.json says about it.
        compared: shape -> `Difference` from the Keras model.
    """

    file: str
    direction: str
    shapes: list[tuple] = dataclasses.field(default_factory=list)
    limit: Limit = Limit()
    in_float32: bool = False
    inputs: dict[str, str] = dataclasses.field(default_factory=dict)
    outputs: dict[str, str] = dataclasses.field(default_factory=dict)
    notes: dict[str, Any] = dataclasses.field(default_factory=dict)
    compared: dict[tuple, Difference] = dataclasses.field(default_factory=dict)


class Package(NamedTuple):
    """What a format needs besides TensorFlow."""

    module: str  # what is imported
    distribution: str  # what pip installs; its version is in requirements-EXTRA.txt


@dataclasses.dataclass(frozen=True)
class Format:
    """A row of the table: what a name in `--format` means.

    Attributes:
        name: in `--format`.
        help: a few words for `--help`.
        write: function (Exported, folder) -> the `Model`s that it wrote into the folder.
        verify: function (Exported, folder, models). Loads the files in a process of its own, and
            notes in each `Model` how far it is from the Keras model.
        check: function (Config). Refuses a run before TensorFlow is imported.
        packages: that it needs.
        extra: of the package that has their versions, those of requirements-EXTRA.txt.
        options: of the export phase that it uses: "half", "size".
        has_all_networks: whether it holds the discriminators too.
    """

    name: str
    help: str
    write: Callable[[Exported, str], Iterable[Model]]
    verify: Callable[[Exported, str, list[Model]], None]
    check: Callable[[Config], None] = lambda config: None
    packages: tuple[Package, ...] = ()
    extra: str = ""
    options: tuple[str, ...] = ()
    has_all_networks: bool = False

    def require_packages(self) -> None:
        """Raises a `Failure` that says what to install where a package is missing."""
        names = [package.module for package in self.packages]
        if any(importlib.util.find_spec(name) is None for name in names):
            raise Failure(
                f"--format {self.name} needs "
                f"{' and '.join(package.distribution for package in self.packages)}: "
                f"{invocation.install(self.extra)}"
            )


def shapes_of(config: Config, size: int, batches: tuple = (1, 1)) -> list[tuple]:
    """Two shapes of images to compare with: a square, and no square where the model takes any."""
    height, width = (size + 8, max(8, size - 4)) if config.any_size else (size, size)
    return [
        (batches[0], size, size, config.img_ch),
        (batches[1], height, width, config.img_ch),
    ]


def exact_signature(config: Config, shape: tuple | None = None) -> dict:
    """`inputs` and `outputs` of a `Model` that computes what `graph.exact` does.

    Args:
        shape: (batch, height, width) in words or numbers.
    """
    side = "a multiple of 4" if config.any_size else config.img_size
    batch, height, width = shape or ("any number", side, side)
    images = f"float32 [batch, height, width, {config.img_ch}] in [-1, 1]"
    sizes = f"batch {batch}, height {height}, width {width}"
    outputs = {"translated": f"{images}, of the same size"}
    if config.generator_cam:
        outputs["heatmap"] = "float32 [batch, height / 4, width / 4] in [0, 1]"
    return {"inputs": {"images": f"{images}; {sizes}"}, "outputs": outputs}
