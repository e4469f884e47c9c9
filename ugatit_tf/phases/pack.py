"""`--phase pack`: a dataset in a few large files, which train alike."""

import dataclasses
import os

from ugatit_tf.config import Config
from ugatit_tf.data import presence, storage
from ugatit_tf.errors import Failure, counted
from ugatit_tf.options import ConfigError, Options, option
from ugatit_tf.phases.phase import Phase, draw_built_in


@dataclasses.dataclass(frozen=True)
class PackOptions(Options):
    """Into which files a dataset is packed."""

    pack_to: str = option(
        "", "name of the packed dataset below --dataset_dir; without it NAME_packed"
    )
    shards: int = option(
        0, "TFRecord files of each split; 0: as many as --shard_mb needs", at_least=0
    )
    shard_mb: int = option(128, "megabytes of each, about", at_least=1)

    def check_pairs(self) -> None:
        if os.path.basename(self.pack_to) != self.pack_to or self.pack_to in (".", ".."):
            raise ConfigError(
                f"--pack_to is the name of a folder below --dataset_dir, not a path. "
                f"Received: {self.pack_to!r}"
            )
        if self.shards and self.shard_mb != PackOptions.shard_mb:
            raise ConfigError("--shards and --shard_mb both say how many shards. Use one of them.")


def check(config: Config, options: PackOptions) -> None:
    folder = config.dataset_folder
    if storage.is_remote(folder) or presence.is_drawn(config):
        return
    if not any(os.path.isdir(os.path.join(folder, split)) for split in presence.SPLITS):
        raise Failure(
            f"No images in {folder}. Expected the folders {', '.join(presence.SPLITS)}, or some."
        )


def run(config: Config, options: PackOptions) -> None:
    from ugatit_tf.data import packing

    draw_built_in(config)
    target = os.path.join(config.dataset_dir, options.pack_to or f"{config.dataset}_packed")
    sizes = {"count": options.shards, "megabytes": options.shard_mb}
    splits, existed = packing.pack(config.dataset_folder, target, **sizes)
    print(f"{target} already exists." if existed else f"Packed into {target}")
    for name, split in splits.items():
        images, shards = len(split.images), len(split.pack.shards)
        print(f"{name}: {counted(images, 'image')} in {counted(shards, 'shard')}")
    print(f"To use it: --dataset {os.path.basename(target)}")


PACK = Phase(
    "pack",
    "pack a dataset into a few large files",
    check,
    run,
    PackOptions,
    uses=lambda options: ("dataset", "dataset_dir", "seed", "img_size"),
)
