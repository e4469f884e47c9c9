"""GPUs in use: their names, which of them CUDA shows, and their memory."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tests import runs
from tests.fake_gpu import A100, RTX
from ugatit_tf import gpu, machine
from ugatit_tf.config import Config
from ugatit_tf.interchange import export
from ugatit_tf.interchange.formats import comparison
from ugatit_tf.phases import export as export_phase
from ugatit_tf.phases import train
from ugatit_tf.translation import loading

ROOT = Path(__file__).resolve().parents[1]
# Phases in a process where TensorFlow has computed nothing yet. It sees a GPU, but has none: the
# replicas are made where they can be. What the driver is asked is noted with the state of
# TensorFlow at that time.
PREFLIGHT = """
import json, os, sys
import tensorflow as tf
from ugatit_tf import gpu, program
from ugatit_tf.training import loop

def has_computed():
    threads = tf.config.threading
    count = threads.get_inter_op_parallelism_threads()
    try:
        threads.set_inter_op_parallelism_threads(count + 1)
        threads.set_inter_op_parallelism_threads(count)
    except RuntimeError:  # it cannot be changed any more
        return True
    return False

def note(event, details):
    if event == "subprocess.Popen" and details[0].endswith("nvidia-smi"):
        asked.append([has_computed(), os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH")])

asked, trained = [], []
sys.addaudithook(note)
gpu.used = lambda strategy="auto": ["NVIDIA GeForce RTX 3090"]
loop.train = lambda *_: trained.append(has_computed())
codes = []
for phase in ("doctor", "train"):
    gpu.cards.cache_clear()
    codes.append(program.main(["--phase", phase, *sys.argv[2:]]))
with open(sys.argv[1], "w") as file:
    json.dump({"codes": codes, "asked": asked, "trained": trained}, file)
"""

MIB = 2**20
NAME = "NVIDIA A100-SXM4-80GB"
SMALL = "0, GPU-1030bbbb-3333, NVIDIA GeForce GT 1030, 2048, 1000"


def test_gpus_are_described_with_the_memory_that_their_names_promise(computer):
    computer.driver(RTX)
    assert gpu.described(["NVIDIA GeForce RTX 3090"]) == "NVIDIA GeForce RTX 3090, 24 GiB"
    assert gpu.described(["GPU"]) == "GPU"
    computer.driver(*A100, SMALL)
    assert gpu.described([NAME, NAME]) == f"2 x {NAME}, 80 GiB each"
    both = [NAME, "NVIDIA GeForce GT 1030"]
    assert gpu.described(both) == f"{NAME}, 80 GiB and NVIDIA GeForce GT 1030, 2 GiB"


def test_the_strategy_one_uses_the_first_gpu(computer):
    computer.tensorflow([NAME, "other"])
    assert gpu.used() == [NAME, "other"]
    assert gpu.used("one") == [NAME]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, [0, 1, 2, 3]),
        ("2,1", [2, 1]),
        (" 3 , 0", [3, 0]),
        ("0,2,-1,1", [0, 2]),  # CUDA stops at an entry that is wrong
        ("1,9,0", [1]),
        ("-1", []),
        ("", []),
        ("none", []),
        ("GPU-a1002aaa-2222", [2]),
        ("GPU-a1003,GPU-a1000", [3, 0]),  # the first digits suffice
        ("GPU-a100", []),  # unless they fit several
        ("1,MIG-GPU-a1000aaa-2222/1/0", [1]),
    ],
)
def test_cuda_s_choice_of_gpus_is_followed(value, expected, computer, monkeypatch):
    computer.driver(*A100)
    if value is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert [int(card.index) for card in gpu.visible_cards()] == expected


@pytest.mark.parametrize(
    ("visible", "strategy", "expected"),
    [
        (None, "auto", 81920 - 3),  # the fullest of all
        ("2,1", "auto", 81920 - 2),
        ("2,1", "one", 81920 - 2),
        ("1,2", "one", 81920 - 1),
    ],
)
def test_the_fullest_of_the_gpus_in_use_decides(visible, strategy, expected, computer, monkeypatch):
    computer.driver(*A100)
    computer.tensorflow([NAME] * (4 if visible is None else 2))
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu.free_bytes(strategy) == expected * MIB


def test_where_cuda_counts_gpus_in_another_order_than_the_driver_names_decide(computer):
    computer.driver(SMALL, RTX.replace("0, ", "1, ", 1))
    computer.tensorflow(["NVIDIA GeForce RTX 3090"])  # TensorFlow leaves the other out
    assert gpu.free_bytes() == 24100 * MIB


def test_the_free_memory_of_a_part_of_a_gpu_is_unknown(computer, monkeypatch):
    computer.driver(*A100)
    computer.tensorflow([f"{NAME} MIG 1g.10gb"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-GPU-a1000aaa-2222/1/0")
    assert gpu.free_bytes() is None


@pytest.mark.parametrize(
    "script", ["exit 9", "true", "echo 'NVIDIA-SMI has failed'", "echo '0, GPU-1, NAME, 9, [N/A]'"]
)
def test_a_driver_that_does_not_tell_the_free_memory_is_none(script, computer):
    computer.driver(script=script)
    computer.tensorflow(["NAME"])
    assert gpu.free_bytes() is None


def test_the_driver_of_wsl_is_found_where_it_is_on_no_path(computer):
    computer.file("usr/lib/wsl/lib/nvidia-smi", f"#!/bin/sh\necho '{RTX}'\n")
    os.chmod(computer.root / "usr/lib/wsl/lib/nvidia-smi", 0o755)
    assert [card.name for card in gpu.cards()] == ["NVIDIA GeForce RTX 3090"]


def test_the_driver_is_asked_once_so_that_our_own_memory_does_not_count(computer):
    computer.driver(RTX)
    computer.tensorflow(["NVIDIA GeForce RTX 3090"])
    assert gpu.free_bytes() == 24100 * MIB
    computer.programs.joinpath("nvidia-smi").write_text("#!/bin/sh\nexit 1\n")
    assert gpu.free_bytes() == 24100 * MIB
    assert computer.questions == [
        "--query-gpu=index,uuid,name,memory.total,memory.free --format=csv,noheader,nounits"
    ]


def test_the_peak_of_memory_is_that_of_the_gpu_with_the_most(computer):
    assert gpu.peak_bytes() is None
    computer.tensorflow([NAME, NAME], peaks=[3 * MIB, 5 * MIB])
    assert gpu.peak_bytes() == machine.peak_memory() == 5 * MIB


def test_a_gpu_that_does_not_count_has_no_peak(computer, monkeypatch):
    computer.tensorflow(["METAL"])

    def refuse(_):
        raise ValueError("Allocator stats not available")

    monkeypatch.setattr(tf.config.experimental, "get_memory_info", refuse)
    assert gpu.peak_bytes() is None


def test_hidden_gpus_are_not_used_any_more(computer, monkeypatch):
    hidden = []
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *args: hidden.append(args))
    gpu.hide()
    assert hidden == [([], "GPU")]


def test_the_driver_is_asked_before_tensorflow_has_taken_memory(computer, tmp_path, monkeypatch):
    """And the first line of a training says once what trains; memory is taken as it is needed."""
    config = runs.config_in(tmp_path)
    runs.write_dataset(config.dataset_folder)
    words = ["--dataset", config.dataset, "--light", "True", "--img_size", "12", "--n_dis", "3"]
    for name in ("dataset", "checkpoint", "sample", "log"):
        words += [f"--{name}_dir", getattr(config, f"{name}_dir")]
    computer.driver(RTX)
    monkeypatch.delenv("TF_FORCE_GPU_ALLOW_GROWTH", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    results = tmp_path / "results.json"
    command = [sys.executable, "-c", PREFLIGHT, str(results), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(results.read_text()) == {
        "codes": [0, 0],
        "asked": [[False, "true"], [False, "true"]],
        "trained": [True],
    }
    lines = done.stdout.splitlines()
    line = "Training on: NVIDIA GeForce RTX 3090, 24 GiB, float32"
    assert lines.count(line) == 1
    assert "GPU: NVIDIA GeForce RTX 3090, 24 GiB" in lines[: lines.index(line)]  # of the doctor
    assert lines[lines.index(line) + 1].startswith("trainA: 3 images")
    assert sum("on the GPU (an estimate), and 25.3 GB are available" in text for text in lines) == 2


def replicas(mine=1, count=1, workers=1):
    return SimpleNamespace(mine=mine, count=count, workers=workers)


@pytest.mark.parametrize(
    ("names", "devices", "expected"),
    [
        ([], replicas(), "the processor, 2 cores (EPYC), bfloat16"),
        ([], replicas(2, 2), "the processor, 2 cores (EPYC), as 2 devices, bfloat16"),
        ([NAME], replicas(), f"{NAME}, 80 GiB, bfloat16"),
        ([NAME] * 4, replicas(4, 4), f"4 x {NAME}, 80 GiB each, bfloat16"),
        (
            [NAME] * 4,
            replicas(4, 8, 2),
            f"4 x {NAME}, 80 GiB each, bfloat16; 8 devices in 2 workers",
        ),
        (
            [],
            replicas(1, 3, 3),
            "the processor, 2 cores (EPYC), bfloat16; 3 devices in 3 workers",
        ),
    ],
)
def test_the_devices_that_train_are_said_in_words(names, devices, expected, computer, monkeypatch):
    computer.driver(*A100)
    computer.tensorflow(names)
    monkeypatch.setattr(machine, "processor", lambda: "2 cores (EPYC)")
    line = train.devices_line(Config(precision="bfloat16"), devices)
    assert line == f"Training on: {expected}"


def test_processes_that_check_an_export_see_no_gpu(tmp_path, monkeypatch):
    seen = "import os, sys, numpy; "
    seen += "numpy.savez(sys.argv[3], seen=os.environ['CUDA_VISIBLE_DEVICES'])"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(export, "USE_ALONE", seen)
    folder, inputs = str(tmp_path), {"x": np.zeros(1)}
    found = export._outputs_alone(folder, inputs, folder)
    assert found == {"seen": "-1"}
    assert comparison.outputs_alone(seen, folder, inputs, {"cases": []}, "this") == found


def test_an_export_computes_on_the_processor_from_the_beginning(computer, monkeypatch, tmp_path):
    done = []
    monkeypatch.setattr(gpu, "hide", lambda: done.append("hidden"))

    def load(*_):
        assert done == ["hidden"]
        raise InterruptedError

    monkeypatch.setattr(loading, "load_generators", load)
    with pytest.raises(InterruptedError):
        export_phase.run(runs.config_in(tmp_path), export_phase.ExportOptions())
