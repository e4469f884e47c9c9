"""Our networks as Keras models: saved, loaded elsewhere, summarized, inside other models."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import ugatit_tf
from tests import made
from ugatit_tf.layers.weights import named_weights
from ugatit_tf.networks.model import build_model

ROOT = os.path.dirname(os.path.dirname(ugatit_tf.__file__))
LOAD = """
import sys
import ugatit_tf
assert "tensorflow" not in sys.modules
import numpy as np
import tensorflow as tf

images = np.load("images.npy")
for folder in sys.argv[1:]:
    generator = tf.keras.models.load_model(f"{folder}/a2b.keras")
    discriminator = tf.keras.models.load_model(f"{folder}/b.keras")
    np.save(f"{folder}/translated.npy", generator(images).image)
    np.save(f"{folder}/logit.npy", discriminator(images)[1].logit)
"""
OPTIONS = {"light": {}, "full": {"light": False, "decoder_norm": "adain"}}


def built(name):
    model = build_model(made.tiny_config(**OPTIONS[name]))
    made.fill(model.weights())
    return model


@pytest.fixture(params=OPTIONS)
def model(request):
    return built(request.param)


# Keras 3 reads variables in a way that NumPy 2 warns of.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_saved_networks_are_loaded_by_a_program_that_only_imported_ugatit_tf(tmp_path):
    images, models = made.images(2, 8, 8, 1), {name: built(name) for name in OPTIONS}
    np.save(tmp_path / "images.npy", images)
    for name, model in models.items():
        (tmp_path / name).mkdir()
        model.a2b.save(tmp_path / name / "a2b.keras")
        model.discriminator_b.save(tmp_path / name / "b.keras")
    environment = {**os.environ, "PYTHONPATH": ROOT}
    command = [sys.executable, "-W", "ignore", "-c", LOAD, *models]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name, model in models.items():
        translated, logit = (np.load(tmp_path / name / f"{x}.npy") for x in ("translated", "logit"))
        np.testing.assert_array_equal(translated, model.a2b(images).image, err_msg=name)
        np.testing.assert_array_equal(logit, model.discriminator_b(images)[1].logit, err_msg=name)


def test_a_network_counts_and_lists_its_weights(model, capsys):
    weights = named_weights(model.a2b)
    assert model.a2b.count_params() == sum(int(tf.size(weight)) for weight in weights.values())
    model.a2b.summary()
    assert "Total params" in capsys.readouterr().out


def test_a_network_works_inside_another_model(model):
    images = made.images(2, 8, 8, 1)
    inputs = tf.keras.Input([8, 8, 1])
    outer = tf.keras.Model(inputs, model.a2b(inputs).image)
    np.testing.assert_array_equal(outer(images), model.a2b(images).image)


def test_the_public_names_are_completed_and_found():
    names = {"Config", "Trainer", "build_model", "layers", "load", "losses"}
    assert names <= set(dir(ugatit_tf))
    assert all(getattr(ugatit_tf, name) for name in names)
    with pytest.raises(AttributeError, match="no attribute 'modell'"):
        _ = ugatit_tf.modell
