"""Fixtures that all tests share."""

import gc
import importlib.util
import os

import pytest

from ugatit_tf import tensorflow_start
from ugatit_tf.errors import OptionNames

tensorflow_start.set_environment()  # before TensorFlow is imported anywhere
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")  # tolerances are those of whole float32
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")  # tiny tensors: threads only cost
# XLA compiles in a fraction of the time; what it makes of a graph before machine code is the same.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as cores
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

OptionNames.on_command_line = True  # tests expect messages as the command line shows them

# Phases, images and files, whose code does the same on both stacks and takes long to test. What
# they build on (layers, networks, step, checkpoints, exports, input) is tested on both.
OF_ANY_STACK = (
    "ablation", "benchmarks", "cache", "crash_points", "devices", "evaluate", "image_files",
    "listing", "packing", "replicas", "testing", "video", "video_file",
    "completion", "demo", "download", "drawings", "feature_file", "fetch", "gpu",
    "gpu_diagnosis", "help_page", "import", "init_from", "invocation", "official_folder",
    "package", "prepare", "run_page", "shipped", "torch_file", "unpack", "web", "web_page",
    "web_use",
)  # fmt: skip
OLDER_STACK = importlib.util.find_spec("tensorflow_addons") is not None
# Not a skip: a test that does not belong to a stack does not belong to its suite.
collect_ignore = [] if OLDER_STACK else ["test_addons.py"]
if OLDER_STACK and "ALL_TESTS" not in os.environ:
    collect_ignore += [f"test_{name}.py" for name in OF_ANY_STACK]


def pytest_collection_finish():
    """Looks for garbage less often, and never in what is imported: a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


@pytest.fixture(params=["eager", "graph"])
def run(request):
    """run(function, *arrays, **options) -> arrays: eager, then in a tf.function."""
    import tensorflow as tf

    def called(function, *inputs, **options):
        inputs = [tf.constant(x) for x in inputs]

        def with_options(*tensors):
            return function(*tensors, **options)

        chosen = with_options if request.param == "eager" else tf.function(with_options)
        return tf.nest.map_structure(lambda x: x if x is None else x.numpy(), chosen(*inputs))

    return called


@pytest.fixture
def computer(tmp_path, monkeypatch):
    """A computer without GPUs, to which a test adds some; see `tests/fake_gpu.py`."""
    from tests.fake_gpu import Computer
    from ugatit_tf import gpu

    folder = tmp_path / "computer"
    folder.mkdir()
    yield Computer(folder, monkeypatch)
    gpu.cards.cache_clear()


@pytest.fixture
def untraced():
    """Steps run eagerly. To trace one takes 11 s of processor time, to run it 0.8 s."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
