"""KID and FID of a run or of any translated images, and KID while a run trains."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from ugatit_tf import atomic
from ugatit_tf.config import KID, VERSION, Config
from ugatit_tf.data import folders, presence, storage
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.errors import Failure, counted
from ugatit_tf.evaluation import fid, kid
from ugatit_tf.evaluation.fakes import fake_folders
from ugatit_tf.evaluation.feature_file import FeatureFile, FileExtractor
from ugatit_tf.evaluation.features import cached_features, features_of
from ugatit_tf.evaluation.inception import Extractor, Protocol
from ugatit_tf.feature_options import channels
from ugatit_tf.images import image_array, image_file
from ugatit_tf.networks.model import UGATIT
from ugatit_tf.progress import track
from ugatit_tf.translation import devices, loading, paths
from ugatit_tf.translation.streaming import Input
from ugatit_tf.translation.translator import Translator

CACHE = ".cache"  # the folder of features, beside the folders of the dataset
MOST_VALIDATED = 200  # test images of each domain while a run trains

FEWEST = 4  # images: two subsets of half of them


def protocol_of(config: Config) -> Protocol | FeatureFile:
    """How features are computed, as the options say."""
    if config.features:
        mean, std = (channels(n, getattr(config, n)) for n in ("features_mean", "features_std"))
        return FeatureFile(
            config.features, config.features_size, mean, std, config.inception_resize
        )
    return Protocol(config.inception, config.inception_weights, config.inception_resize)


def extractor_of(protocol: Protocol | FeatureFile) -> Extractor | FileExtractor:
    """The network of a protocol."""
    return (FileExtractor if isinstance(protocol, FeatureFile) else Extractor)(protocol)


def evaluate(
    config: Config,
    *,
    fake_dir: str = "",
    translator: Translator | None = None,
    size: int | str = 0,
    seed: int = 0,
) -> tuple[dict, str]:
    """Measures all directions of a run or another model, or the images of another program.

    Args:
        fake_dir: folder with `a2b` and `b2a`, or one of them, of translated test images. Empty:
            the test images are translated here.
        translator: what translates them. None: the latest checkpoint of the run.
        size: with which they are translated and scaled back, as in `Translator.translate`. 0: as
            squares of the training size, as the official test does.
        seed: int. Of the random subsets of KID.

    Returns:
        (metrics as they are written, path of the metrics.json).

    Raises:
        Failure: images, weights or a checkpoint are missing.
    """
    real_paths = {folder: _image_paths(config, folder) for folder in folders.TEST}
    extractor, protocol = _on_all_devices(config)
    real = _real_features(config, extractor, real_paths)
    translator = None if fake_dir else translator or loading.from_run(config)
    pictures = fake_dir or translator.source
    metrics = {
        "about": {
            "program": f"ugatit_tf {VERSION}",
            "pictures": pictures,
            **({"size": size} if size else {}),
            "features": protocol.words(),
            "comparable": protocol.comparable(),
            "subsets": kid.SUBSETS,
            "seed": seed,
        }
    }
    folders_of = fake_folders(fake_dir) if fake_dir else dict.fromkeys(translator.directions)
    for name, folder in folders_of.items():
        source, target = DIRECTIONS[name].source_folder, DIRECTIONS[name].target_folder
        if folder:
            fake = _cached(extractor, folder)
        else:
            images = translations(translator, real_paths[source], name, size)
            fake = features_of(extractor, images)
        metrics[name] = metrics_of(fake, real[target], real[source], seed=seed)
    return metrics, _write(metrics, _metrics_path(config, fake_dir, pictures))


class ValidationKID:
    """KID while a run trains, on the first `MOST_VALIDATED` test images of each domain.

    Args:
        config: Config of the run.
        parts: dict name -> `folders.Split` of the dataset, if it was examined already.

    Raises:
        Failure: there are no test images, too few, or no weights of Inception.
    """

    def __init__(self, config: Config, parts: dict | None = None) -> None:
        self.config = config
        self.extractor = extractor_of(protocol_of(config))
        self.paths = {}
        for name in folders.TEST:
            examined = parts[name].paths if parts and parts[name].images else None
            self.paths[name] = (examined or _image_paths(config, name))[:MOST_VALIDATED]
        self.features = _real_features(config, self.extractor, self.paths)
        for name, features in self.features.items():
            if len(features) < FEWEST:
                raise Failure(f"--eval_freq needs at least {FEWEST} images in {name}.")
        self.translator = None

    def __call__(self, networks: UGATIT) -> dict[str, float]:
        """Returns tag -> KID of each direction, and under `KID` their mean."""
        if self.translator is None:  # traced once
            self.translator = loading.from_networks(networks, self.config)
        values = {}
        for name, direction in DIRECTIONS.items():
            sources = self.paths[direction.source_folder]
            images = translations(self.translator, sources, name, quiet=True)
            fake = features_of(self.extractor, images)
            target = self.features[direction.target_folder]
            values[f"{KID}_{name}"], _ = kid.kid(target, fake)
        return {**values, KID: sum(values.values()) / len(values)}


def metrics_of(
    fake: np.ndarray, target: np.ndarray, source: np.ndarray, *, seed: int = 0
) -> dict[str, object]:
    """All metrics of one direction.

    Args:
        fake, target, source: features [n, d] of translations and of both domains.

    Raises:
        Failure: there are too few.
    """
    sets = {"fake": fake, "target": target, "source": source}
    for name, features in sets.items():
        if len(features) < FEWEST:
            images = counted(len(features), f"{name} image")
            raise Failure(f"{images}; at least {FEWEST} are needed.")
    to_target, to_source = kid.block_kid(target, fake), kid.block_kid(source, fake)
    return {
        "pictures": {name: len(features) for name, features in sets.items()},
        "subset_size": kid.subset_size(target, fake),
        "kid_target": _mean_and_spread(kid.kid(target, fake, seed=seed)),
        "kid_source": _mean_and_spread(kid.kid(source, fake, seed=seed)),
        "paper": {
            "block_kid_target": _mean_and_spread(to_target),
            "block_kid_source": _mean_and_spread(to_source),
            "figure": kid.paper_figure(to_target[0], to_source[0]),
            "error": _number(kid.paper_figure(to_target[1], to_source[1])),
        },
        "fid": fid.fid(target, fake),
    }


def translations(
    translator: Translator,
    paths: Sequence,
    direction: str,
    size: int | str = 0,
    *,
    quiet: bool = False,
) -> Iterator[np.ndarray]:
    """Yields the translations of images, uint8.

    Args:
        size: as in `evaluate`.
        quiet: bool. Whether no progress is shown.
    """

    def load(path):
        pixels = image_file.read(path, channels=translator.channels)
        fit = translator.fit_of(
            pixels.shape, "auto" if size else "stretch", size, restore=bool(size)
        )
        return Input(image_array.to_float(pixels), fit)

    images = translator.stream(
        paths, load, lambda _, result: image_array.to_uint8(result.image), direction=direction
    )
    with contextlib.closing(images):
        options = {"label": f"translate {direction}", "unit": "image", "quiet": quiet}
        yield from track(images, len(paths), **options)


def _on_all_devices(config):
    """The network of features, and its protocol with the size that a file of features says."""
    extractor = extractor_of(protocol_of(config))
    protocol = extractor.protocol
    if not config.features:  # which run on the processor
        names = devices.names(config.strategy)
        extractor = devices.Copies(extractor, lambda: extractor_of(protocol), names)
    return extractor, protocol


def _cached(extractor, folder):
    return cached_features(extractor, folders.images_in(folder), os.path.join(folder, CACHE))


def _real_features(config, extractor, real_paths) -> dict:
    """Name of a folder -> features of its images, cached beside the images.

    Where the images are remote, features are cached beside the results.
    """
    is_remote = storage.is_remote(config.dataset_folder)
    cache = os.path.join(config.result_dir if is_remote else config.dataset_folder, CACHE)
    return {
        name: cached_features(extractor, paths, cache, _progress(name))
        for name, paths in real_paths.items()
    }


def _progress(name) -> Callable[[Sequence], Iterable]:
    return lambda items: track(items, len(items), label=f"features of {name}", unit="image")


def _image_paths(config, name):
    folder = os.path.join(config.dataset_folder, name)
    if not storage.is_folder(folder):
        raise Failure(presence.no_images(folder, presence.FOR_MEASURING))
    return folders.images_in(folder)


def _metrics_path(config, fake_dir, pictures):
    if fake_dir:
        return os.path.join(fake_dir, "metrics.json")
    model = os.path.basename(os.path.abspath(pictures)).removesuffix(".npz")
    return os.path.join(config.result_dir, config.run_name, f"{model}_metrics.json")


def _write(metrics, path):
    """Writes the metrics; a file with other metrics stays, and this one gets a number."""
    content = (json.dumps(metrics, indent=2) + "\n").encode()
    for candidate in paths.numbered(path):
        if not os.path.lexists(candidate):
            with atomic.replacing(candidate) as file:
                file.write(content)
            return candidate
        with open(candidate, "rb") as file:
            if file.read() == content:
                return candidate
    return path


def _mean_and_spread(values):
    mean, spread = values
    return {"mean": mean, "spread": _number(spread)}


def _number(value):
    return None if np.isnan(value) else value  # JSON has no NaN
