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

folder = sys.argv[1]
images = np.load(f"{folder}/images.npy")
generator = tf.keras.models.load_model(f"{folder}/a2b.keras")
discriminator = tf.keras.models.load_model(f"{folder}/b.keras")
np.save(f"{folder}/translated.npy", generator(images).image)
np.save(f"{folder}/logit.npy", discriminator(images)[1].logit)
"""


@pytest.fixture(params=[{}, {"light": False, "decoder_norm": "adain"}], ids=["light", "full"])
def model(request):
    model = build_model(made.tiny_config(**request.param))
    made.fill(model.weights())
    return model


# Keras 3 reads variables in a way that NumPy 2 warns of.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_saved_network_is_loaded_by_a_program_that_only_imported_ugatit_tf(model, tmp_path):
    images = made.images(2, 8, 8, 1)
    np.save(tmp_path / "images.npy", images)
    model.a2b.save(tmp_path / "a2b.keras")
    model.discriminator_b.save(tmp_path / "b.keras")
    environment = {**os.environ, "PYTHONPATH": ROOT}
    command = [sys.executable, "-W", "ignore", "-c", LOAD, str(tmp_path)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "translated.npy"), model.a2b(images).image)
    expected = model.discriminator_b(images)[1].logit
    np.testing.assert_array_equal(np.load(tmp_path / "logit.npy"), expected)


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
