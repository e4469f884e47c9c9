"""`--phase evaluate`: how far translations are from the target domain, and from their source."""

import contextlib
import json
import os

import numpy as np

from ugatit_tf import atomic, threads
from ugatit_tf.config import KID, VERSION
from ugatit_tf.data import folders, presence, storage
from ugatit_tf.errors import Failure, counted
from ugatit_tf.evaluation import fid, kid
from ugatit_tf.evaluation.fakes import DOMAINS, fakes_in
from ugatit_tf.evaluation.inception import Extractor, Protocol, features_of, kept
from ugatit_tf.images import image_array, image_file
from ugatit_tf.progress import track
from ugatit_tf.translation import devices, load, sources
from ugatit_tf.translation.model import BATCH

CACHE = ".cache"  # beside the dataset's folders
WATCHED = 200
SMALLEST = 4  # images: two subsets of half of them


def protocol_of(config) -> Protocol:
    return Protocol(config.inception, config.inception_weights, config.inception_resize)


def evaluate(config, *, fake_dir="", which="latest", seed=0) -> tuple:
    """Measures both directions of a run, or the images of another program.

    Args:
        fake_dir: folder with `a2b` and `b2a`, or one of them, of translated test images; empty
            translates the test images with the checkpoint that `which` names.

    Returns:
        (dict as written, path of the metrics.json).

    Raises:
        Failure: images, weights or a checkpoint are missing.
    """
    real = {part: _paths(config, part) for part in folders.TEST}
    fakes = fakes_in(fake_dir) if fake_dir else dict.fromkeys(DOMAINS)
    protocol = protocol_of(config)
    names = devices.names(config.strategy)
    extractor = devices.Copies(Extractor(protocol), lambda: Extractor(protocol), names)
    cache = _cache(config)
    features = {part: kept(extractor, paths, cache, _bar(part)) for part, paths in real.items()}
    found = {
        "about": {
            "program": f"ugatit_tf {VERSION}",
            "pictures": fake_dir,
            "features": protocol.words(),
            "subsets": kid.SUBSETS,
            "seed": seed,
        }
    }
    model = None if fake_dir else load.of_run(config, which)
    if model:
        found["about"]["pictures"] = model.source
    for direction, folder in fakes.items():
        source, target = DOMAINS[direction]
        if folder:
            fake = kept(extractor, folders.images_in(folder), os.path.join(folder, CACHE))
        else:
            fake = features_of(extractor, translations(model, real[source], direction))
        found[direction] = measures(fake, features[target], features[source], seed=seed)
    return found, _write(found, _place(config, fake_dir, model))


class Watching:
    """KID while a run trains, on the first `WATCHED` test images of each domain.

    Called with a `UGATIT`, it returns tag -> number: of each direction, and their mean `KID`.

    Args:
        parts: dict name -> `folders.Split` of the dataset, where it was examined already.
    """

    def __init__(self, config, parts=None):
        self.config = config
        self.extractor = Extractor(protocol_of(config))
        self.paths = {}
        for name in folders.TEST:
            known = parts[name].paths if parts and parts[name].images else None
            self.paths[name] = (known or _paths(config, name))[:WATCHED]
        cache = _cache(config)
        self.features = {
            part: kept(self.extractor, paths, cache, _bar(part))
            for part, paths in self.paths.items()
        }
        for part, features in self.features.items():
            if len(features) < SMALLEST:
                raise Failure(f"--eval_freq needs at least {SMALLEST} images in {part}.")
        self.model = None

    def __call__(self, networks) -> dict:
        if self.model is None:  # traced once
            self.model = load.of_networks(networks, self.config)
        found = {}
        for direction, (source, target) in DOMAINS.items():
            images = translations(self.model, self.paths[source], direction, quiet=True)
            fake = features_of(self.extractor, images)
            found[f"eval/kid_{direction}"], _ = kid.kid(self.features[target], fake)
        return {**found, KID: sum(found.values()) / len(found)}


