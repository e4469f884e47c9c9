"""Images to the features that KID and FID are computed of, once for each image.

An extractor is a network of `inception` or `feature_file`:

    extractor(images): uint8 [batch, height, width, 1 or 3] to float32 [batch, num_features]
    extractor.num_features
    extractor.key: what features depend on besides the images
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Callable, Protocol

import numpy as np
import tensorflow as tf

from ugatit_tf import atomic, threads
from ugatit_tf.data import storage
from ugatit_tf.images import image_file
from ugatit_tf.translation import devices

BATCH = 16
FILTERS = {"bilinear": "bilinear as TensorFlow 1", "antialias": "antialiased bilinear"}


class Extractor(Protocol):
    """What makes features of images."""

    key: str
    num_features: int

    def __call__(self, images: np.ndarray) -> np.ndarray: ...


def features_of(extractor: Extractor | devices.Copies, images: Iterable[np.ndarray]) -> np.ndarray:
    """Features [images, 2048] of uint8 images [height, width, channels] of any sizes, in order.

    Args:
        extractor: an `Extractor`, or `Copies` of it on several devices.
    """
    copies = devices.copies_of(extractor)

    def extract(batch):
        return copies.use(lambda extractor: extractor(np.stack(batch)))

    batches = threads.batches(images, BATCH, lambda image: image.shape)
    with threads.threads(copies.count) as pool:
        return np.concatenate(list(threads.ahead(pool, extract, batches, copies.count + 1)))


def cached_features(
    extractor: Extractor | devices.Copies,
    paths: Sequence,
    folder: str,
    progress: Callable[[Sequence], Iterable] = lambda paths: paths,
) -> np.ndarray:
    """Features of the images at `paths`, computed once for these contents and cached in `folder`.

    Args:
        extractor: as for `features_of`.
        progress: function that passes on `paths`, and shows how far this is.
    """
    copies = devices.copies_of(extractor)
    key = "\n".join([copies.first.key, *map(storage.digest_of_image, paths)])
    name = f"features_{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
    path = os.path.join(folder, name)
    try:
        # Mapped: a damaged header can claim more than the file holds, and nothing is allocated.
        features = np.load(path, mmap_mode="r", allow_pickle=False)
        if (
            features.shape == (len(paths), copies.first.num_features)
            and np.isfinite(features).all()
        ):
            return np.array(features)
    except (OSError, ValueError, EOFError):
        pass  # missing or damaged: computed again
    count = threads.workers(copies.count)
    with threads.threads(count) as pool:
        images = threads.ahead(pool, image_file.read, progress(paths), count + 1)
        features = features_of(copies, images)
    with contextlib.suppress(OSError), atomic.replacing(path) as file:  # full, or no right to write
        np.save(file, features)
    return features


def resized(images: tf.Tensor, size: int, filter: str) -> tf.Tensor:
    """Resizes float images [batch, height, width, channels] to squares.

    Args:
        size: int. Pixels of their sides.
        filter: "bilinear": as TensorFlow 1 resized, without antialiasing. "antialias": with it.
    """
    if filter == "antialias":
        return tf.image.resize(images, [size, size], antialias=True)
    # What tf.compat.v1.image.resize_bilinear does, without its warning.
    return tf.raw_ops.ResizeBilinear(images=images, size=[size, size])
