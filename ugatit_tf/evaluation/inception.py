"""Images to the 2048 features of an Inception network, computed once and cached.

Metrics of different networks, weights or resize filters cannot be compared: see `Protocol`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import os
from collections.abc import Iterable, Sequence
from typing import Callable

import numpy as np
import tensorflow as tf

from ugatit_tf import atomic, threads
from ugatit_tf.data import storage
from ugatit_tf.errors import Failure
from ugatit_tf.images import image_file
from ugatit_tf.keras_settings import default_keras
from ugatit_tf.translation import devices

SIZE, NUM_FEATURES = 299, 2048
BATCH = 16
KERAS_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
KERAS_URL = "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/"
INPUTS = ("Mul:0", "FID_Inception_Net/Mul:0")  # names in the frozen graphs in circulation
OUTPUTS = ("pool_3:0", "FID_Inception_Net/pool_3:0")


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How features are computed.

    Attributes:
        network: "keras": InceptionV3 of Keras Applications, ImageNet weights. "graph": the frozen
            graph of 2015, which the papers used. "random": InceptionV3 with seeded random weights,
            for rehearsals; its metrics mean nothing.
        weights: path of the weights: an .h5 for keras, where empty downloads it; a .pb for graph.
        resize: "bilinear": as TensorFlow 1 resized, without antialiasing. "antialias": with it.
    """

    network: str = "keras"
    weights: str = ""
    resize: str = "bilinear"

    def words(self) -> str:
        """What metrics.json and the tables say of the features."""
        network = {
            "keras": "InceptionV3 of Keras Applications, ImageNet weights",
            "graph": "Inception graph of 2015, pool_3",
            "random": "InceptionV3 with random weights: a rehearsal",
        }[self.network]
        resize = {"bilinear": "bilinear as TensorFlow 1", "antialias": "antialiased bilinear"}
        return f"{network}; {SIZE} x {SIZE} pixels, {resize[self.resize]}; values in [-1, 1]"


class Extractor:
    """The network of a `Protocol`.

    Raises:
        Failure: its weights are missing; the message says which file to put where.
    """

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.network = {"keras": _keras, "graph": _graph, "random": _random}[protocol.network](
            protocol.weights
        )
        self._run = tf.function(
            lambda images: self.network(_resized(images, protocol.resize)),
            input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)],
        )

    @property
    def key(self) -> str:
        """What features depend on besides the images."""
        words = [
            self.protocol.network,
            self.protocol.resize,
            tf.__version__,
            str(image_file.DECODING),
        ]
        if self.protocol.weights:
            words.append(_digest(self.protocol.weights))
        return "/".join(words)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """uint8 [batch, height, width, 3] or [..., 1] to float32 [batch, 2048]."""
        images = np.asarray(images)
        if images.shape[-1] == 1:
            images = np.repeat(images, 3, -1)
        return self._run(tf.constant(images)).numpy().reshape(len(images), -1)


def features_of(extractor: Extractor | devices.Copies, images: Iterable[np.ndarray]) -> np.ndarray:
    """Features [images, 2048] of uint8 images [height, width, channels] of any sizes, in order.

    Args:
        extractor: `Extractor`, or `Copies` of it on several devices.
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
    key = "\n".join([copies.first.key, *map(_digest, paths)])
    name = f"features_{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
    path = os.path.join(folder, name)
    try:
        # Mapped: a damaged header can claim more than the file holds, and nothing is allocated.
        features = np.load(path, mmap_mode="r", allow_pickle=False)
        if features.shape == (len(paths), NUM_FEATURES) and np.isfinite(features).all():
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


def _resized(images, kind):
    images = tf.cast(images, tf.float32) / 127.5 - 1.0
    if kind == "antialias":
        return tf.image.resize(images, [SIZE, SIZE], antialias=True)
    return tf.compat.v1.image.resize_bilinear(images, [SIZE, SIZE])


def _keras(weights):
    try:
        network = _inception(weights or "imagenet")
        return lambda images: network(images, training=False)
    except Exception as error:  # a download fails in many ways, and so does reading an .h5
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if weights:
            raise Failure(f"{weights} is not the weights of InceptionV3 ({reason}).") from None
        raise Failure(
            f"The weights of InceptionV3 could not be downloaded ({reason}). Put {KERAS_FILE}, "
            f"which is at {KERAS_URL}, anywhere, and give its path: --inception_weights FILE."
        ) from None


def _random(weights):
    del weights
    network = _inception(None)
    for index, weight in enumerate(network.weights):
        if len(weight.shape) == 4:  # a kernel; this deviation keeps the size of signals
            deviation = math.sqrt(2 / math.prod(weight.shape[:3]))
            draw = tf.random.stateless_normal(weight.shape, [0, index], 0.0, deviation)
            weight.assign(draw)
    return lambda images: network(images, training=False)


def _inception(weights):
    with default_keras():
        return tf.keras.applications.InceptionV3(
            include_top=False, weights=weights, pooling="avg", input_shape=[SIZE, SIZE, 3]
        )


def _graph(weights):
    if not weights:
        raise Failure(
            "--inception graph needs --inception_weights FILE: the frozen graph of 2015, "
            "classify_image_graph_def.pb from inception-2015-12-05.tgz."
        )
    try:
        with open(weights, "rb") as file:
            graph = tf.compat.v1.GraphDef.FromString(file.read())
        names = {f"{node.name}:0" for node in graph.node}
        input_name = next(name for name in INPUTS if name in names)
        output_name = next(name for name in OUTPUTS if name in names)
    except (OSError, ValueError, StopIteration, tf.errors.OpError) as error:
        reason = str(error) or f"no {INPUTS[0]} and {OUTPUTS[0]} in it"
        raise Failure(f"{weights} is not a frozen Inception graph ({reason}).") from None
    except Exception as error:  # protobuf's own, which has no public base
        raise Failure(f"{weights} is not a frozen graph ({error}).") from None

    def network(images):
        (features,) = tf.graph_util.import_graph_def(
            graph, input_map={input_name: images}, return_elements=[output_name]
        )
        return features

    return network


def _digest(path):
    return hashlib.sha256(storage.read_bytes(path)).hexdigest()
