"""Runs, exports, generator files and packed datasets of an older version are read.

`golden/version_0.zip` holds what its train, pack and export wrote on TensorFlow 2.15, and what its
translate phase made of the test images: light, 8 px, ch 2, two steps with --ema 0.9.
"""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

import main
import ugatit_tf
from ugatit_tf.config_file import resolve
from ugatit_tf.data import folders
from ugatit_tf.images import image_file
from ugatit_tf.training import checkpoints, history

ARCHIVE = Path(__file__).parent / "golden" / "version_0.zip"


@pytest.fixture(autouse=True)
def written_before(tmp_path, monkeypatch):
    """A folder with what the older version wrote, which is the current one."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "path", ["checkpoint/old", "export/a2b", "export/a2b.npz"], ids=["run", "export", "file"]
)
def test_a_model_of_before_translates_as_it_did(path):
    model = ugatit_tf.load(path)
    for name in sorted(os.listdir("expected")):
        image = np.asarray(model.translate(os.path.join("dataset", "old", "testA", name)))
        expected = image_file.read(os.path.join("expected", name))
        assert np.abs(image.astype(int) - expected).max() <= 1  # a level: rounding


def test_a_run_of_before_goes_on(untraced, capsys, caplog):
    assert main.main(["--dataset", "old", "--epoch", "2"]) == 0
    assert "Continuing from checkpoint/old/step_0000002" in capsys.readouterr().out
    assert not caplog.records  # its images are the same as before
    assert sorted(checkpoints.saved("checkpoint/old")) == [2, 4]
    assert [line["step"] for line in history.read("checkpoint/old")] == [2, 4]
    assert resolve({"dataset": "old"}).epoch == 2


def test_a_dataset_that_was_packed_before_is_the_same():
    for name in (*folders.TRAIN, *folders.TEST):
        plain = folders.examine(os.path.join("dataset", "old", name))
        packed = folders.examine(os.path.join("dataset", "old_packed", name))
        assert plain.fingerprint == packed.fingerprint
        for one, other in zip(plain.paths, packed.paths):
            np.testing.assert_array_equal(image_file.read(one), image_file.read(other))
