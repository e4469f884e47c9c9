"""How TensorFlow is started: with the program's settings, unless the user has others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from tests import runs
from ugatit_tf import machine, tensorflow_start
from ugatit_tf.data import folders

THREADS = "TF_NUM_INTRAOP_THREADS"
ROOT = Path(__file__).resolve().parents[1]
TRAIN = """
import sys
from ugatit_tf import gpu, machine, program
from ugatit_tf.lazy import tf
from ugatit_tf.training import loop

machine.cores = lambda: 2
gpu.used = lambda strategy="auto": []
loop.train = lambda *_: print("threads", tf.config.threading.get_intra_op_parallelism_threads())
program.main(["--phase", "train", *sys.argv[1:]])
"""


@pytest.mark.parametrize("name", tensorflow_start.DEFAULTS)
def test_the_environment_wins_over_defaults(name, monkeypatch):
    monkeypatch.delenv(name)
    tensorflow_start.set_up()
    assert os.environ[name] == tensorflow_start.DEFAULTS[name]
    monkeypatch.setenv(name, "9")
    tensorflow_start.load_tensorflow()
    assert os.environ[name] == "9"


@pytest.mark.parametrize(
    ("cores", "environment", "expected"), [(1, "", []), (2, "", [1]), (2, "2", []), (8, "", [])]
)
def test_operations_have_a_core_each_where_there_are_two(cores, environment, expected, monkeypatch):
    asked = []
    monkeypatch.setattr(machine, "cores", lambda: cores)
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", asked.append)
    monkeypatch.delenv(THREADS, raising=False)
    if environment:
        monkeypatch.setenv(THREADS, environment)
    machine.give_operations_a_core_each()
    assert asked == expected


def test_a_tensorflow_that_has_computed_keeps_its_threads(monkeypatch):
    tf.zeros([]).numpy()
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.delenv(THREADS, raising=False)
    before = tf.config.threading.get_intra_op_parallelism_threads()
    machine.give_operations_a_core_each()
    assert tf.config.threading.get_intra_op_parallelism_threads() == before


def test_a_training_without_a_gpu_decides_it_before_anything_is_computed(tmp_path):
    runs.write_dataset(tmp_path / "dataset" / "tiny", folders.TRAIN)
    options = {"dataset": "tiny", "light": True, "ch": 2, "n_res": 1, "n_dis": 2, "img_size": 16}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    environment = {name: value for name, value in os.environ.items() if name != THREADS}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, *words],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "threads 1" in done.stdout.splitlines(), done.stderr
