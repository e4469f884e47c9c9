"""Where public datasets are, what is in them, and which of their folders is A: recipes.json.

A number or sum that is null there is not known: it is not checked, and the program prints the
sum that it computes. Nothing is imported that a check before TensorFlow could not afford.
"""

from __future__ import annotations

import dataclasses
import os
import posixpath
import urllib.parse
from collections.abc import Mapping

from ugatit_tf import invocation
from ugatit_tf.jsonfile import read_json
from ugatit_tf.options import ConfigError

SPLITS = ("trainA", "trainB", "testA", "testB")
OF_THE_OTHER = {"trainA": "trainB", "trainB": "trainA", "testA": "testB", "testB": "testA"}
FILE = os.path.join(os.path.dirname(__file__), "recipes.json")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a dataset is made of an archive.

    Attributes:
        name: of the dataset.
        about: what it shows, in one line.
        domains: what A and B are.
        home: the address of its authors' page.
        license: what is known of it, in one line.
        urls: addresses of the same file, in the order in which they are tried.
        pages: where people find the archive with a browser.
        num_bytes, sha256: of the file; None where it is not known.
        folders: split -> its folder in the file of this sum.
        other_folders: the same for archives of another sum; None where it is the same.
        counts: split -> number of images; None where it is not known.
    """

    name: str
    about: str = ""
    domains: tuple[str, str] = ("A", "B")
    home: str = ""
    license: str = ""
    urls: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    num_bytes: int | None = None
    sha256: str | None = None
    folders: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: {split: split for split in SPLITS}
    )
    other_folders: Mapping[str, str] | None = None
    counts: Mapping[str, int | None] = dataclasses.field(
        default_factory=lambda: dict.fromkeys(SPLITS)
    )

    @property
    def file(self) -> str:
        """The name of the file that is downloaded."""
        return posixpath.basename(urllib.parse.urlsplit(self.urls[0]).path)

    def folders_of(self, sha256: str) -> Mapping[str, str]:
        """Returns split -> its folder in an archive of this sum."""
        is_other = self.other_folders is not None and sha256 != self.sha256
        return self.other_folders if is_other else self.folders

    def swapped(self) -> Recipe:
        """The same with A and B exchanged."""
        fields = {
            name: {split: values[OF_THE_OTHER[split]] for split in SPLITS}
            for name, values in vars(self).items()
            if name in ("folders", "other_folders", "counts") and values is not None
        }
        return dataclasses.replace(self, domains=self.domains[::-1], **fields)

    def differences(self, counts: Mapping[str, int]) -> list[str]:
        """Sentence parts on the splits that have not the expected number of images."""
        wrong = []
        for split in SPLITS:
            found, expected = counts.get(split, 0), self.counts[split]
            if expected is None and not found and split.startswith("train"):
                wrong.append(f"{split} has no image")
            elif expected not in (None, found):
                wrong.append(f"{split} has {found}, expected {expected}")
        return wrong


def _read() -> dict[str, Recipe]:
    return {
        name: Recipe(
            name, **{key: tuple(x) if isinstance(x, list) else x for key, x in values.items()}
        )
        for name, values in read_json(FILE).items()
    }


RECIPES = _read()


def find(name: str) -> Recipe:
    """Returns the recipe of a dataset.

    Raises:
        ConfigError: there is none; the message lists them.
    """
    if name not in RECIPES:
        raise ConfigError(
            f"There is no recipe for {name!r}. Expected one of {', '.join(RECIPES)}, or --archive "
            f"FILE for an archive with the folders {', '.join(SPLITS)}. Images of your own: "
            f"{invocation.command('prepare', '--help')}"
        )
    return RECIPES[name]


def command(name: str, *words: str) -> str:
    """The command that fetches a dataset."""
    return invocation.command("fetch", name, *words)
