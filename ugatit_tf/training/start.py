"""Trained weights from which a new run starts, whatever they were read from."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable

from ugatit_tf.config import Config
from ugatit_tf.data import storage
from ugatit_tf.directions import DIRECTIONS

if TYPE_CHECKING:
    from ugatit_tf.networks.model import UGATIT


@dataclasses.dataclass(frozen=True)
class Start:
    """Trained weights, of generators alone or of all four networks.

    Attributes:
        name: what `--init_from` says.
        source: the path of the weights.
        options: the options of `Config` that these weights tell: all of the architecture or, of
            generators alone, those of the generators.
        directions: of the generators that there are.
        has_discriminators: whether both discriminators are there.
        load: function (UGATIT). Loads what there is, and leaves the rest as it is. Raises a
            `Failure` where something cannot be read.
        check_room: function (Config). Raises a `Failure` where the files are too short for it.
        step: how far the weights were trained; None where that is not known.
        files: paths of the files that hold them and of which config.json has the SHA-256.
    """

    name: str
    source: str
    options: dict[str, Any]
    directions: tuple[str, ...]
    has_discriminators: bool
    load: Callable[[UGATIT], None]
    check_room: Callable[[Config], None] = lambda config: None
    step: int | None = None
    files: Sequence[str] = ()

    @property
    def fixed(self) -> dict[str, Any]:
        """Those of `options` that a run must share: a light model takes images of any size."""
        known = {"n_dis": 2, **self.options}  # so that no discriminator limits the size
        any_size = Config(**known).any_size
        return {k: v for k, v in self.options.items() if k != "img_size" or not any_size}

    @property
    def record(self) -> dict[str, Any]:
        """What config.json records. For their SHA-256 all `files` are read."""
        digests = {os.path.basename(file): storage.digest_of_file(file) for file in self.files}
        return {
            "from": self.name,
            "generators": list(self.directions),
            "discriminators": self.has_discriminators,
            **({} if self.step is None else {"step": self.step}),
            **({"sha256": digests} if digests else {}),
        }

    def __str__(self) -> str:
        """A sentence: which weights are taken, and which are not."""
        missing = [f"the generator {name}" for name in DIRECTIONS if name not in self.directions]
        taken = "both generators" if not missing else f"the generator {self.directions[0]}"
        if self.has_discriminators:
            return f"Starting from {self.source}: {taken} and both discriminators."
        anew = " and ".join([*missing, "the discriminators"])
        return f"Starting from {self.source}: {taken}; {anew} start anew."
