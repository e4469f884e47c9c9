"""The whole program in processes of its own: killed, starved of disk, poisoned, run twice."""

import json
import os
import shlex
import signal
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests import runs
from ugatit_tf.sizes import smallest_image
from ugatit_tf.training import checkpoints

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
SIZE = -(-smallest_image(2) // 4) * 4
STEPS = 60
TINY = (
    f"--dataset tiny --light True --ch 2 --n_res 1 --n_dis 2 --img_size {SIZE} --epoch 1 "
    f"--iteration {STEPS} --save_freq 7 --print_freq 29 --summary_freq 5"
).split()
QUIET = ("--print_freq", "1000", "--summary_freq", "1000")  # so that only checkpoints are large
UNTRACED = "import runpy, sys; import tensorflow as tf; tf.config.run_functions_eagerly(True)\n"
GO_ON = "\nsys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))"


@pytest.fixture
def begun(tmp_path):
    """A folder with a run that has a checkpoint of step 3, made without training."""
    runs.write_dataset(tmp_path / "dataset" / "tiny", ("trainA", "trainB"))
    runs.make_run(runs.config_in(tmp_path, img_size=SIZE, epoch=1, iteration=STEPS))
    return tmp_path


def started(folder, *more, before=()):
    command = [sys.executable, *before, str(ROOT / "main.py"), *TINY, *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def resumed_run(folder, *more, before=""):
    """(exit code, output) of a process that goes on for a few steps, which are not traced."""
    return finished(started(folder, *more, before=("-c", UNTRACED + before + GO_ON)))


def finished(process):
    with runs.killed_at_the_end(process):
        out, _ = process.communicate(timeout=300)
        return process.returncode, out


def saved(folder, run):
    return checkpoints.saved(str(folder / "checkpoint" / run))


def arrays(path):
    reader = tf.train.load_checkpoint(os.path.join(path, checkpoints.FILE))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def numbers_of(folder, run):
    """The history and the events of a run, without what no two runs have in common."""
    lines = (folder / "checkpoint" / run / "history.jsonl").read_text().splitlines()
    history = runs.repeatable(map(json.loads, lines))
    records = [
        record.numpy()
        for path in sorted((folder / "logs" / run).iterdir())
        for record in tf.data.TFRecordDataset(str(path))
    ]
    events = [
        (event.step, value.tag, value.tensor.SerializeToString())
        for event in map(tf.compat.v1.Event.FromString, records)
        for value in event.summary.value
        if value.tag not in runs.UNREPEATABLE
    ]
    return history, events


def assert_same_run(folder, run, other):
    expected, resumed = (arrays(saved(folder, name)[STEPS]) for name in (run, other))
    assert set(resumed) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(resumed[name], array, err_msg=name)
    for expected, resumed in zip(numbers_of(folder, run), numbers_of(folder, other)):
        assert len(expected) > 5
        assert resumed == expected


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A folder with a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("straight")
    runs.write_dataset(folder / "dataset" / "tiny", ("trainA", "trainB"))
    assert finished(started(folder, "--run", "straight"))[0] == 0
    return folder


@pytest.fixture(scope="module")
def disturbed(straight):
    """A run that is killed, goes on, is stopped, and goes on to its end with the printed command.

    One run for all three, since each process traces its own step.
    """
    run = "disturbed"
    process = started(straight, "--run", run)
    with runs.killed_at_the_end(process):
        runs.wait_for(lambda: saved(straight, run), process)
        process.send_signal(signal.SIGSTOP)  # it must not be done before the second process looks
        refused = finished(started(straight, "--run", run))
    killed_after = max(saved(straight, run))

    process = started(straight, "--run", run)
    with runs.killed_at_the_end(process):
        runs.wait_for(lambda: max(saved(straight, run)) > killed_after, process)
        process.send_signal(signal.SIGTERM)
        stopped = finished(process)
    stopped_after = max(saved(straight, run))

    _, command = stopped[1].split("To continue:\n")
    words = shlex.split(command.splitlines()[0])
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *words[2:]], cwd=straight, check=False, timeout=300
    )
    return types.SimpleNamespace(
        run=run, refused=refused, killed_after=killed_after, stopped=stopped,
        stopped_after=stopped_after, words=words, last_code=done.returncode,
    )  # fmt: skip


