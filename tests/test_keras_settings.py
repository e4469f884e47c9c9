"""Keras' global settings, from a notebook or keras.json, change nothing of ours."""

import numpy as np
import pytest
import tensorflow as tf

from tests import made
from ugatit_tf import keras_settings
from ugatit_tf.errors import Failure
from ugatit_tf.evaluation import inception
from ugatit_tf.networks.model import build_model

POLICIES = ("float16", "mixed_float16", "mixed_bfloat16", "float64")


@pytest.fixture
def keras():
    """Keras, whose global settings come back to their defaults after the test."""
    with keras_settings.default_keras():
        yield tf.keras


def results(config):
    """The weights and outputs of fresh networks."""
    model = build_model(config)
    image = made.images(1, 8, 8, config.img_ch)
    outputs = tf.nest.flatten([model.a2b(image), model.discriminator_a(image)])
    return [*model.weights().values(), *outputs]


@pytest.mark.parametrize("policy", POLICIES)
def test_networks_do_not_follow_a_global_policy(policy, keras):
    expected = results(made.tiny_config())
    keras.mixed_precision.set_global_policy(policy)
    found = results(made.tiny_config())
    for one, other in zip(found, expected):
        assert one.dtype == tf.float32
        np.testing.assert_array_equal(one, other)


def test_networks_do_not_follow_floatx_and_data_format(keras):
    expected = results(made.tiny_config())
    keras_settings._set_keras("float64", "float64", "channels_first")
    for one, other in zip(results(made.tiny_config()), expected):
        np.testing.assert_array_equal(one, other)


def test_keras_applications_are_built_with_default_settings(keras, monkeypatch):
    seen = []

    def inception_v3(**_):
        policy = keras.mixed_precision.global_policy().name
        seen.append((policy, keras.backend.floatx(), keras.backend.image_data_format()))

    monkeypatch.setattr(keras.applications, "InceptionV3", inception_v3)
    keras_settings._set_keras("mixed_float16", "float64", "channels_first")
    inception._inception(None)
    assert seen == [("float32", "float32", "channels_last")]
    assert keras.mixed_precision.global_policy().name == "mixed_float16"
    assert (keras.backend.floatx(), keras.backend.image_data_format()) == (
        "float64",
        "channels_first",
    )


def missing():
    raise ImportError("Keras cannot be imported.")


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        (lambda: "jax", "Keras is set to compute with jax.* KERAS_BACKEND=tensorflow"),
        (missing, "Keras cannot be loaded .*Settings: TF_USE_LEGACY_KERAS=1"),
    ],
)
def test_a_keras_that_cannot_be_used_is_one_line(backend, message, monkeypatch):
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    monkeypatch.setattr(tf.keras.backend, "backend", backend)
    with pytest.raises(Failure, match=message) as caught:
        keras_settings.check_keras()
    assert len(str(caught.value).splitlines()) == 1


def test_the_keras_of_this_stack_is_accepted():
    keras_settings.check_keras()
