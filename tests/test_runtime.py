"""What the computer has, told by its own words or by a driver's."""

import os

import numpy as np
import pytest

from ugatit_tf import runtime


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
