"""The networks of a step as traced functions, and when their spectral states move."""

from __future__ import annotations

import copy
import functools

import tensorflow as tf

from ugatit_tf.config import Config
from ugatit_tf.flavors import FLAVORS
from ugatit_tf.layers.weights import layers_in, named_weights
from ugatit_tf.networks.model import UGATIT
from ugatit_tf.training.objective import Networks
from ugatit_tf.training.replicas import Replicas


def traced_networks(model: UGATIT, config: Config, replicas: Replicas) -> Networks:
    """Each network as a traced function of any batch size. The two of a kind share one graph.

    In every pass of a discriminator its spectral states move on; with `config.accumulate` they
    stand still for all batches of an update, and `advance_spectral_states` moves them.
    """
    stores_v = FLAVORS[config.flavor].stores_v
    size = config.training_size
    images = tf.TensorSpec([None, size, size, config.img_ch])
    options = {"input_signature": [images], "jit_compile": config.xla or None, "autograph": False}

    def traced(network, **kwargs):
        return tf.function(lambda x: network(x, **kwargs), **options)

    def both(one, other, part=lambda network: network, **kwargs):
        functions = [traced(part(network), **kwargs) for network in (one, other)]
        # Replicas have weights of their own; what recomputes has the weights of its trace.
        if not (replicas.strategy or config.recompute):
            functions[1] = SharedGraph(functions, named_weights(one), named_weights(other))
        return functions

    def discriminators():
        pair = model.discriminator_a, model.discriminator_b
        if config.accumulate > 1 or not replicas.strategy:
            return both(*pair, training=config.accumulate == 1)
        return map(moving, pair, both(*pair))

    def moving(network, frozen):
        def advance():
            replicas.update(lambda: advance_spectral_states(network), xla=config.xla)

        def moved(x):  # a function of its own cannot change what replicas have in common
            if stores_v:  # the pass takes the state as it is; without v it iterates once itself
                advance()
            output = frozen(x)
            if not stores_v:
                advance()
            return output

        return moved

    generators = model.a2b, model.b2a
    return Networks(
        *both(*generators),
        *both(*generators, lambda network: network.attend),
        *discriminators(),
    )


class SharedGraph:
    """A traced function that runs the graph of another, with weights of its own.

    The networks of a kind have the same structure, and to trace one, forth and back, takes seconds.

    Args:
        functions: the `tf.function` of the other network, and that of this one.
        weights, own: dict path -> variable of the other network, and of this one.
    """

    def __init__(self, functions: tuple, weights: dict, own: dict) -> None:
        self.traced, self.untraced = functions
        self.weights, self.own = weights, own

    def __call__(self, x: tf.Tensor) -> tuple:
        if tf.config.functions_run_eagerly():
            return self.untraced(x)
        return self._concrete(x)

    @functools.cached_property
    def _concrete(self):
        function = self.traced.get_concrete_function()
        owns = {id(weight.handle): self.own[path].handle for path, weight in self.weights.items()}
        own = copy.copy(function)  # the graph and its gradient are the same objects
        own.set_external_captures([owns[id(capture)] for capture in function.captured_inputs])
        return own


def advance_spectral_states(*networks: tf.keras.layers.Layer) -> tf.Tensor:
    """One power iteration for all spectral states of `networks`."""
    for network in networks:
        for _, layer in layers_in(network):
            if hasattr(layer, "u"):
                layer.advance()
    return tf.constant(True)
