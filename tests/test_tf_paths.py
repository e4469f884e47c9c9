"""Paths that TensorFlow would read as a pattern."""

import os

import pytest

from tests import runs
from ugatit_tf import errors, tf_paths
from ugatit_tf.phases import train


@pytest.mark.parametrize("name", runs.ODD_NAMES)
def test_tensorflow_gets_a_plain_path_for_a_name_that_it_cannot_use(name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    with tf_paths.plain_path(folder) as plain:
        assert tf_paths.is_plain(plain) and not tf_paths.is_plain(str(folder))
        (tmp_path / name / "file").touch()
        assert os.listdir(plain) == ["file"]
    assert not os.path.lexists(plain) and os.listdir(folder) == ["file"]


def test_a_plain_path_stays_as_it_is(tmp_path):
    for path in (str(tmp_path / "plain été 夏 100%]"), "relative", ""):
        with tf_paths.plain_path(path) as plain:
            assert plain == path


def test_where_no_link_can_be_made_the_error_says_what_to_do(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise OSError("no links here")

    monkeypatch.setattr(os, "symlink", refused)
    with pytest.raises(errors.Failure, match="a name in this path has one of .* Rename it"):
        tf_paths.plain_path(tmp_path / "fotos [2020]").__enter__()
    config = runs.config_in(tmp_path, run="fotos [2020]")
    with pytest.raises(errors.Failure, match="Rename it"):
        train.train(config, None)  # before the dataset is examined
    assert list(tmp_path.iterdir()) == []
