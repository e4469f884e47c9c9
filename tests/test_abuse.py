"""The whole program in processes of its own: killed, starved of disk, poisoned, run twice."""

import json
import os
import shlex
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
UNREPEATABLE = ("seconds_per_step", "images_per_second", "memory_gb")
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


def numbers_of(place, run):
    """The history and the events of a run, without what no two runs have in common."""
    lines = (place / "checkpoint" / run / "history.jsonl").read_text().splitlines()
    history = [
        {k: v for k, v in json.loads(line).items() if k not in UNREPEATABLE} for line in lines
    ]
    records = [
        record.numpy()
        for path in sorted((place / "logs" / run).iterdir())
        for record in tf.data.TFRecordDataset(str(path))
    ]
    events = [
        (event.step, value.tag, value.tensor.SerializeToString())
        for event in map(tf.compat.v1.Event.FromString, records)
        for value in event.summary.value
        if value.tag not in UNREPEATABLE
    ]
    return history, events


def assert_same_run(place, run, other):
    expected, found = (arrays(saved(place, name)[40]) for name in (run, other))
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    for expected, found in zip(numbers_of(place, run), numbers_of(place, other)):
        assert len(expected) > 5
        assert found == expected


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A folder with a run that nothing happened to."""
    place = tmp_path_factory.mktemp("straight")
    runs.write_dataset(place / "dataset" / "tiny", ("trainA", "trainB"))
    assert finished(started(place, "--run", "straight"))[0] == 0
    return place


def test_killing_loses_nothing_and_a_second_process_is_refused(straight):
    killed = started(straight, "--run", "killed")
    wait_for(lambda: saved(straight, "killed"))
    killed.send_signal(signal.SIGSTOP)  # it must not be done before the second process looks
    code, told = finished(started(straight, "--run", "killed"))
    assert code == 1
    assert "Another process is training" in told
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    code, told = finished(started(straight, "--run", "killed"))
    assert code == 0
    assert "Going on from" in told or "are done" in told
    assert_same_run(straight, "straight", "killed")


# Each is run in the process that trains and ends it with SIGKILL at its second checkpoint. The
# run goes on four times, so it dies in every one of these moments and then comes to its end.
MOMENTS = {
    "before anything of it is written": "checkpoints._write = dying(checkpoints._write)",
    "with half of its numbers on disk": (
        "real = checkpoints._write\n"
        "def half(folder, *arguments):\n"
        "    real(folder, *arguments)\n"
        "    path = os.path.join(folder, 'state.data-00000-of-00001')\n"
        "    os.truncate(path, os.path.getsize(path) // 2)\n"
        "checkpoints._write = dying(real, half)"
    ),
    "before it gets its name": "checkpoints.os.rename = dying(os.rename)",
    "before an older one is removed": "shutil.rmtree = dying(shutil.rmtree)",
}
DYING = """
import os, runpy, shutil, signal, sys
from ugatit_tf.training import checkpoints
calls = []
def dying(real, last=lambda *_: None):
    def call(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            last(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)
    return call
"""
GO_ON = "\nsys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"


def test_a_run_that_is_killed_while_it_writes_checkpoints_loses_nothing(straight):
    steps = []
    for moment in MOMENTS.values():
        killed = started(straight, "--run", "dying", before=("-c", DYING + moment + GO_ON))
        code, told = finished(killed)
        assert code == -signal.SIGKILL, told
        steps.append(max(saved(straight, "dying")))
    # 7 was whole, then 14 died; then from 7 on 14 was whole and 21 died; and so on. The last had
    # its name already, and only the removal of older ones was missing.
    assert steps == [7, 14, 21, 40]
    assert finished(started(straight, "--run", "dying"))[0] == 0
    assert_same_run(straight, "straight", "dying")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_with_code_0_and_the_command_that_goes_on(straight, number):
    run = f"asked_{number}"
    process = started(straight, "--run", run)
    wait_for(lambda: saved(straight, run))
    process.send_signal(number)
    code, told = finished(process)
    assert code == 0
    step = max(saved(straight, run))
    assert step < 40
    assert f"Stopped and saved after step {step}. To go on: python main.py --phase train" in told
    words = shlex.split(told.split("To go on: ")[1].splitlines()[0])[2:]
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *words], cwd=straight, check=False
    )
    assert done.returncode == 0
    assert_same_run(straight, "straight", run)


def test_a_disk_that_is_full_keeps_the_old_checkpoints_and_says_so(place):
    assert finished(started(place, "--iteration", "7"))[0] == 0
    code, told = finished(started(place, *QUIET, before=("-c", LIMITED)))
    assert code == 1
    assert "could not be written" in told
    assert "Traceback" not in told
    assert list(saved(place, "tiny")) == [7]
    assert finished(started(place, "--iteration", "9"))[0] == 0


def test_a_disk_that_is_full_while_summaries_are_written_is_said_too(place):
    often = ("--save_freq", "30", "--print_freq", "1000", "--summary_freq", "1")
    code, told = finished(started(place, *often, before=("-c", LIMITED.replace("20000", "99000"))))
    assert code == 1
    assert "The disk is full" in told
    assert "Traceback" not in told
    assert finished(started(place, *often))[0] == 0
    assert max(saved(place, "tiny")) == 40


def test_a_learning_rate_that_explodes_stops_the_run_and_keeps_the_good_checkpoint(place):
    assert finished(started(place, "--iteration", "7"))[0] == 0
    code, told = finished(started(place, "--lr", "1e30"))
    assert code == 1
    assert "not a finite number" in told
    assert "trainA/" in told
    assert "Traceback" not in told
    assert all(np.isfinite(array).all() for array in arrays(saved(place, "tiny")[7]).values())
    assert list(saved(place, "tiny")) == [7]


def test_a_weight_that_is_not_a_number_stops_the_run_and_names_the_term(place):
    assert finished(started(place, "--iteration", "7"))[0] == 0
    (path,) = saved(place, "tiny").values()
    poisoned = arrays(path)
    poisoned["weights/discriminator_b/local_network/last/bias"][0] = np.nan
    tf.raw_ops.SaveV2(
        prefix=os.path.join(path, checkpoints.FILE),
        tensor_names=list(poisoned),
        shape_and_slices=[""] * len(poisoned),
        tensors=list(poisoned.values()),
    )
    code, told = finished(started(place))
    assert code == 1
    error = told.splitlines()[-1]
    assert "Step 8: not a finite number: " in error
    assert "discriminator_b/local, discriminator_b/local_cam. " in error
    assert "discriminator_a" not in error
    assert "trainB/" in error
    assert "step_0000007 is from before it" in error
    assert list(saved(place, "tiny")) == [7]


# After the first step, 256 MB are left to the process, and 4 GB are asked for: tracing with too
# little memory would end in Python or in a library, at a place that nobody can foresee.
MEMORY = """
import resource, runpy, sys
import tensorflow as tf
from ugatit_tf.training import step
start = step.Trainer.step
def limited(self, *batches):
    scalars = start(self, *batches)
    used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
    tf.ones([2**30])
    return scalars
step.Trainer.step = limited
"""


def test_too_little_memory_is_one_line_with_the_options_that_help(place):
    code, told = finished(started(place, before=("-c", MEMORY + GO_ON)))
    assert code == 1, told
    assert "The memory is not enough" in told
    assert "--light True" in told
    assert "Traceback" not in told
