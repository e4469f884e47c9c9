"""A run that is killed before any file operation of a save continues as if nothing had happened.

The loop, checkpoints, best/, history and event files are the real ones. The networks are a
stand-in whose one weight is a pure function of the steps. The audit hook of Python is called
before each operation on files, and there the process "dies": this operation and all later ones
fail, so that no clean-up runs either.
"""

import contextlib
import io
import os
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from tests import runs
from ugatit_tf.training import checkpoints, history, loop, samples, summaries, tensor_file

PERIODS = {"save_freq": 2, "print_freq": 100, "iteration": 4, "epoch": 1, "summary_freq": 3}
LOSSES = [9.0, 9.0, 7.0, 7.0]  # of the steps: the second checkpoint is the better one
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
OPERATIONS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree")


class Killed(BaseException):
    """What no handler of the program catches."""


class Killer:
    """Counts operations on files below `root`, and dies before the one with number `at`."""

    def __init__(self, root, at=None):
        self.root, self.at, self.count = str(root), at, 0

    def __call__(self, event, args):
        writes = event == "open" and isinstance(args[2], int) and args[2] & WRITES
        if (writes or event in OPERATIONS or event == "fsync") and self._is_below(args[0]):
            self.count += 1
            if self.at is not None and self.count > self.at:
                raise Killed

    def _is_below(self, path):
        return not isinstance(path, (str, bytes, os.PathLike)) or os.fsdecode(path).startswith(
            self.root
        )


KILLERS = []  # a hook stays for ever: it asks the last of these


def _hook(event, args):
    if KILLERS:
        KILLERS[-1](event, args)


sys.addaudithook(_hook)


@contextlib.contextmanager
def counting(root, at=None):
    """Within it operations are counted, and the one with number `at` and all after it fail."""
    KILLERS.append(Killer(root, at))
    try:
        yield KILLERS[-1]
    finally:
        KILLERS.pop()


class Trainer:
    """Steps whose numbers are a function of their count alone."""

    time_gone = 0.0

    def __init__(self, model, config, replicas):
        self.model, self.replicas = model, replicas
        self.averaged = contextlib.nullcontext
        self.steps_done = tf.Variable(0, dtype=tf.int64)
        self.weight = tf.Variable(0.0)

    def state(self):
        return {"weights": {"w": self.weight}, "progress": {"steps_done": self.steps_done}}

    def start_average(self):
        pass

    def step(self, real_a, real_b):
        self.weight.assign(self.weight * 1.5 + tf.cast(self.steps_done, tf.float32) + 0.1)
        loss = LOSSES[int(self.steps_done.numpy())] + 0.1 / 3
        self.model.steps = int(self.steps_done.assign_add(1))
        names = ("Discriminator_loss", "Generator_loss", "D_A_loss", "D_B_loss", "a2b/cycle")
        return {"finite": tf.constant(True), **{name: tf.constant(loss) for name in names}}


def write_tensors(folder, variables):
    """Like `tensor_file.write`, in two files that are made one after the other."""
    for name in ("state.data-00000-of-00001", "state.index"):
        with open(os.path.join(folder, name), "wb") as file:
            np.savez(file, **{n.replace("/", "|"): v.numpy() for n, v in variables.items()})


@contextlib.contextmanager
def reading(path):
    arrays = np.load(os.path.join(path, "state.index"))
    arrays = {name.replace("|", "/"): arrays[name] for name in arrays.files}
    yield types.SimpleNamespace(
        get_variable_to_shape_map=lambda: {n: [*a.shape] for n, a in arrays.items()},
        get_tensor=arrays.get,
    )


@pytest.fixture
def stand_in(monkeypatch):
    """Everything that is slow or needs images gives way to something that is not."""
    model = types.SimpleNamespace(rhos=dict)
    monkeypatch.setattr(loop, "build_model", lambda config, draw: model)
    monkeypatch.setattr(loop, "Trainer", Trainer)
    monkeypatch.setattr(loop.pipeline, "batches", lambda *_, first_step=0, **__: iter(
        [(np.zeros([1, 4, 4, 3]), np.zeros([1, 4, 4, 3]))] * (4 - first_step)
    ))  # fmt: skip
    monkeypatch.setattr(samples, "inputs", lambda paths, config: paths)
    monkeypatch.setattr(
        samples, "sheet", lambda model, a, b: (np.zeros([4, 4, 3], np.uint8), ([], []))
    )
    monkeypatch.setattr(samples, "reals", lambda *_: np.zeros([4, 4, 3], np.uint8))
    monkeypatch.setattr(tensor_file, "write", write_tensors)
    monkeypatch.setattr(tensor_file, "reading", reading)
    monkeypatch.setattr(checkpoints, "KEEP", 1)
    monkeypatch.setattr(os, "fsync", lambda opened: _hook("fsync", (opened,)))
    monkeypatch.setattr(history, "git_revision", str)


PARTS = {
    name: types.SimpleNamespace(paths=[], images=[], fingerprint=name)
    for name in loop.folders.TRAIN
}


def trained(config):
    evaluation = (lambda model: {"eval/kid": 1.0 / model.steps}) if config.eval_freq else None
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        loop.train(config, PARTS, evaluation)


def end_of(config):
    """What a run is in the end: weights, numbers, files."""
    folder = config.run_folder
    best, metric = checkpoints.best(folder)
    weights = {}
    for path in [best, *checkpoints.saved(folder).values()]:
        with reading(path) as reader:
            weights[os.path.relpath(path, folder)] = float(reader.get_tensor("weights/w"))
    lines = runs.repeatable(history.read(folder))
    names = sorted(runs.bytes_below(folder))
    return weights, metric, lines, names, events_of(config)


def events_of(config):
    """(step, tag) of all that TensorBoard shows."""
    header, footer = summaries.HEADER, summaries.FOOTER
    events = []
    for content in runs.bytes_below(os.path.join(config.log_dir, config.run_name)).values():
        position = 0
        while position < len(content):
            size, _ = header.unpack_from(content, position)
            start = position + header.size
            event = tf.compat.v1.Event.FromString(content[start : start + size])
            events += [(event.step, value.tag) for value in event.summary.value]
            position = start + size + footer.size
    return sorted(events)


@pytest.mark.parametrize(
    "options", [{"best_by": "a2b/cycle"}, {"best_by": "eval/kid", "eval_freq": 3}], ids=str
)
def test_a_run_killed_before_any_file_operation_comes_to_the_same_end(tmp_path, stand_in, options):
    def config_of(root):
        return runs.config_in(root, **options, **PERIODS)

    straight = config_of(tmp_path / "straight")
    with counting(tmp_path) as killer:
        trained(straight)
    expected, total = end_of(straight), killer.count
    assert total > 60
    assert [line["step"] for line in expected[2] if "a2b/cycle" in line] == [3, 4]
    assert list(expected[0]) == ["best/step_0000004", "step_0000004"]
    for at in range(total):
        config = config_of(tmp_path / f"killed_{at}")
        with counting(tmp_path, at), pytest.raises(Killed):
            trained(config)
        trained(config)
        assert end_of(config) == expected, at
