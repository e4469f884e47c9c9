"""What weights say of themselves, and what happens to those that say nothing."""

import pytest
import tensorflow as tf

from tests import made
from ugatit_tf import layers
from ugatit_tf.layers.precision import MixedLayer
from ugatit_tf.layers.weights import Role, Start, named_weights, roles_of
from ugatit_tf.networks.model import build_model


def test_every_weight_of_the_networks_says_what_it_is_for():
    roles = build_model(made.tiny_config(sn=True)).roles()
    by_name = {}
    for path, role in roles.items():
        by_name.setdefault(path.rsplit("/", 1)[-1], set()).add(role)
    assert by_name == {
        "kernel": {Role(decays=True, start=Start("normal", 0.02))},
        "bias": {Role()},
        "gamma": {Role(start=Start("constant", 1.0))},
        "beta": {Role()},
        "rho": {Role(clipped=(0.0, 1.0), start=Start("constant", value)) for value in (0.0, 1.0)},
        "u": {Role(trained=False, start=Start("normal", 1.0))},
    }


class Silent(MixedLayer):
    """A layer that makes a weight the Keras way."""

    def build(self, x_shape):
        self.convolution = layers.Convolution(2, 1)
        self.scale = self.add_weight(name="scale", shape=[1], initializer="ones")
        super().build(x_shape)

    def call(self, x):
        return self.convolution(x) * tf.convert_to_tensor(self.scale)


def test_a_weight_that_no_layer_declared_is_an_error():
    layer = Silent(name="silent")
    layer(tf.zeros([1, 2, 2, 1]))
    for read in (named_weights, roles_of):
        with pytest.raises(ValueError, match="silent has weights that no layer declared.*scale"):
            read(layer)
