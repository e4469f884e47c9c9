"""The official graph's numbers, in the small form that tests/trim_golden.py makes."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests import fidelity
from ugatit_tf.interchange import official_tf
from ugatit_tf.networks.generator import Generator
from ugatit_tf.networks.model import named_weights

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", ["light_lsgan", "light_wgan_gp"])
def test_every_group_is_within_its_tolerance_of_the_official_graph(name):
    errors = fidelity.errors(GOLDEN / name)
    assert set(errors) == set(fidelity.TOLERANCES)
    over = {k: v for k, v in errors.items() if not v <= fidelity.TOLERANCES[k]}
    assert not over


def test_the_full_generator_computes_what_the_official_graph_does():
    golden = dict(np.load(GOLDEN / "full_generator.npz"))
    generator = Generator(ch=4, smoothing=False)
    generator(golden["real_A"])
    for path, weight in named_weights(generator, "a2b").items():
        official = golden["weight/" + official_tf.official_name(path, sn=False)]
        weight.assign(official.reshape(weight.shape))
    out = generator(golden["real_A"])
    for name, value in out._asdict().items():
        difference = np.abs(value.numpy() - golden[name]).max() / np.abs(golden[name]).max()
        assert difference <= fidelity.TOLERANCES["generator"], name


def test_a_wrong_number_is_over_its_tolerance_and_fails_the_check(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(fidelity.TOLERANCES, "losses", 0.0)
    shutil.copytree(GOLDEN / "light_lsgan", tmp_path / "wrong")
    arrays = dict(np.load(tmp_path / "wrong" / "expected.npz"))
    arrays["trajectory"] = arrays["trajectory"] * 1.001
    np.savez(tmp_path / "wrong" / "expected.npz", **arrays)
    assert fidelity.main([str(tmp_path / "wrong")]) == 1
    table = capsys.readouterr().out
    assert table.count("OVER") == 2
    assert "trajectory" in [line.split()[0] for line in table.splitlines() if "OVER" in line]


def test_a_group_that_is_not_there_is_an_error_and_not_a_pass(tmp_path):
    shutil.copytree(GOLDEN / "light_lsgan", tmp_path / "hollow")
    arrays = dict(np.load(tmp_path / "hollow" / "expected.npz"))
    kept = {name: array for name, array in arrays.items() if not name.startswith("discriminator/")}
    np.savez(tmp_path / "hollow" / "expected.npz", **kept)
    with pytest.raises(ValueError, match="discriminator"):
        fidelity.errors(tmp_path / "hollow")
