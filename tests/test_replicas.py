"""Several devices and several processes: equal to one, whole after a loss, one writer."""

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from tests import made, runs
from tests.test_step import BATCH, trainer_of, weights_of
from tests.tolerances import drift, of_loss
from ugatit_tf.config import NOT_RECORDED, Config
from ugatit_tf.data import folders
from ugatit_tf.data.folders import TRAIN
from ugatit_tf.errors import Failure
from ugatit_tf.networks.model import build_model
from ugatit_tf.training import checkpoints, loop, replicas
from ugatit_tf.training.replicas import Replicas, place_of
from ugatit_tf.training.step import Trainer

CASE = {"accumulate": 2, "n_critic": 2, "ema": 0.9, "img_size": 16}
OF_FLAVOR = {"tensorflow": {"gan_type": "dragan"}, "pytorch": {"gan_type": "lsgan"}}
TWO_DEVICES = """
import sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests import test_replicas, test_several
from ugatit_tf.training.replicas import Replicas, strategy_of
two = Replicas(strategy_of("mirrored"))
assert two.count == 2
"""
TEN_STEPS = "np.savez(sys.argv[1], **test_replicas.ten_steps(two, 1, sys.argv[2]))"
SEVERAL = """
test_several.assert_equal_to_single_steps(replicas=two, gan_type="dragan", ema=0.9)
"""
COMPILED = "test_replicas.assert_compiled_steps_are_alike(two)"


def on_two_devices(code, *argv):
    command = [sys.executable, "-c", TWO_DEVICES + code, *argv]
    subprocess.run(command, check=True, timeout=400)


def ten_steps(replicas, batch_size, flavor):
    """The weights before ten steps with a whole batch of 2, and everything that they leave."""
    options = {"flavor": flavor, **OF_FLAVOR[flavor], **CASE}
    config = made.tiny_config(batch_size=batch_size, **options)
    with replicas.scope():
        model = build_model(config)
        trainer = Trainer(model, config, replicas)
    start = {f"start/{path}": array for path, array in made.fill(model.weights()).items()}
    trainer.start_average()
    for step in range(10):
        shape = [2 * config.accumulate, config.img_size, config.img_size, 1]
        batches = (tf.constant(made.images(*shape, seed=2 * step + side)) for side in (0, 1))
        scalars = trainer.step(*batches)
    state = {
        f"{group}/{name}": variable.numpy()
        for group, named in trainer.state().items()
        for name, variable in named.items()
    }
    return {**start, **state, **{f"losses/{tag}": value.numpy() for tag, value in scalars.items()}}


OF_THE_WAY = 1e-3  # a mistake in a batch's part, in noise or in an average is larger


def has_no_gradient(path):
    """Whether instance normalization takes away what this bias adds.

    Its gradient is rounding alone, of which Adam makes steps of full size.
    """
    part = path.split("/", 1)[-1]
    return path.endswith("/bias") and part.startswith(("stem/", "down/", "residual/"))


def apart(found, expected, start, paths) -> float:
    """How far two runs are from each other, as a part of the way that they came.

    By norms: Adam makes a whole step, in either direction, of an element of a gradient that is
    rounding alone, so a few elements are as far apart as steps are long.
    """
    paths = [path for path in paths if not path.endswith("/u") and not has_no_gradient(path)]
    squares = [
        sum(np.sum(np.square(np.float64(one[path]) - other[path])) for path in paths)
        for one, other in ((found, expected), (expected, start))
    ]
    return np.sqrt(squares[0] / squares[1])


def assert_equal_weights(found, expected, start):
    assert set(found) == set(expected)
    assert apart(found, expected, start, expected) < OF_THE_WAY
    for path in (path for path in expected if path.endswith("/u")):
        # close singular values let it turn
        np.testing.assert_allclose(found[path], expected[path], atol=1e-4, err_msg=path)


@pytest.mark.slow
@pytest.mark.parametrize("flavor", OF_FLAVOR)
def test_two_devices_equal_one_with_both_batches(flavor, tmp_path):
    results = str(tmp_path / "two.npz")
    on_two_devices(TEN_STEPS, results, flavor)
    expected = ten_steps(Replicas(), 2, flavor)
    with np.load(results) as archive:
        found = dict(archive)
    assert set(found) == set(expected)
    start = of_group(expected, "start")
    assert_equal_weights(of_group(found, "weights"), of_group(expected, "weights"), start)
    average = of_group(expected, "average")
    assert apart(of_group(found, "average"), average, start, average) < OF_THE_WAY
    for tag, value in of_group(expected, "losses").items():
        tolerance = of_loss(tag, drift(made.tiny_config().lr, 10))
        np.testing.assert_allclose(found[f"losses/{tag}"], value, err_msg=tag, **tolerance)