def measures(fake, target, source, *, seed=0) -> dict:
    """All numbers of one direction, from features [n, d].

    Raises:
        Failure: there are too few.
    """
    sets = {"fake": fake, "target": target, "source": source}
    for name, features in sets.items():
        if len(features) < SMALLEST:
            images = counted(len(features), f"{name} image")
            raise Failure(f"{images}; at least {SMALLEST} are needed.")
    to_target, to_source = kid.block_kid(target, fake), kid.block_kid(source, fake)
    return {
        "pictures": {name: len(features) for name, features in sets.items()},
        "subset_size": kid.subset_size(target, fake),
        "kid_target": _pair(kid.kid(target, fake, seed=seed)),
        "kid_source": _pair(kid.kid(source, fake, seed=seed)),
        "paper": {
            "block_kid_target": _pair(to_target),
            "block_kid_source": _pair(to_source),
            "figure": kid.paper_figure(to_target[0], to_source[0]),
            "error": _number(kid.paper_figure(to_target[1], to_source[1])),
        },
        "fid": fid.fid(target, fake),
    }


def translations(model, paths, direction, *, quiet=False):
    """Yields the translations of images as the test phase writes them, uint8."""

    def read(path):
        pixels = image_file.read(path, channels=model.channels)
        how = model.fit_of(pixels.shape, "stretch", restore=False)
        return how.apply(image_array.to_float(pixels))

    def translate(batch):
        return model.outputs(np.stack(batch), direction, tile_pixels=model.size**2)

    def finish(output):
        return image_array.to_uint8(output[0])

    options = {"size": BATCH, "limit": 2 * BATCH, "devices": model.num_devices}
    images = threads.staged(paths, read, translate, finish, **options)
    with contextlib.closing(images):
        shown = {"label": f"translate {direction}", "unit": "image", "quiet": quiet}
        yield from track(images, len(paths), **shown)


def table(found) -> str:
    """The numbers for people, KID times 100 as in the paper."""
    lines = [
        f"Features: {found['about']['features']}",
        f"Images: {found['about']['pictures']}",
        "KID x 100: mean +- standard deviation over subsets; paper: its own estimate, see docs",
        f"{'':5} {'KID to target':>16} {'KID to source':>16} {'paper':>8} {'FID':>8}  images",
    ]
    for direction in DOMAINS:
        if direction not in found:
            continue
        row = found[direction]
        pairs = (row[name] for name in ("kid_target", "kid_source"))
        shown = (f"{100 * p['mean']:.4g} +- {100 * p['spread']:.2g}" for p in pairs)
        counts = " / ".join(str(count) for count in row["pictures"].values())
        lines.append(
            f"{direction:5} {' '.join(f'{text:>16}' for text in shown)} "
            f"{100 * row['paper']['figure']:8.4g} {row['fid']:8.4g}  {counts}, subsets of "
            f"{row['subset_size']}"
        )
    fewest = min(min(found[d]["pictures"].values()) for d in DOMAINS if d in found)
    if fewest < fid.ENOUGH:
        lines.append(
            f"FID of {fewest} images is too high by an amount that depends on their number: "
            f"compare only with as many."
        )
    return "\n".join(lines)


def _cache(config):
    """Where features are kept: beside the images, or beside the results if those are remote."""
    remote = storage.is_remote(config.dataset_folder)
    return os.path.join(config.result_dir if remote else config.dataset_folder, CACHE)


def _paths(config, part):
    folder = os.path.join(config.dataset_folder, part)
    if not storage.is_folder(folder):
        raise Failure(presence.no_images(folder, presence.FOR_MEASURING))
    return folders.images_in(folder)


def _place(config, fake_dir, model):
    if fake_dir:
        return os.path.join(fake_dir, "metrics.json")
    step = os.path.basename(model.source)
    return os.path.join(config.result_dir, config.run_name, f"{step}_metrics.json")


def _write(found, path):
    """Writes the numbers; those of another protocol that are there stay."""
    content = (json.dumps(found, indent=2) + "\n").encode()
    for one in sources.numbered(path):
        if not os.path.lexists(one):
            with atomic.replacing(one) as file:
                file.write(content)
            return one
        with open(one, "rb") as file:
            if file.read() == content:
                return one
    return path


def _pair(values):
    mean, spread = values
    return {"mean": mean, "spread": _number(spread)}


def _number(value):
    return None if np.isnan(value) else value  # JSON has no NaN


def _bar(name):
    def shown(items):
        return track(items, len(items), label=f"features of {name}", unit="image")

    return shown
