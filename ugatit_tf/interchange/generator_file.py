"""One generator in one file: its weights and what they belong to, nothing of training.

A NumPy archive (.npz) of float32 arrays under the names of the weights, and `about`: JSON with
the options of the architecture. Every array carries a CRC-32, which reading checks.
"""

import dataclasses
import errno
import json
import zipfile
import zlib

import numpy as np

from ugatit_tf.config import VERSION, Config, ConfigError
from ugatit_tf.networks.model import build_generator, named_weights
from ugatit_tf.pictures import files
from ugatit_tf.request import DIRECTIONS
from ugatit_tf.runtime import Failure

SUFFIX = ".npz"
ABOUT = "about"
OF_DISCRIMINATORS = ("n_dis", "sn", "discriminator_cam")
# What reading another or a damaged file raises; RuntimeError: encrypted, or packed otherwise
UNFIT = (
    OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, zlib.error
)  # fmt: skip


def save(generator, config, direction, path):
    """Writes `generator` to `path`, whole or not at all."""
    about = {
        "format": "ugatit_tf generator",
        "version": VERSION,
        "direction": direction,
        "img_size": config.img_size,
        "options": {k: v for k, v in config.architecture().items() if k not in OF_DISCRIMINATORS},
    }
    arrays = {name: weight.numpy() for name, weight in named_weights(generator, "").items()}
    with files.replacing(path) as file:
        np.savez(file, **{ABOUT: np.array(json.dumps(about))}, **arrays)


def load(path, **options):
    """Reads what `save` wrote.

    Args:
        options: of Config, which are not of the architecture, e.g. `precision`.

    Returns:
        (generator, Config with what is known, direction).

    Raises:
        Failure: the file cannot be read, is damaged, or is not of a generator.
    """
    try:
        about, arrays = _read(path)
        known = {**about["options"], "img_size": about["img_size"]}
        config, direction = _config({**known, **options}), about["direction"]
    except (*UNFIT, zipfile.BadZipFile) as error:
        # A damaged archive sends its reader to places that are not there: EINVAL. Any other
        # number is the computer's, and says nothing about the file.
        if getattr(error, "errno", None) not in (None, errno.EINVAL):
            raise Failure(f"{path} cannot be read: {error.strerror.lower()}.") from None
        raise Failure(
            f"{path} is not a generator file, or it is damaged ({error}). Expected one that "
            f"--phase export wrote, e.g. a2b{SUFFIX}."
        ) from None
    wrong = Failure(f"{path} does not fit its own description. Export it again.")
    stem = arrays.get("/stem/convolution/kernel", np.zeros(0))
    if direction not in DIRECTIONS or stem.shape != (7, 7, config.img_ch, config.ch):
        raise wrong  # before networks of any size are built
    generator = build_generator(config, direction)
    weights = named_weights(generator, "")
    kinds = {name: (tuple(weight.shape), np.float32) for name, weight in weights.items()}
    if kinds != {name: (array.shape, array.dtype) for name, array in arrays.items()}:
        raise wrong
    for name, weight in weights.items():
        weight.assign(arrays[name])
    return generator, config, direction


def _read(path):
    """(dict of what the file says of itself, dict name -> array)."""
    # `open`: where the content is no archive, `np.load` leaves a file that it opened open
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("no archive")
        file.seek(0)
        with np.load(file, allow_pickle=False) as archive:
            about = json.loads(str(archive[ABOUT]))
            return about, {name: archive[name] for name in archive.files if name != ABOUT}


def _config(known):
    """A Config of these options; the discriminators' depth is what the size allows."""
    names = {field.name for field in dataclasses.fields(Config)}
    unknown = sorted(set(known) - names)
    if unknown:
        raise ValueError(f"options that do not exist: {', '.join(unknown)}")
    try:
        return Config(**known)
    except ConfigError:  # the default depth needs more pixels than this size has
        return Config(**known, n_dis=2)
