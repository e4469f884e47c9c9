"""The whole program in processes of its own: killed, starved of disk, poisoned, run twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests import runs
from ugatit_tf.config import smallest_image
from ugatit_tf.training import checkpoints

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
SIZE = -(-smallest_image(2) // 4) * 4
TINY = (
    f"--dataset tiny --light True --ch 2 --n_res 1 --n_dis 2 --img_size {SIZE} --epoch 1 "
    f"--iteration 40 --save_freq 7 --print_freq 11 --summary_freq 5"
).split()
QUIET = ("--print_freq", "1000", "--summary_freq", "1000")  # so that only checkpoints are large
LIMITED = (
    "import resource, sys, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)); "
    "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)


@pytest.fixture
def place(tmp_path):
    runs.write_dataset(tmp_path / "dataset" / "tiny", ("trainA", "trainB"))
    return tmp_path


def started(place, *more, before=()):
    command = [sys.executable, *before, str(ROOT / "main.py"), *TINY, *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=place, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def finished(process):
    out, _ = process.communicate(timeout=300)
    return process.returncode, out


def wait_for(condition):
    end = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def saved(place, run):
    return checkpoints.saved(str(place / "checkpoint" / run))


def arrays(path):
    reader = tf.train.load_checkpoint(os.path.join(path, checkpoints.FILE))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_killing_loses_nothing_and_a_second_process_is_refused(place):
    assert finished(started(place, "--run", "straight"))[0] == 0
    killed = started(place, "--run", "killed")
    wait_for(lambda: saved(place, "killed"))
    killed.send_signal(signal.SIGSTOP)  # it must not be done before the second process looks
    code, told = finished(started(place, "--run", "killed"))
    assert code == 1
    assert "Another process is training" in told
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    code, told = finished(started(place, "--run", "killed"))
    assert code == 0
    assert "Going on from" in told or "are done" in told
    expected = arrays(saved(place, "straight")[40])
    found = arrays(saved(place, "killed")[40])
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    histories = [
        [
            {k: v for k, v in json.loads(line).items() if "second" not in k}
            for line in (place / "checkpoint" / run / "history.jsonl").read_text().splitlines()
        ]
        for run in ("straight", "killed")
    ]
    assert histories[0] == histories[1]


def test_a_disk_that_is_full_keeps_the_old_checkpoints_and_says_so(place):
    assert finished(started(place, "--iteration", "7"))[0] == 0
    code, told = finished(started(place, *QUIET, before=("-c", LIMITED)))
    assert code == 1
    assert "could not be written" in told
    assert "Traceback" not in told
    assert list(saved(place, "tiny")) == [7]
    assert finished(started(place, "--iteration", "9"))[0] == 0


def test_a_learning_rate_that_explodes_stops_the_run_and_keeps_the_good_checkpoint(place):
    assert finished(started(place, "--iteration", "7"))[0] == 0
    code, told = finished(started(place, "--lr", "1e30"))
    assert code == 1
    assert "not a finite number" in told
    assert "trainA/" in told
    assert "Traceback" not in told
    assert all(np.isfinite(array).all() for array in arrays(saved(place, "tiny")[7]).values())
    assert list(saved(place, "tiny")) == [7]