@pytest.mark.slow
def test_several_steps_in_a_call_are_single_steps_on_two_devices_too():
    on_two_devices(SEVERAL)


def assert_compiled_steps_are_alike(replicas):
    """Two updates of the discriminators alone, which compile sooner than whole steps."""
    left = []
    for xla in (False, True):
        trainer = trainer_of(replicas, gan_type="dragan", n_critic=3, xla=xla)
        trainer.steps_done.assign(1)
        start = weights_of(trainer)
        scalars = [trainer.step(*BATCH) for _ in range(2)]
        left.append((scalars, weights_of(trainer)))
    (expected, weights), (found, compiled) = left
    for step in range(2):
        for tag, value in expected[step].items():
            tolerance = of_loss(tag, drift(trainer.config.lr, step + 1))
            np.testing.assert_allclose(found[step][tag], value, err_msg=tag, **tolerance)
    assert_equal_weights(compiled, weights, start)


@pytest.mark.slow
def test_networks_and_updates_compiled_with_xla_train_alike_on_two_devices():
    on_two_devices(COMPILED)


def of_group(arrays, group) -> dict:
    return {k[len(group) + 1 :]: v for k, v in arrays.items() if k.startswith(f"{group}/")}


class Workers:
    """Two processes on the loopback interface that run `main.py` with these arguments."""

    def __init__(self, argv):
        with socket.socket() as one, socket.socket() as other:
            for listener in (one, other):
                listener.bind(("127.0.0.1", 0))
            places = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in (one, other)]
        self.processes = []
        for index in range(2):
            task = {"type": "worker", "index": index}
            told = json.dumps({"cluster": {"worker": places}, "task": task})
            process = subprocess.Popen(
                [sys.executable, "main.py", *argv],
                env={**os.environ, "TF_CONFIG": told, "CUDA_VISIBLE_DEVICES": "-1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self.processes.append(process)

    def end(self, seconds):
        """(exit code, output) of each, which must have ended by then."""
        try:
            outputs = [p.communicate(timeout=seconds)[0] for p in self.processes]
            return [(p.returncode, output) for p, output in zip(self.processes, outputs)]
        finally:
            for process in self.processes:
                process.kill()


def arguments(config, **options):
    given = {
        "dataset": config.dataset, "run": config.run, "dataset_dir": config.dataset_dir,
        "checkpoint_dir": config.checkpoint_dir, "log_dir": config.log_dir,
        "sample_dir": config.sample_dir, **made.TINY, "epoch": 1, **options,
    }  # fmt: skip
    return [f"--{name}={value}" for name, value in given.items()]


def weights_in(path):
    reader = tf.train.load_checkpoint(os.path.join(path, checkpoints.FILE))
    names = reader.get_variable_to_shape_map()
    return {n[8:]: reader.get_tensor(n) for n in names if n.startswith("weights/")}


@pytest.mark.slow
def test_two_workers_equal_one_device_and_survive_the_loss_of_one(tmp_path, untraced):
    options = {"img_size": 16, "img_ch": 3, "iteration": runs.STEP + 10, "save_freq": 20}
    config = runs.config_in(tmp_path, epoch=1, batch_size=2, run="one", **options)
    runs.write_dataset(config.dataset_folder, count=5)
    runs.make_run(config)
    runs.run_phase("train", config)

    config = runs.config_in(tmp_path, epoch=1, run="two", **options)
    runs.make_run(config)
    ended = Workers(arguments(config, **options)).end(120)
    assert [code for code, _ in ended] == [0, 0], ended
    assert "2 devices; a step takes 2 images of each domain." in ended[0][1]
    assert "step" not in ended[1][1]  # the chief alone tells
    one, two = (os.path.join(config.checkpoint_dir, run) for run in ("one", "two"))
    start = weights_in(checkpoints.saved(one)[runs.STEP])
    assert_equal_weights(*(weights_in(checkpoints.newest(run)) for run in (two, one)), start)

    # Of fewer terms, whose graph is sooner traced.
    few = {f"{term}_weight": 0 for term in ("cycle", "identity", "cam")}
    workers = Workers(arguments(config, **{**options, "iteration": 100_000, **few}))
    until = time.monotonic() + 120
    while max(checkpoints.saved(two)) == runs.STEP + 10 and time.monotonic() < until:
        time.sleep(0.2)
    workers.processes[1].send_signal(signal.SIGKILL)
    ended = workers.end(60)
    assert [code for code, _ in ended] == [1, -signal.SIGKILL]
    assert "error: Another worker has stopped" in ended[0][1]
    assert "Traceback" not in ended[0][1]

    step = max(checkpoints.saved(two))
    config = runs.config_in(tmp_path, epoch=1, run="two", **{**options, "iteration": step + 2})
    runs.run_phase("train", config)  # one device goes on
    assert max(checkpoints.saved(two)) == step + 2
    with open(os.path.join(two, "config.json"), encoding="utf-8") as file:
        changes = json.load(file)["about"]["changes"]
    assert {"step": step, "option": "replicas", "from": 2, "to": 1} in changes


class Two(Replicas):
    """As the first of two workers sees it, the second of which has another `--ch` or step."""

    def __init__(self, place):
        super().__init__()
        self.place = place

    def rows(self, numbers):
        other = list(numbers)
        other[self.place(len(numbers))] += 5
        return [numbers, other]


def place_of_ch(count):
    names = [field.name for field in dataclasses.fields(Config) if field.name not in NOT_RECORDED]
    return count - len(names) + names.index("ch")


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (lambda count: 0, r"differ in the step of their newest checkpoint \(0 here\)\. Give"),
        (lambda count: 1, r"differ in their images\. Give"),
        (place_of_ch, r"differ in --ch \(2 here\)\. Give"),
    ],
    ids=["step", "pictures", "ch"],
)
def test_workers_that_differ_are_refused_before_networks_are_built(
    place, told, tmp_path, monkeypatch
):
    config = runs.config_in(tmp_path, img_ch=3)
    runs.write_dataset(config.dataset_folder)
    parts = {name: folders.examine(os.path.join(config.dataset_folder, name)) for name in TRAIN}
    monkeypatch.delattr(loop, "build_model")
    with pytest.raises(Failure, match=told):
        loop.train(config, parts, replicas=Two(place))
    assert not checkpoints.saved(config.run_folder)


