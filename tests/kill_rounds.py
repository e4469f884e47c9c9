"""Kills a training run again and again, and compares what it came to with one left alone.

    python -m tests.kill_rounds 100 --minutes 8

Each round is a process of the whole program, `main.py --phase train`, that is killed with SIGKILL:
in half of the rounds after a random time, in the others before a random operation on its files.
A run that reaches its end is followed by another. At last all weights, optimizers, counters, the
history, the events of TensorBoard and the best checkpoint must be those of the run that nothing
happened to, bit for bit.

The processes are forked from one that has imported TensorFlow and computed nothing. Unless `--real`
is given, a stand-in takes the place of the iteration, so that a round takes seconds: it changes
weights and moments as a function of these, of the step and of the images. All else is
the program: data, samples, summaries, checkpoints. With `--real` functions run eagerly:
tracing takes longer than so few steps.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf

import main
from tests import runs
from ugatit_tf import phases  # noqa: F401 (before the first fork rather than in each)
from ugatit_tf.training import checkpoints, history
from ugatit_tf.training.step import Trainer

STEPS = 12
OPTIONS = (
    f"--phase train --dataset tiny --light True --ch 2 --n_res 1 --n_dis 2 --img_size 16 "
    f"--epoch 1 --iteration {STEPS} --save_freq 2 --print_freq 17 --summary_freq 3 --n_critic 2 "
    f"--best_by b2a/cycle"
).split()
STRAIGHT = "straight"
PATIENCE = 300  # seconds that a process may take
OPERATIONS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def program(argv=None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kill_rounds", description=__doc__)
    parser.add_argument("rounds", type=int)
    parser.add_argument("--minutes", type=float, default=60, help="start no round after these")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", action="store_true", help="the real iteration")
    options = parser.parse_args(argv)
    if options.real:
        tf.config.run_functions_eagerly(True)
    else:
        Trainer.step = stand_in
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        runs.write_dataset(os.path.join("dataset", "tiny"), ("trainA", "trainB"))
        began = time.monotonic()
        code = finished(started(STRAIGHT))
        if code:
            print(log(), file=sys.stderr)
            return code
        seconds = time.monotonic() - began
        end = time.monotonic() + 60 * options.minutes
        names = killed_runs(options.rounds, end, seconds, random.Random(options.seed))
        lost = [name for name in names if content_of(name) != content_of(STRAIGHT)]
    print(f"{len(names)} runs compared, {len(lost)} differ: {', '.join(lost) or 'none'}")
    return 1 if lost else 0


def killed_runs(rounds, end, seconds, draw) -> list:
    """Kills processes; returns the names of the runs, all of which came to their end."""
    names, kills, inside, last = ["run_1"], 0, 0, 0
    while kills < rounds and time.monotonic() < end:
        at_operation = draw.randrange(1, 120) if kills % 2 else None
        process = started(names[-1], at_operation)
        if at_operation is None:
            time.sleep(draw.uniform(0, 0.6 * seconds))
            os.kill(process, signal.SIGKILL)  # one that has ended waits for `waitpid`
        code = finished(process)
        if code == -signal.SIGKILL:
            kills += 1
            there = os.path.join("checkpoint", names[-1])
            inside += any("unfinished" in name for _, f, n in os.walk(there) for name in f + n)
        elif code:
            raise SystemExit(f"{names[-1]} ended with code {code}:\n{log()}")
        step = max(checkpoints.saved(os.path.join("checkpoint", names[-1])), default=0)
        if step < last:
            raise SystemExit(f"{names[-1]} fell back from step {last} to {step}.")
        last = step
        if code == 0 and kills < rounds:
            names.append(f"run_{len(names) + 1}")
            last = 0
    if finished(started(names[-1])):
        raise SystemExit(f"{names[-1]} does not go on:\n{log()}")
    print(f"{kills} kills, {inside} of them while a file or folder was being written or removed")
    return names


def started(run, at_operation=None) -> int:
    """Forks a process that trains; returns its number."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        descriptor = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        if at_operation:
            sys.addaudithook(killer(at_operation))
        code = main.main([*OPTIONS, "--run", run])
    finally:
        sys.stdout.flush()
        os._exit(code)


def stand_in(trainer, real_a, real_b, **_) -> dict:
    """Instead of `Trainer.step`."""
    step = int(trainer.steps_done.numpy())
    mean = float(tf.reduce_mean(real_a) - 2.0 * tf.reduce_mean(real_b))
    state = trainer.state()
    state.pop("progress")
    for number, variable in enumerate(v for named in state.values() for v in named.values()):
        if number % 16 == step % 16:  # each has its turn
            variable.assign(0.9 * variable.numpy() + np.float32(0.1 * mean + np.sin(step)))
    trainer.steps_done.assign_add(1)
    loss = {name: tf.constant(mean + 0.1 * step) for name in ("D_A_loss", "D_B_loss")}
    loss = {"Discriminator_loss": tf.constant(mean), **loss}
    if step % trainer.config.n_critic == 0:
        loss.update({"Generator_loss": tf.constant(-mean), "b2a/cycle": tf.constant(mean**2)})
    return {**loss, "finite": tf.constant(True)}


def log() -> str:
    with open("log.txt") as file:
        return file.read()


def finished(process) -> int:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    raise SystemExit(f"A process did not end in {PATIENCE} seconds:\n{log()}")


def killer(at):
    """A hook that ends this process before its operation number `at` on the files of a run."""
    count = 0

    def hook(event, args):
        nonlocal count
        writes = event == "open" and isinstance(args[2], int) and args[2] & WRITES
        if (writes or event in OPERATIONS) and str(args[0]).startswith(("checkpoint", "logs")):
            count += 1
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


def content_of(run):
    """What two runs have in common: arrays of the last and the best checkpoint, and all numbers."""
    folder = os.path.join("checkpoint", run)
    best, metric = checkpoints.best(folder)
    content = {"best": (os.path.basename(best), metric), "files": [*checkpoints.saved(folder)]}
    for path in (best, checkpoints.newest(folder)):
        reader = tf.train.load_checkpoint(os.path.join(path, checkpoints.FILE))
        for name in reader.get_variable_to_shape_map():
            array = np.asarray(reader.get_tensor(name))
            content[os.path.relpath(path, folder), name] = (array.shape, array.tobytes())
    content["history"] = runs.repeatable(history.read(folder))
    events = [
        tf.compat.v1.Event.FromString(record.numpy())
        for name in sorted(os.listdir(os.path.join("logs", run)))
        for record in tf.data.TFRecordDataset(os.path.join("logs", run, name))
    ]
    content["events"] = [
        (event.step, value.tag, value.tensor.SerializeToString())
        for event in events
        for value in event.summary.value
        if value.tag not in runs.UNREPEATABLE
    ]
    return content


if __name__ == "__main__":
    sys.exit(program())
