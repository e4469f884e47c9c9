"""Why TensorFlow uses no GPU: what the doctor and the log say on computers of all kinds."""

import logging
import platform
import sys

import pytest

from tests.fake_gpu import RTX
from ugatit_tf import gpu, gpu_diagnosis, invocation
from ugatit_tf.gpu_diagnosis import diagnosis
from ugatit_tf.phases import phase

NAME = "NVIDIA GeForce RTX 3090"
INFORMATION = f"Model: \t\t {NAME}\nIRQ:   \t\t 127\n"  # of /proc/driver/nvidia/gpus
SILENCED = "(CUDA_VISIBLE_DEVICES=-1 computes on the processor without this warning.)"
INSTALL = "pip install -r requirements-gpu.txt"

# As TensorFlow 2.15 and 2.21 write it.
AT = "2026-01-02 03:04:05.678901: I external/local_tsl/tsl/"
NO_CUDART = (
    f"{AT}platform/default/dso_loader.cc:63] Could not load dynamic library 'libcudart.so.12'; "
    f"dlerror: libcudart.so.12: cannot open shared object file: No such file or directory"
)
NO_CUDA = (
    "I0000 00:00:1795713599.377436    6167 cudart_stub.cc:31] Could not find cuda drivers on your "
    "machine, GPU will not be used."
)
NO_TENSORRT = (
    f"{AT}platform/default/dso_loader.cc:63] Could not load dynamic library 'libnvinfer.so.8'"
)
NO_DRIVER = NO_CUDART.replace("libcudart.so.12", "libcuda.so.1")
NO_LIBRARIES = (
    "W0000 00:00:1795713599.377436    6167 gpu_device.cc:2342] Cannot dlopen some GPU libraries. "
    "Please make sure the missing libraries mentioned above are installed properly if you would "
    "like to use GPU. Follow the guide at https://www.tensorflow.org/install/gpu"
)
MISMATCH = (
    "failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: "
    "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: system has unsupported display driver / cuda driver "
    "combination"
)
AT_CUDA = "E0000 00:00:1795713653.277830    6447 cuda_platform.cc:52] "
TOO_OLD = (
    "Ignoring visible gpu device (device: 0, name: Tesla K80) with Cuda compute capability 3.7. "
    "The minimum required Cuda capability is 6.0."
)


def warning_of(words, remedy, described=f"{NAME}, 24 GiB"):
    return f"Warning: TensorFlow does not use {described}. {words} {remedy} {SILENCED}"


def test_a_computer_without_a_gpu_has_none_and_pays_nothing(computer):
    computer.log(NO_CUDA)
    assert diagnosis().lines() == ["GPU: none that TensorFlow can use"]
    assert computer.searches == 0


def test_a_gpu_in_use_is_named_with_its_memory_and_pays_nothing(computer):
    computer.driver(RTX)
    computer.tensorflow([NAME])
    computer.log(NO_CUDA)
    assert diagnosis().lines() == [f"GPU: {NAME}, 24 GiB"]
    assert computer.searches == 0


def test_missing_cuda_libraries_are_named_with_the_command_that_installs_them(computer):
    computer.driver(RTX)
    computer.log(NO_CUDART, NO_CUDA, NO_TENSORRT, NO_LIBRARIES)
    assert diagnosis().lines() == [
        f"GPU: {NAME}, 24 GiB, not used by TensorFlow",
        warning_of(
            'It says: "Cannot dlopen some GPU libraries". Missing: libcudart.so.12.',
            f"Install the CUDA libraries: {INSTALL}",
        ),
    ]
    assert computer.searches == 1


def test_an_installed_package_names_its_own_extra(computer, monkeypatch, tmp_path):
    monkeypatch.setattr(invocation, "PACKAGE", str(tmp_path / "ugatit_tf"))
    computer.driver(RTX)
    computer.log(NO_CUDA)
    assert "libraries: pip install 'ugatit-tf[gpu]' (" in diagnosis().warning
    assert 'It says: "Could not find cuda drivers on your machine". Install' in diagnosis().warning


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (AT_CUDA + MISMATCH, MISMATCH),
        (
            AT_CUDA + "failed call to cuInit: CUDA_ERROR_UNKNOWN: unknown error",
            "failed call to cuInit: CUDA_ERROR_UNKNOWN: unknown error",
        ),
        (
            "F0 1 2 gpu.cc:7] CUDA driver version is insufficient for CUDA runtime version",
            "CUDA driver version is insufficient for CUDA runtime version",
        ),
        (
            "E0 1 2 d.cc:7] kernel version 1.2 does not match DSO version 3.4 -- cannot find "
            "working devices in this configuration",
            "kernel version 1.2 does not match DSO version 3.4 -- cannot find working devices in "
            "this configuration",
        ),
        (NO_DRIVER, "Could not load dynamic library 'libcuda.so.1'"),
    ],
)
def test_a_driver_that_does_not_work_is_to_be_updated(line, told, computer):
    computer.file("proc/driver/nvidia/gpus/0000:01:00.0/information", INFORMATION)
    computer.file("dev/nvidia0")
    computer.driver(script="echo 'NVIDIA-SMI has failed'; exit 9")
    computer.log(NO_CUDART, NO_CUDA, line)
    assert diagnosis().lines() == [
        f"GPU: {NAME}, not used by TensorFlow",
        warning_of(
            f'It says: "{told}".',
            "Restart the computer if NVIDIA's driver was updated since its start; otherwise "
            "install a current driver: https://www.nvidia.com/drivers",
            described=NAME,
        ),
    ]


