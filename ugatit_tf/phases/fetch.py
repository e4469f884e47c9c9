"""`--phase fetch`: a public dataset, downloaded or from an archive."""

import dataclasses
import os
import sys
from collections.abc import Iterator

from ugatit_tf import signals
from ugatit_tf.config import Config
from ugatit_tf.data import recipes, storage
from ugatit_tf.data.recipes import RECIPES, SPLITS, Recipe
from ugatit_tf.errors import Failure
from ugatit_tf.options import ConfigError, Options, option
from ugatit_tf.phases.phase import Phase, check_folder

OF_LICENSES = "Respecting the license is your responsibility."


@dataclasses.dataclass(frozen=True)
class FetchOptions(Options):
    """From where a dataset comes."""

    archive: str = option("", "a zip or tar that you have, in place of a download")
    swap: bool = option(False, "exchange A and B")
    keep_archive: bool = option(
        False, "keep the file that was downloaded, in .downloads below --dataset_dir"
    )

    def check_pairs(self) -> None:
        if self.archive and self.keep_archive:
            raise ConfigError("--keep_archive is for downloads: --archive stays as it is.")


def check(named: dict, options: FetchOptions) -> None:
    if "dataset" not in named:
        if options != FetchOptions():
            raise ConfigError("--phase fetch needs the name of a dataset with these options.")
        return
    from ugatit_tf.data import fetch

    config = Config(**named)
    recipe = recipe_of(config, options)
    if storage.is_remote(config.dataset_dir):
        raise Failure(
            f"Datasets are fetched to this computer. Copy them to {config.dataset_dir} then."
        )
    check_folder("dataset_dir", config.dataset_dir)
    is_here = fetch.is_here(recipe, config.dataset_folder)
    if options.archive and not is_here and not os.path.isfile(options.archive):
        raise Failure(f"--archive {options.archive}: there is no such file.")


def run(named: dict, options: FetchOptions) -> None:
    if "dataset" not in named:
        print("\n".join(described()))
        return
    from ugatit_tf.data import fetch

    config = Config(**named)
    recipe, folder = recipe_of(config, options), config.dataset_folder
    if fetch.is_here(recipe, folder):
        print(f"{folder} is complete already: nothing was done.")
        return
    try:
        counts = fetch.fetch(
            recipe, folder, archive=options.archive, keep_archive=options.keep_archive
        )
    except (KeyboardInterrupt, signals.Ended):
        if not options.archive:
            print("\nWhat has arrived is kept. The same command continues.", file=sys.stderr)
        raise
    for letter, domain in zip("AB", recipe.domains):
        train, test = counts.get(f"train{letter}", 0), counts.get(f"test{letter}", 0)
        print(f"{letter}: {domain}, {train} to train, {test} to test")
    print(f"{folder} is complete. {OF_LICENSES} {recipe.license}".rstrip())


def recipe_of(config: Config, options: FetchOptions) -> Recipe:
    """The recipe of a dataset; with --archive also of one that no recipe knows."""
    is_known = config.dataset in RECIPES or not options.archive
    recipe = recipes.find(config.dataset) if is_known else Recipe(config.dataset)
    return recipe.swapped() if options.swap else recipe


def described() -> Iterator[str]:
    """Lines on all recipes."""
    for name, recipe in RECIPES.items():
        known = [f"{split} {recipe.counts[split]}" for split in SPLITS if recipe.counts[split]]
        size = f"{recipe.num_bytes / 1e6:.0f} MB" if recipe.num_bytes else "size not known"
        yield f"{name}: {recipe.about}"
        yield f"  images: {', '.join(known) or 'not counted yet'}; download: {size}"
        yield f"  license: {recipe.license}"
        yield f"  page: {recipe.home}"
        yield f"  {recipes.command(name)}"
        yield ""
    yield f"{OF_LICENSES} With a file that you have: --archive FILE"


FETCH = Phase(
    "fetch",
    "download a public dataset; without a name: list them",
    check,
    run,
    FetchOptions,
    has_run=lambda options: False,
    uses=lambda options: ("dataset", "dataset_dir"),
    names=tuple(RECIPES),
    needs_tensorflow=False,
)
