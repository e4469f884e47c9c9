"""Several devices at one work: what they make together is what one makes, and all of them work."""

import dataclasses
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests import made, runs
from tests.test_evaluate import Small
from ugatit_tf.evaluation import evaluate
from ugatit_tf.layers.weights import named_weights
from ugatit_tf.networks.model import build_generator
from ugatit_tf.translation import devices, image_files, loading, testing
from ugatit_tf.translation.options import TranslateOptions

ROOT = Path(__file__).resolve().parents[1]
# Devices are configured before TensorFlow's first operation, hence in a process of its own.
ON_TWO = """
import sys
import tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests import test_devices
test_devices.work_of_two(sys.argv[1])
"""


@dataclasses.dataclass
class Counted:
    """Something that is copied, and counts its uses."""

    name: str
    uses: int = 0

    def __call__(self, number):
        self.uses += 1
        return self.name, number


def copies_of(made, count=2):
    """`Copies` that puts what it makes into the list `made`."""

    def make():
        made.append(Counted(f"copy {len(made)}"))
        return made[-1]

    return devices.Copies(Counted("first"), make, ["CPU:0"] * count)


def out_of_memory(*names):
    def function(copy):
        if copy.name in names:
            raise tf.errors.ResourceExhaustedError(None, None, "no memory")
        return copy(0)[0]

    return function


@pytest.mark.parametrize(
    ("gpus", "strategy", "expected"),
    [
        (2, "auto", ["GPU:0", "GPU:1"]),
        (2, "one", ["GPU:0"]),
        (0, "mirrored", ["CPU:0", "CPU:1", "CPU:2"]),
        (0, "one", ["CPU:0"]),
    ],
)
def test_gpus_share_the_work_or_without_any_the_cpus(monkeypatch, gpus, strategy, expected):
    counts = {"GPU": gpus, "CPU": 3}

    def listed(kind):
        names = [f"/device:{kind}:{i}" for i in range(counts[kind])]
        elsewhere = f"/job:worker/replica:0/task:1/device:{kind}:0"
        return [tf.config.LogicalDevice(name, kind) for name in (*names, elsewhere)]

    monkeypatch.setattr(tf.config, "list_logical_devices", listed)
    assert devices.names(strategy) == [f"/device:{name}" for name in expected]


def test_who_uses_one_after_the_other_needs_no_copy():
    made = []
    copies = copies_of(made)
    assert [copies.use(lambda one, i=i: one(i)) for i in range(3)] == [
        ("first", i) for i in range(3)
    ]
    assert made == [] and copies.first.uses == 3


def test_each_of_several_threads_has_a_copy_and_a_further_one_waits():
    made, meet, inside, most = [], threading.Barrier(3), [], []
    copies = copies_of(made, 3)

    def function(copy):
        inside.append(copy.name)
        most.append(len(inside))
        if copy.uses == 0:
            meet.wait(30)  # all three at the same time, or not at all
        inside.remove(copy.name)
        return copy(0)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: copies.use(function), range(24)))
    assert {name for name, _ in found} == {"first", "copy 0", "copy 1"}
    assert max(most) == 3 and len(made) == 2
    assert sum(one.uses for one in (copies.first, *made)) == 24


def while_the_first_works(copies, function, waits=False):
    """What `function` gives of a copy, where another thread holds the first one meanwhile.

    Args:
        waits: whether there is no other copy, so that it must wait for the first.
    """
    held, tried = threading.Event(), threading.Event()

    def hold(_):
        held.set()
        tried.wait(30)

    def attempt(copy):
        tried.set()
        return function(copy)

    with ThreadPoolExecutor(2) as pool:
        pool.submit(copies.use, hold)
        held.wait(30)
        found = pool.submit(copies.use, attempt)
        if waits:
            assert not tried.wait(0.2)
            tried.set()
        return found.result(30)


def test_a_device_that_lacks_the_memory_is_left_out_and_its_work_done():
    made = []
    copies = copies_of(made)
    assert while_the_first_works(copies, lambda copy: copy.name) == "copy 0"
    with pytest.raises(tf.errors.ResourceExhaustedError):  # too large for either
        while_the_first_works(copies, out_of_memory("copy 0", "first"))
    assert while_the_first_works(copies, out_of_memory("copy 0")) == "first"
    assert while_the_first_works(copies, lambda copy: copy.name, waits=True) == "first"
    assert len(made) == 1


def test_an_error_frees_the_device():
    copies = copies_of([])
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            copies.use(lambda copy: 1 / 0)
    assert copies.use(lambda copy: copy.name) == "first"


@pytest.mark.parametrize("light", [True, False])
def test_a_twin_has_the_weights_and_not_the_variables(light):
    config = made.tiny_config(light=light)
    generator = build_generator(config, "b2a")
    weights = made.filled(generator)
    twin = devices.twin(generator, config)
    for name, array in weights.items():
        np.testing.assert_array_equal(named_weights(twin)[name].numpy(), array)
    made.filled(generator, seed=1)
    x = made.images(1, 8, 8, 1)
    assert np.any(twin(x).image != generator(x).image)


def work(root, out):
    """Translates a folder, tests and evaluates a run; all results are below `out`."""
    config = runs.config_in(root, result_dir=str(out / "results"))
    request = TranslateOptions(
        str(root / "in"), str(out / "translated"), heatmap="overlay", report=True
    )
    summary = image_files.translate_files(loading.from_run(config), request)
    assert (summary.num_translated, summary.failures) == (9, [])
    testing.run_test(config)
    evaluate.evaluate(config)


def work_of_two(root):
    """`work` where both devices must work at the same time, and what was seen of them."""
    root, seen, twins = Path(root), {}, set()
    on, twin = devices.Copies._use, devices.twin

    def watched(copies, place, function):
        output = seen.setdefault(copies, {"devices": [], "meet": threading.Barrier(2)})

        def used(copy):
            device = tf.constant(0.0).device
            if device not in output["devices"]:
                output["devices"].append(device)
                output["meet"].wait(120)
            return function(copy)

        return on(copies, place, used)

    def built(*args):
        found = twin(*args)
        twins.update(weight.device for weight in named_weights(found).values())
        return found

    devices.Copies._use, devices.twin, evaluate.Extractor = watched, built, Small
    work(root, root / "two")
    output = {"used": [sorted(one["devices"]) for one in seen.values()], "twins": sorted(twins)}
    (root / "seen.json").write_text(json.dumps(output))


@pytest.mark.slow
def test_two_devices_write_what_one_writes_and_both_work(tmp_path, monkeypatch):
    config = runs.config_in(tmp_path)
    runs.write_dataset(config.dataset_folder, ("testA", "testB"), count=18)
    runs.write_images(tmp_path / "in", [f"{i}.png" for i in range(9)])
    runs.make_run(config)
    command = [sys.executable, "-c", ON_TWO, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    output = json.loads((tmp_path / "seen.json").read_text())
    both = [f"/job:localhost/replica:0/task:0/device:CPU:{i}" for i in range(2)]
    assert output["twins"] == both[1:]
    assert len(output["used"]) == 4 and all(used == both for used in output["used"]), output
    monkeypatch.setattr(evaluate, "Extractor", Small)
    work(tmp_path, tmp_path / "one")
    one, two = (runs.bytes_below(tmp_path / name) for name in ("one", "two"))
    assert set(one) == set(two) and len(one) > 9 * 4 + 36 * 2
    for name, content in one.items():
        if not name.endswith(".html"):  # a page tells the time
            assert content == two[name], name
