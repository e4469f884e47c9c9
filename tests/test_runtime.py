"""What the computer has, told by its own words or by a driver's."""

import os

import numpy as np
import pytest
import tensorflow as tf

from tests import runs
from ugatit_tf import phases, runtime


@pytest.fixture
def with_gpu(monkeypatch):
    monkeypatch.setattr(runtime.tf.config, "list_physical_devices", lambda kind: ["a GPU"])


def write_driver(folder, script, monkeypatch):
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def test_the_fullest_gpu_decides(with_gpu, tmp_path, monkeypatch):
    write_driver(tmp_path, "echo 4096; echo 1024", monkeypatch)
    assert runtime.free_gpu_bytes() == 1024 * 2**20


@pytest.mark.parametrize("script", ["exit 9", "echo '[N/A]'", "true"])
def test_a_driver_that_does_not_say_is_none(with_gpu, tmp_path, monkeypatch, script):
    write_driver(tmp_path, script, monkeypatch)
    assert runtime.free_gpu_bytes() is None


def test_without_a_gpu_no_driver_is_asked(tmp_path, monkeypatch):
    write_driver(tmp_path, "echo 4096", monkeypatch)
    monkeypatch.setattr(runtime.tf.config, "list_physical_devices", lambda kind: [])
    assert runtime.free_gpu_bytes() is None


def test_the_peak_of_memory_grows_with_what_is_held():
    before = runtime.peak_memory()
    held = np.ones(before // 8 + 2**24)  # twice what there was
    assert runtime.peak_memory() > before + held.nbytes / 2


def test_available_memory_is_a_number_or_unknown():
    found = runtime.available_bytes()
    assert found is None or found > 0


def write_system(root, **files_below):
    for name, text in files_below.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_container_s_limit_counts_where_it_leaves_less(tmp_path):
    assert runtime.available_bytes(tmp_path) is None
    write_system(tmp_path, proc__meminfo="MemTotal: 9 kB\nMemAvailable:    8000 kB\n")
    assert runtime.available_bytes(tmp_path) == 8000 * 1024
    group = {"memory.max": "5000000", "memory.current": "4000000"}
    write_system(tmp_path, **{f"sys__fs__cgroup__{name}": text for name, text in group.items()})
    write_system(tmp_path, **{"sys__fs__cgroup__memory.stat": "anon 1\ninactive_file 500000\n"})
    assert runtime.available_bytes(tmp_path) == 1_500_000
    write_system(tmp_path, **{"sys__fs__cgroup__memory.max": "max"})
    assert runtime.available_bytes(tmp_path) == 8000 * 1024


def test_the_two_halves_of_a_seed_do_not_tell_each_other():
    """With two CRCs of one text, equal first halves of texts of one length had equal seconds."""
    names = [f"weight {number:06d}" for number in range(200_000)]
    pairs = np.array([runtime.seed_of(0, name) for name in names], np.int32)
    assert len(np.unique(pairs, axis=0)) == len(names)
    firsts, counts = np.unique(pairs[:, 0], return_counts=True)
    assert (counts > 1).any()  # about five of so many 32-bit numbers
    for first in firsts[counts > 1]:
        seconds = pairs[pairs[:, 0] == first, 1]
        assert len(set(seconds)) == len(seconds)


def test_a_seed_depends_on_every_argument_and_on_nothing_else():
    assert runtime.seed_of(3, "order", "A") == [-549716523, 1352470369]
    seeds = [runtime.seed_of(*words) for words in ((3, "a"), (4, "a"), (3, "b"), (3, "a", "b"))]
    assert len({number for seed in seeds for number in seed}) == 8


@pytest.mark.parametrize("name", runs.ODD_NAMES)
def test_tensorflow_gets_a_plain_path_for_a_name_that_it_cannot_use(name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    with runtime.plain_path(folder) as plain:
        assert runtime.is_plain(plain) and not runtime.is_plain(str(folder))
        (tmp_path / name / "seen").touch()
        assert os.listdir(plain) == ["seen"]
    assert not os.path.lexists(plain) and os.listdir(folder) == ["seen"]


def test_a_plain_path_stays_as_it_is(tmp_path):
    for path in (str(tmp_path / "plain été 夏 100%]"), "relative", ""):
        with runtime.plain_path(path) as plain:
            assert plain == path


def test_where_there_can_be_no_link_it_is_said_what_to_do(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise OSError("no links here")

    monkeypatch.setattr(os, "symlink", refused)
    with pytest.raises(runtime.Failure, match="a name there has one of .* Rename it"):
        runtime.plain_path(tmp_path / "fotos [2020]").__enter__()
    config = runs.config_in(tmp_path, run="fotos [2020]")
    with pytest.raises(runtime.Failure, match="Rename it"):
        phases._train(config, None)  # before anything is looked at
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("{{function_node __wrapped__X}} no such op [Op:X]", "no such op"),
        (
            "UnreadablePicture: a.png: cut off\nTraceback (most recent call last):\n",
            "a.png: cut off",
        ),
        ("MemoryError: too large\n\t [[{{node PyFunc}}]]", "too large"),
        (
            "Graph execution error:\n\nDetected at node Assert defined at\n  File x, line 1\n"
            "\nassertion failed: [no]\n\t [[{{node Assert}}]] [Op:x]",
            "assertion failed: [no]",
        ),
    ],
)
def test_the_reason_of_an_error_has_no_node_and_no_class(message, expected):
    error = tf.errors.InvalidArgumentError(None, None, message)
    assert runtime.reason(error) == expected
    assert runtime.reason(ValueError("")) == "ValueError"


def test_a_count_has_its_plural():
    assert [runtime.counted(n, "picture") for n in (0, 1, 60)] == [
        "0 pictures", "1 picture", "60 pictures",
    ]  # fmt: skip