def test_a_second_process_that_would_train_the_same_run_is_refused(disturbed):
    code, output = disturbed.refused
    assert code == 1
    assert "Another process is training" in output


def test_a_killed_run_goes_on_from_its_newest_checkpoint(disturbed):
    _, output = disturbed.stopped
    newest = checkpoints.folder_name(disturbed.killed_after)
    assert newest in output.split("Continuing from ")[1].splitlines()[0]


def test_a_signal_ends_with_code_0_and_the_command_that_goes_on(disturbed):
    code, output = disturbed.stopped
    assert code == 0
    assert disturbed.killed_after < disturbed.stopped_after < STEPS
    assert f"Stopped and saved after step {disturbed.stopped_after}. To continue:\n" in output
    assert disturbed.words[:4] == ["python", "main.py", "--phase", "train"]
    assert disturbed.last_code == 0


def test_killing_and_stopping_lose_nothing(straight, disturbed):
    assert_same_run(straight, "straight", disturbed.run)


def test_a_disk_that_is_full_keeps_the_old_checkpoints_and_says_so(begun):
    code, output = resumed_run(begun, *QUIET, before=LIMITED.format(20_000))
    assert code == 1
    assert "could not be written" in output
    assert "Traceback" not in output
    assert list(saved(begun, "tiny")) == [runs.STEP]


def test_a_disk_that_is_full_while_summaries_are_written_is_reported_too(begun):
    often = ("--save_freq", "30", "--print_freq", "1000", "--summary_freq", "1")
    code, output = resumed_run(begun, *often, before=LIMITED.format(99_000))
    assert code == 1
    assert "The disk is full" in output
    assert "Traceback" not in output
    assert list(saved(begun, "tiny")) == [runs.STEP]


def test_a_learning_rate_that_explodes_stops_the_run_and_keeps_the_good_checkpoint(begun):
    code, output = resumed_run(begun, "--lr", "1e30")
    assert code == 1
    assert "not a finite number" in output
    assert "trainA/" in output
    assert "Traceback" not in output
    ((step, path),) = saved(begun, "tiny").items()
    assert step == runs.STEP
    assert all(np.isfinite(array).all() for array in arrays(path).values())


def test_a_weight_that_is_not_a_number_stops_the_run_and_names_the_term(begun):
    (path,) = saved(begun, "tiny").values()
    poisoned = arrays(path)
    poisoned["weights/discriminator_b/local_network/last/bias"][0] = np.nan
    tf.raw_ops.SaveV2(
        prefix=os.path.join(path, checkpoints.FILE),
        tensor_names=list(poisoned),
        shape_and_slices=[""] * len(poisoned),
        tensors=list(poisoned.values()),
    )
    code, output = resumed_run(begun)
    assert code == 1
    error = output.splitlines()[-1]
    assert "Step 4: not a finite number: " in error
    assert "discriminator_b/local, discriminator_b/local_cam. " in error
    assert "discriminator_a" not in error
    assert "trainB/" in error
    assert "step_0000003 was written before" in error
    assert list(saved(begun, "tiny")) == [runs.STEP]


# After the first step, 256 MB are left to the process, and it allocates 4 GB: tracing with too
# little memory would end in Python or in a library, at a place that nobody can foresee.
MEMORY = """
import resource
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


def test_too_little_memory_is_one_line_with_the_options_that_help(begun):
    code, output = resumed_run(begun, before=MEMORY)
    assert code == 1, output
    assert "The memory is not enough" in output
    assert "--light True" in output
    assert "Traceback" not in output
