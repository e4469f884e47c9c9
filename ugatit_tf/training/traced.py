"""The networks of a step as traced functions, and when their spectral states move."""

from __future__ import annotations

import tensorflow as tf

from ugatit_tf.config import Config
from ugatit_tf.flavors import FLAVORS
from ugatit_tf.layers.weights import layers_in
from ugatit_tf.networks.model import UGATIT
from ugatit_tf.training.objective import Networks
from ugatit_tf.training.replicas import Replicas


def traced_networks(model: UGATIT, config: Config, replicas: Replicas) -> Networks:
    """Each network as one traced function of any batch size: traced once, called often.

    In every pass of a discriminator its spectral states move on; with `config.accumulate` they
    stand still for all batches of an update, and `advance_spectral_states` moves them.
    """
    stores_v = FLAVORS[config.flavor].stores_v
    images = tf.TensorSpec([None, config.img_size, config.img_size, config.img_ch])
    options = {"input_signature": [images], "jit_compile": config.xla or None, "autograph": False}

    def traced(network, **kwargs):
        return tf.function(lambda x: network(x, **kwargs), **options)

    def discriminator(network):
        if config.accumulate > 1 or not replicas.strategy:
            return traced(network, training=config.accumulate == 1)
        frozen = traced(network)

        def advance():
            replicas.update(lambda: advance_spectral_states(network), xla=config.xla)

        def moving(x):  # a function of its own cannot change what replicas have in common
            if stores_v:  # the pass takes the state as it is; without v it iterates once itself
                advance()
            output = frozen(x)
            if not stores_v:
                advance()
            return output

        return moving

    return Networks(
        a2b=traced(model.a2b),
        b2a=traced(model.b2a),
        attend_a2b=traced(model.a2b.attend),
        attend_b2a=traced(model.b2a.attend),
        discriminator_a=discriminator(model.discriminator_a),
        discriminator_b=discriminator(model.discriminator_b),
    )


def advance_spectral_states(*networks: tf.keras.layers.Layer) -> tf.Tensor:
    """One power iteration for all spectral states of `networks`."""
    for network in networks:
        for _, layer in layers_in(network):
            if hasattr(layer, "u"):
                layer.advance()
    return tf.constant(True)
