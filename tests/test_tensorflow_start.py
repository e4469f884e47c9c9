"""How TensorFlow is started: with the program's settings, unless the user has others."""

import os

import pytest

from ugatit_tf import tensorflow_start


@pytest.mark.parametrize("name", tensorflow_start.DEFAULTS)
def test_the_environment_wins_over_defaults(name, monkeypatch):
    monkeypatch.delenv(name)
    tensorflow_start.set_environment()
    assert os.environ[name] == tensorflow_start.DEFAULTS[name]
    monkeypatch.setenv(name, "9")
    tensorflow_start.load_tensorflow()
    assert os.environ[name] == "9"
