"""Tests of `ugatit_tf.training.traced`: networks of a kind that share one graph."""

import functools
import types

import numpy as np
import pytest
import tensorflow as tf

from tests import made
from tests.tolerances import NETWORK, TOLERANCE
from ugatit_tf.layers.weights import roles_of
from ugatit_tf.networks.model import build_model
from ugatit_tf.training.replicas import Replicas
from ugatit_tf.training.traced import SharedGraph, traced_networks

IMAGES = made.images(2, 8, 8, 1)
PAIRS = ("a2b", "b2a"), ("discriminator_a", "discriminator_b")
CASES = {
    "light": {},
    "full": {"light": False},
    "pytorch": {"flavor": "pytorch"},
    "in": {"decoder_norm": "in"},
    "no attention": {"generator_cam": False, "discriminator_cam": False},
    "no spectral normalization": {"sn": False},
    "recompute": {"recompute": True},
    "small squares of images": {"img_size": 16, "crop_size": 8},
}


def networks_of(**options):
    config = made.tiny_config(**options)
    model = build_model(config)
    made.fill(model.weights())
    return model, traced_networks(model, config, Replicas())


def gradients(function, network):
    """(outputs, gradients of a number that depends on all of them), flattened."""
    weights = made.named_weights(network)
    trained = [weights[path] for path, role in roles_of(network).items() if role.trained]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(trained)
        outputs = [x for x in tf.nest.flatten(function(IMAGES)) if x is not None]
        value = sum(tf.reduce_sum(x * made.numbers(*x.shape, seed=3)) for x in outputs)
    found = outputs, tape.gradient(value, trained)
    return [np.concatenate([np.ravel(x) for x in values]) for values in found]


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_each_network_of_a_pair_has_its_own_outputs_and_gradients(options):
    (model, networks), (alike, _) = networks_of(**options), networks_of(**options)
    for name in sum(PAIRS, ()):
        network, plain = getattr(model, name), getattr(alike, name)
        training = {"training": True} if name.startswith("discriminator") else {}
        expected = gradients(functools.partial(plain, **training), plain)
        found = gradients(getattr(networks, name), network)
        np.testing.assert_allclose(found[0], expected[0], err_msg=name, **TOLERANCE["network"])
        # Of all gradients together: that of a bias before a normalization is nothing but rounding.
        assert np.linalg.norm(found[1] - expected[1]) <= NETWORK * np.linalg.norm(expected[1]), name


def test_the_second_of_a_pair_is_not_traced(monkeypatch):
    model, networks = networks_of()
    for first, second in PAIRS:
        monkeypatch.setattr(getattr(model, second), "call", None)
        getattr(networks, first)(IMAGES)
        getattr(networks, second)(IMAGES)


def test_what_recomputes_and_what_replicas_share_is_traced_for_each_network():
    model, recomputing = networks_of(recompute=True)
    several = types.SimpleNamespace(strategy="mirrored")
    for networks in (recomputing, traced_networks(model, made.tiny_config(), several)):
        assert not [network for network in networks if isinstance(network, SharedGraph)]


def test_spectral_states_move_in_the_network_that_was_called_alone():
    model, networks = networks_of()
    networks.discriminator_a(IMAGES)
    before = made.arrays(made.named_weights(model.discriminator_a))
    other = made.arrays(made.named_weights(model.discriminator_b))
    networks.discriminator_b(IMAGES)
    for path, state in made.arrays(made.named_weights(model.discriminator_a)).items():
        np.testing.assert_array_equal(state, before[path])
    moved = made.arrays(made.named_weights(model.discriminator_b))
    for path in other:
        assert (moved[path] != other[path]).any() == path.endswith("/u"), path