class Resolver:
    def __init__(self, cluster, kind, number):
        self.cluster, self.task_type, self.task_id = cluster, kind, number

    def cluster_spec(self):
        return tf.train.ClusterSpec(self.cluster)


class Strategy:
    def __init__(self, *task):
        self.cluster_resolver = Resolver(*task)


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (({"worker": ["a:1", "b:1"]}, "worker", 1), (1, 2)),
        (({"chief": ["a:1"], "worker": ["b:1", "c:1"]}, "chief", 0), (0, 3)),
        (({"chief": ["a:1"], "worker": ["b:1", "c:1"]}, "worker", 1), (2, 3)),
        (({}, None, None), (0, 1)),
    ],
)
def test_the_place_of_a_worker_follows_from_the_cluster(task, expected):
    assert place_of(Strategy(*task)) == expected


def test_one_device_is_one_replica():
    replicas = Replicas()
    assert (replicas.count, replicas.first, replicas.mine, replicas.workers) == (1, 0, 1, 1)
    assert replicas.is_chief and replicas.any(True) and not replicas.any(False)
    assert replicas.numbers(7) == [7] and replicas.rows([7, 8]) == [[7, 8]]


@pytest.mark.parametrize("name", ["auto", "one", "mirrored"])
def test_one_device_needs_no_strategy(name, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    replicas.strategy_of.cache_clear()
    assert replicas.strategy_of(name) is None


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("", "needs TF_CONFIG in the environment"),
        ('{"cluster": {"worker": ["a:1"]}}', "needs TF_CONFIG"),
        ("{", "TF_CONFIG cannot be used: TF_CONFIG is not valid JSON"),
        ("[]", "Expected an object"),
    ],
)
def test_workers_that_nobody_named_are_refused(told, message, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", told)
    replicas.strategy_of.cache_clear()
    with pytest.raises(Failure, match=message):
        replicas.strategy_of("multi_worker")