@pytest.mark.parametrize("value", ["-1", "", "none", "7"])
def test_gpus_that_the_user_hides_are_a_note(value, computer, monkeypatch, caplog):
    computer.driver(RTX)
    computer.log(NO_CUDA)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert diagnosis().lines() == [
        f"GPU: {NAME}, 24 GiB, hidden from TensorFlow",
        f"Note: CUDA_VISIBLE_DEVICES={value} hides all GPUs. To use them: unset "
        f"CUDA_VISIBLE_DEVICES",
    ]
    phase.warn_of_unused_gpu()
    assert (computer.searches, caplog.messages) == (0, [])


@pytest.mark.parametrize("value", ["MIG-GPU-3090aaaa-1111/1/0", "0", "GPU-3090"])
def test_a_choice_of_gpus_hides_none(value, computer, monkeypatch):
    computer.driver(RTX)
    computer.log(NO_CUDA)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert "not used by TensorFlow" in diagnosis().gpus


@pytest.mark.parametrize(("value", "hidden"), [("-1", True), ("", True), ("0", False)])
def test_without_a_driver_that_answers_gpus_can_be_hidden_too(value, hidden, computer, monkeypatch):
    computer.file("dev/nvidia0")
    computer.log(NO_DRIVER)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert diagnosis().gpus.startswith("NVIDIA GPU, hidden") == hidden


def test_a_gpu_too_old_is_told_in_tensorflow_s_words(computer):
    computer.driver(RTX)
    computer.log(NO_CUDA, f"I0 1 2 gpu_device.cc:2] {TOO_OLD}")
    assert diagnosis().lines()[1] == warning_of(
        f'It says: "{TOO_OLD.rstrip(".")}".', "This version of TensorFlow cannot use this GPU."
    )


def test_a_container_without_access_is_started_with_it(computer):
    computer.file("proc/driver/nvidia/gpus/0000:01:00.0/information", INFORMATION)
    computer.file(".dockerenv")
    computer.log(NO_DRIVER)
    assert "start it with: docker run --gpus all (" in diagnosis().warning
    computer.file("dev/nvidia0")
    assert "install a current driver" in diagnosis().warning


def test_wsl_has_its_driver_in_windows(computer):
    computer.file("dev/dxg")
    assert diagnosis().warning == ""
    assert "install the driver in Windows" in diagnosis().note
    computer.driver(RTX)
    computer.log(AT_CUDA + MISMATCH)
    assert "Update NVIDIA's driver in Windows (not in Linux), then run: wsl" in diagnosis().warning


def test_windows_itself_is_no_place_for_gpus(computer, monkeypatch):
    computer.driver(RTX)
    computer.tensorflow([], built_with_cuda=False)
    gpu.cards()  # starts a process, which the next line would break
    monkeypatch.setattr(sys, "platform", "win32")
    assert diagnosis().lines()[1] == warning_of(
        "It has supported none on Windows since version 2.11.",
        f"Use WSL2: wsl --install, and in its Linux: {INSTALL}",
    )


def test_a_mac_is_told_that_there_is_no_support(computer, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert "tensorflow-metal, has had no release since January 2025" in diagnosis().note
    assert diagnosis().warning == ""


def test_a_gpu_of_amd_needs_a_tensorflow_of_amd(computer):
    computer.file("dev/kfd")
    assert diagnosis().lines()[0] == "GPU: AMD GPU, not used by TensorFlow"
    assert "https://rocm.docs.amd.com" in diagnosis().warning


@pytest.mark.parametrize(
    ("processor", "installed", "told"),
    [
        ("x86_64", "tensorflow-cpu", f"pip uninstall tensorflow-cpu && {INSTALL} ("),
        ("x86_64", "", f"pip uninstall tensorflow && {INSTALL} ("),
        ("aarch64", "", "pip has none with it for this processor (aarch64). ("),
    ],
)
def test_a_tensorflow_without_cuda_is_replaced(processor, installed, told, computer, monkeypatch):
    computer.driver(RTX)
    computer.tensorflow([], built_with_cuda=False)
    monkeypatch.setattr(platform, "machine", lambda: processor)
    monkeypatch.setattr(gpu_diagnosis, "_is_installed", lambda package: package == installed)
    assert f"built without CUDA. {'To use the GPU: ' * ('&&' in told)}{told}" in diagnosis().warning


@pytest.mark.parametrize("broken", ["sys.exit(1)", "import no_such_module"])
def test_a_tensorflow_that_says_nothing_is_not_quoted(broken, computer):
    computer.driver(RTX)
    computer.log()
    (computer.packages / "tensorflow.py").write_text(f"import sys\n{broken}\n")
    assert f"It gave no reason. Install the CUDA libraries: {INSTALL}" in diagnosis().warning


def test_phases_warn_of_a_gpu_that_is_not_used(computer, caplog):
    computer.driver(RTX)
    computer.log(NO_LIBRARIES)
    phase.warn_of_unused_gpu()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and record.getMessage() == diagnosis().warning
