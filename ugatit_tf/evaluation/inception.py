"""Images to the 2048 features of an Inception network, and features that are kept.

Numbers of different networks, weights or resize filters cannot be compared: `Protocol` names all.
"""

import dataclasses
import hashlib
import math
import os

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
KERAS_PLACE = "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/"
INPUTS = ("Mul:0", "FID_Inception_Net/Mul:0")  # names in the frozen graphs that are about
OUTPUTS = ("pool_3:0", "FID_Inception_Net/pool_3:0")


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How features are computed.

    Attributes:
        network: "keras": InceptionV3 of Keras Applications, ImageNet weights. "graph": the frozen
            graph of 2015, which the papers used. "random": InceptionV3 with seeded random weights,
            to rehearse; its numbers mean nothing.
        weights: path of the weights: for keras an .h5, empty downloads it; for graph a .pb.
        resize: "bilinear": as TensorFlow 1 resized, without antialiasing. "antialias".
    """

    network: str = "keras"
    weights: str = ""
    resize: str = "bilinear"

    def words(self) -> str:
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
        Failure: its weights are not there; the message says which file to put where.
    """

    def __init__(self, protocol):
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
        told = [
            self.protocol.network,
            self.protocol.resize,
            tf.__version__,
            str(image_file.DECODING),
        ]
        if self.protocol.weights:
            told.append(_digest(self.protocol.weights))
        return "/".join(told)

    def __call__(self, images) -> np.ndarray:
        """uint8 [batch, height, width, 3] or [..., 1] to float32 [batch, 2048]."""
        images = np.asarray(images)
        if images.shape[-1] == 1:
            images = np.repeat(images, 3, -1)
        return self._run(tf.constant(images)).numpy().reshape(len(images), -1)


def features_of(extractor, images) -> np.ndarray:
    """Features of an iterable of uint8 [height, width, channels], of any sizes, in its order.

    Args:
        extractor: `Extractor`, or `Copies` of it.
    """
    copies = devices.copies_of(extractor)

    def work(batch):
        return copies.use(lambda one: one(np.stack(batch)))

    batches = threads.batches(images, BATCH, lambda image: image.shape)
    with threads.threads(copies.count) as pool:
        return np.concatenate(list(threads.ahead(pool, work, batches, copies.count + 1)))


def kept(extractor, paths, folder, progress=lambda items: items) -> np.ndarray:
    """Features of the images at `paths`, computed once for these contents and kept in `folder`.

    Args:
        progress: function that passes on what it iterates over.
    """
    copies = devices.copies_of(extractor)
    about = "\n".join([copies.first.key, *map(_digest, paths)])
    name = f"features_{hashlib.sha256(about.encode()).hexdigest()[:32]}.npy"
    path = os.path.join(folder, name)
    try:
        # A map makes no room for what a header says and the file does not have.
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        if found.shape == (len(paths), NUM_FEATURES) and np.isfinite(found).all():
            return np.array(found)
    except (OSError, ValueError, EOFError):
        pass  # not there, or damaged: computed again
    count = threads.workers(copies.count)
    with threads.threads(count) as pool:
        images = threads.ahead(pool, image_file.read, progress(paths), count + 1)
        found = features_of(copies, images)
    try:
        with atomic.replacing(path) as file:
            np.save(file, found)
    except OSError:
        pass  # no room or no right to write there: it costs only time
    return found


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
            f"which is at {KERAS_PLACE}, anywhere, and give its path: --inception_weights FILE."
        ) from None


def _random(weights):
    del weights
    network = _inception(None)
    for index, weight in enumerate(network.weights):
        if len(weight.shape) == 4:  # a kernel; of this deviation it keeps the size of signals
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
        given = next(name for name in INPUTS if name in names)
        asked = next(name for name in OUTPUTS if name in names)
    except (OSError, ValueError, StopIteration, tf.errors.OpError) as error:
        reason = str(error) or f"no {INPUTS[0]} and {OUTPUTS[0]} in it"
        raise Failure(f"{weights} is not a frozen Inception graph ({reason}).") from None
    except Exception as error:  # protobuf's own, which has no public base
        raise Failure(f"{weights} is not a frozen graph ({error}).") from None

    def network(images):
        (found,) = tf.graph_util.import_graph_def(
            graph, input_map={given: images}, return_elements=[asked]
        )
        return found

    return network


def _digest(path):
    return hashlib.sha256(storage.read_bytes(path)).hexdigest()
