"""The 2048 features of an Inception network.

Metrics of different networks, weights or resize filters cannot be compared: see `Protocol`.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import tensorflow as tf

from ugatit_tf.data.storage import digest_of_file
from ugatit_tf.errors import Failure
from ugatit_tf.evaluation.features import FILTERS, resized
from ugatit_tf.images import image_file
from ugatit_tf.keras_settings import default_keras

SIZE, NUM_FEATURES = 299, 2048
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
        return f"{network}; {SIZE} x {SIZE} pixels, {FILTERS[self.resize]}; values in [-1, 1]"

    def comparable(self) -> str:
        """With which figures those of these features may be compared."""
        return {
            "keras": "Compare only with figures of the same features and numbers of images; papers "
            "use the graph of 2015.",
            "graph": "The network that papers use. Compare FID only with that of as many images.",
            "random": "A rehearsal: compare with nothing.",
        }[self.network]


class Extractor:
    """The network of a `Protocol`.

    Raises:
        Failure: its weights are missing; the message says which file to put where.
    """

    num_features = NUM_FEATURES

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.network = {"keras": _keras, "graph": _graph, "random": _random}[protocol.network](
            protocol.weights
        )
        self._run = tf.function(
            lambda images: self.network(
                resized(tf.cast(images, tf.float32) / 127.5 - 1.0, SIZE, protocol.resize)
            ),
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
            words.append(digest_of_file(self.protocol.weights))
        return "/".join(words)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """uint8 [batch, height, width, 3] or [..., 1] to float32 [batch, 2048]."""
        images = np.asarray(images)
        if images.shape[-1] == 1:
            images = np.repeat(images, 3, -1)
        return self._run(tf.constant(images)).numpy().reshape(len(images), -1)


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
