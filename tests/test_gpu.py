"""GPUs in use: their names, which of them CUDA shows, and their memory."""

import os

import pytest
import tensorflow as tf

from tests.fake_gpu import A100, RTX
from ugatit_tf import gpu, machine

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
