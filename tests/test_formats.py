"""The table of formats of `--phase export`: what each writes is what the Keras model computes.

The tests of ONNX and LiteRT files need packages that no stack has, and are skipped without them:
`make test-formats` runs all.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest

import ugatit_tf
from tests import made, runs
from ugatit_tf.errors import Failure
from ugatit_tf.interchange import difference, generator_file
from ugatit_tf.interchange.difference import Difference
from ugatit_tf.interchange.formats import FORMATS, comparison, graph, onnx_file
from ugatit_tf.interchange.formats.format import Limit, Package
from ugatit_tf.networks.model import build_generator
from ugatit_tf.options import ConfigError
from ugatit_tf.phases import PHASES

# Of the packages, when they are imported, and of TensorFlow's converter.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SIZE = 32
SMALL = {"ch": 4, "img_size": SIZE}
# What ONNX Runtime Web computes on WebGPU, of the operators that a network like ours could have:
# docs/webgpu-operators.md in the package onnxruntime-web 1.30.0. A graph with others goes to the
# processor and back in the middle.
WEBGPU = {
    "Abs", "Add", "BatchNormalization", "Cast", "Ceil", "Clip", "Concat", "Conv", "ConvTranspose",
    "DepthToSpace", "Div", "Einsum", "Equal", "Exp", "Expand", "Flatten", "Floor", "Gather",
    "GatherElements", "GatherND", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "Greater",
    "GreaterOrEqual", "InstanceNormalization", "LayerNormalization", "Less", "LessOrEqual", "Log",
    "MatMul", "Mul", "Neg", "Not", "Pad", "Pow", "Range", "Reciprocal", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Resize",
    "ScatterND", "Shape", "Sigmoid", "Slice", "Softmax", "Split", "Sqrt", "Squeeze", "Sub", "Tanh",
    "Tile", "Transpose", "Unsqueeze", "Where",
}  # fmt: skip


def options(**values):
    return PHASES["export"].options(**values)


def exported(root, format, export=None, **config):
    """Exports a run; returns its config, networks, folder and export.json."""
    config = runs.config_in(root, **{**SMALL, **config})
    networks = runs.make_run(config)
    chosen = options(format=format, **(export or {}))
    PHASES["export"].check(config, chosen)
    PHASES["export"].run(config, chosen)
    folder = os.path.join(config.export_dir, "tiny", "step_0000003")
    with open(os.path.join(folder, "export.json"), encoding="utf-8") as file:
        about = json.load(file)
    return types.SimpleNamespace(config=config, networks=networks, folder=folder, about=about)


def assert_levels(values, expected, most):
    assert values.shape == expected.shape
    assert np.abs(values - expected).max() * 127.5 <= most


# The options


@pytest.mark.parametrize(
    ("format", "names"),
    [
        ("saved_model,npz", ["saved_model", "npz"]),
        ("npz", ["npz"]),
        (" onnx, litert ,onnx", ["onnx", "litert"]),
    ],
)
def test_formats_are_names_with_commas(format, names):
    assert options(format=format).names == names


def test_the_default_is_what_this_program_reads():
    assert options().names == ["saved_model", "npz"]


@pytest.mark.parametrize("format", ["", ",", "savedmodel", "npz,tflite"])
def test_an_unknown_format_is_refused_with_the_list(format):
    with pytest.raises(ConfigError, match="saved_model, npz, onnx, litert, keras, pytorch, web"):
        options(format=format)


@pytest.mark.parametrize(
    ("given", "users"),
    [({"half": True}, ["npz", "onnx", "web"]), ({"size": 64}, ["litert"])],
    ids=["half", "size"],
)
def test_an_option_that_no_format_uses_is_refused_with_what_uses_it(given, users):
    (name,) = given
    words = f"--{name} has no effect.* add {' or '.join(users)} to --format"
    with pytest.raises(ConfigError, match=words):
        options(format="saved_model,pytorch", **given)
    for user in users:
        assert getattr(options(format=f"keras,{user}", **given), name) == given[name]


@pytest.mark.parametrize("size", [4, 30, 10**5])
def test_a_size_that_no_generator_takes_is_refused(size):
    with pytest.raises(ConfigError, match="--size must be"):
        options(format="litert", size=size)


def test_a_full_model_takes_its_own_size_alone(tmp_path):
    config = runs.config_in(tmp_path, light=False, **SMALL)
    with pytest.raises(ConfigError, match="takes images of 32 pixels only"):
        PHASES["export"].check(config, options(format="litert", size=64))


def test_a_license_is_one_line():
    with pytest.raises(ConfigError, match="one line"):
        options(license="CC\nBY")


@pytest.mark.parametrize("name", FORMATS)
def test_a_missing_package_is_one_line(name, monkeypatch):
    row = FORMATS[name]
    missing = {package.module for package in row.packages}
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in missing else find(name)
    )
    if not missing:
        row.require_packages()
        return
    with pytest.raises(Failure) as error:
        row.require_packages()
    expected = {
        "onnx": "--format onnx needs tf2onnx and onnxruntime: pip install -r requirements-onnx.txt",
        "litert": "--format litert needs ai-edge-litert: pip install -r requirements-litert.txt",
        "web": "--format web needs tf2onnx and onnxruntime: pip install -r requirements-onnx.txt",
    }
    assert str(error.value) == expected[name]


def test_every_package_has_one_exact_version_for_each_python():
    for row in FORMATS.values():
        lines = (
            pathlib.Path(ROOT, f"requirements-{row.extra}.txt").read_text("utf-8").splitlines()
            if row.packages
            else []
        )
        for package in row.packages:
            assert isinstance(package, Package)
            assert [line for line in lines if line.startswith(f"{package.distribution}==")]


def test_onnx_is_refused_on_the_older_stack_with_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.15.1")
    with pytest.raises(Failure, match="needs TensorFlow 2.16 or later.*requirements-onnx.txt"):
        FORMATS["onnx"].check(runs.config_in(tmp_path))


# The comparison


def test_a_difference_is_of_levels():
    zeros = np.zeros([1, 2, 2, 1])
    one = zeros.copy()
    one[0, 0, 0] = 2
    assert difference.between(one, zeros) == Difference(2.0, 0.5)
    assert difference.worst([Difference(2.0, 0.5), Difference(1.0, 0.75)]) == (2.0, 0.75)
    assert difference.worst([]) == (0.0, 0.0)
    one[0, 0, 0] = np.nan
    assert difference.between(one, zeros) == (math.inf, math.inf)
    assert difference.between(one[:, 1:], zeros) == (math.inf, math.inf)


@pytest.mark.parametrize(
    ("limit", "found", "is_allowed"),
    [
        (Limit(), (1.0, 0.9), True),
        (Limit(), (1.1, 0.0), False),
        (Limit(None, 8.0), (90.0, 8.0), True),
        (Limit(None, 8.0), (9.0, 8.1), False),
        (Limit(), (math.inf, math.inf), False),
        (Limit(), (math.nan, math.nan), False),
    ],
)
def test_a_limit_allows_what_is_below_it(limit, found, is_allowed):
    assert limit.allows(Difference(*found)) == is_allowed


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda v: v + 3 / 127.5, "a2b.npz differs from the original by 3, .*at most: largest 1"),
        (lambda values: values[:, 1:], "differs from the original by inf"),
        (lambda values: values * np.nan, "differs from the original by inf"),
    ],
    ids=["other", "shape", "nan"],
)
def test_a_difference_over_a_level_fails_and_leaves_nothing(tmp_path, monkeypatch, wrong, message):
    def outputs_alone(program, folder, inputs, about, runner):
        found = {}
        for (_, direction), (key, values) in zip(about["cases"], inputs.items()):
            out = graph.exact(networks[direction])(values)
            found[f"{key}/translated"] = wrong(out["translated"].numpy())
            found[f"{key}/heatmap"] = out["heatmap"].numpy()
        return found

    config = runs.config_in(tmp_path)
    model = runs.make_run(config)
    networks = {"a2b": model.a2b, "b2a": model.b2a}
    monkeypatch.setattr(comparison, "outputs_alone", outputs_alone)
    with pytest.raises(Failure, match=message):
        runs.run_phase("export", config, format="npz")
    assert runs.bytes_below(config.export_dir) == {}


def test_a_missing_output_fails(tmp_path, monkeypatch):
    config = runs.config_in(tmp_path)
    runs.make_run(config)
    monkeypatch.setattr(comparison, "outputs_alone", lambda *_: {})
    with pytest.raises(Failure, match="a2b.npz gives .*; expected heatmap, translated"):
        runs.run_phase("export", config, format="npz")


def test_a_file_that_cannot_be_loaded_fails_with_the_reason(tmp_path, monkeypatch):
    config = runs.config_in(tmp_path)
    runs.make_run(config)
    monkeypatch.setattr(comparison, "PROGRAM", "raise SystemExit('no such kernel')")
    with pytest.raises(Failure, match="a2b.npz and b2a.npz cannot be used by .*: no such kernel"):
        runs.run_phase("export", config, format="npz")
    assert runs.bytes_below(config.export_dir) == {}


def test_a_process_of_its_own_cannot_import_this_package(tmp_path):
    about = {"cases": [("x", "a2b")], "package": ""}
    with pytest.raises(Failure, match="No module named 'ugatit_tf'"):
        comparison.outputs_alone("import ugatit_tf", str(tmp_path), {}, about, "nobody")


# The files of our own and of Keras


@pytest.fixture(scope="module")
def of_keras(tmp_path_factory):
    root = runs.odd(tmp_path_factory.mktemp("keras"))
    return exported(root, "npz,keras,pytorch", {"license": "CC BY 4.0"}, flavor="pytorch")


def test_what_is_loaded_again_is_the_model_itself(of_keras):
    models = of_keras.about["models"]
    assert [(m["format"], m["file"], m["direction"]) for m in models] == [
        ("npz", "a2b.npz", "a2b"),
        ("npz", "b2a.npz", "b2a"),
        ("keras", "a2b.keras", "a2b"),
        ("keras", "b2a.keras", "b2a"),
        ("pytorch", "tiny_params_0000003.pt", "a2b"),
        ("pytorch", "tiny_params_0000003.pt", "b2a"),
    ]
    for model in models:
        assert [c["shape"] for c in model["compared"]] == [[1, 32, 32, 3], [1, 40, 28, 3]]
        assert all(c["largest"] <= 0.01 for c in model["compared"])
        assert all(c["mean"] <= c["largest"] for c in model["compared"])


def test_the_page_says_what_the_files_are(of_keras):
    about = of_keras.about
    assert about["license"] == "CC BY 4.0"
    assert about["checkpoint"] == "step_0000003"
    assert about["options"]["flavor"] == "pytorch"
    assert about["options"]["ch"] == 4
    assert about["versions"]["numpy"] == np.__version__
    below = runs.bytes_below(of_keras.folder)
    assert {*about["files"], "export.json"} == set(below)
    for name, facts in about["files"].items():
        assert facts["bytes"] == len(below[name])
        assert facts["sha256"] == hashlib.sha256(below[name]).hexdigest()
    (images,) = about["models"][0]["inputs"].values()
    assert "float32 [batch, height, width, 3] in [-1, 1]" in images
    assert str(of_keras.config.export_dir) not in json.dumps(about)  # whose computer it was


def test_a_generator_file_of_an_export_is_read_as_ever(of_keras):
    model = ugatit_tf.load(os.path.join(of_keras.folder, "a2b.npz"))
    x = made.images(SIZE, SIZE, 3)
    expected = of_keras.networks.a2b(x[None]).image.numpy()
    assert_levels(model.translate(x)[None], expected, 0.01)


def test_a_folder_of_generator_files_is_a_model_of_both_directions(of_keras, tmp_path):
    model = ugatit_tf.load(of_keras.folder)
    assert model.directions == ("a2b", "b2a")
    x = made.images(SIZE, SIZE, 3)
    expected = of_keras.networks.b2a(x[None]).image.numpy()
    assert_levels(model.translate(x, direction="b2a")[None], expected, 0.01)


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_generator_files_of_two_models_are_refused(of_keras, tmp_path, direction):
    shutil.copy(os.path.join(of_keras.folder, "a2b.npz"), tmp_path / "a2b.npz")
    other = runs.config_in(tmp_path / "other", ch=2, img_size=8)
    generator_file.save(build_generator(other, "b2a"), other, direction, tmp_path / "b2a.npz")
    with pytest.raises(Failure, match="its generator files are not of one model"):
        ugatit_tf.load(tmp_path)


# ONNX


@pytest.fixture(scope="module", params=["tensorflow", "pytorch", "full", "gray"])
def onnx_export(request, tmp_path_factory):
    for name in ("tf2onnx", "onnxruntime"):
        pytest.importorskip(name)
    config = {
        "full": {"light": False},
        "gray": {"img_ch": 1, "generator_cam": False, "decoder_norm": "gn", "precision": "float16"},
    }.get(request.param, {"flavor": request.param})
    chosen = {"half": True, "license": "CC BY 4.0"}
    return exported(tmp_path_factory.mktemp("onnx"), "onnx", chosen, **config)


def session(case, file):
    import onnxruntime

    path = os.path.join(case.folder, file)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_an_onnx_file_has_operators_that_browsers_have_on_webgpu(onnx_export):
    import onnx

    for name in ("a2b.onnx", "a2b_float16.onnx"):
        model = onnx.load(os.path.join(onnx_export.folder, name))
        onnx.checker.check_model(model, full_check=True)
        found = {node.op_type for node in model.graph.node}
        assert found - WEBGPU == set()
        assert {node.domain for node in model.graph.node} == {""}
        assert {o.domain: o.version for o in model.opset_import}[""] == onnx_file.OPSET
        assert {p.key: p.value for p in model.metadata_props}["license"] == "CC BY 4.0"


def test_the_sizes_of_an_onnx_file_are_named(onnx_export):
    config = onnx_export.config
    inputs = session(onnx_export, "a2b.onnx").get_inputs()
    sides = ["height", "width"] if config.any_size else [SIZE, SIZE]
    assert [(i.name, i.type, i.shape) for i in inputs] == [
        ("images", "tensor(float)", ["batch", *sides, config.img_ch])
    ]


@pytest.mark.parametrize(("file", "most"), [("a2b.onnx", 0.01), ("a2b_float16.onnx", 2)])
@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 8, 8), (2, 16, 44)])
def test_an_onnx_file_computes_what_the_model_computes(onnx_export, shape, file, most):
    config = onnx_export.config
    if not config.any_size:
        shape = shape[0], SIZE, SIZE
    x = made.images(*shape, config.img_ch)
    runner = session(onnx_export, file)
    names = [output.name for output in runner.get_outputs()]
    found = dict(zip(names, runner.run(names, {"images": x})))
    # A file computes in float32, whatever the precision of the run was.
    expected = graph.exact(graph.in_float32(onnx_export.networks.a2b, config))(x)
    assert set(found) == set(expected)
    assert_levels(found["translated"], expected["translated"].numpy(), most)
    if "heatmap" in found:
        assert found["heatmap"].shape == (shape[0], shape[1] // 4, shape[2] // 4)
        assert (found["heatmap"].min(), found["heatmap"].max()) == (0, pytest.approx(1))


def test_float16_weights_are_shorter_and_say_so(onnx_export):
    sizes = [onnx_export.about["files"][f"a2b{end}.onnx"]["bytes"] for end in ("", "_float16")]
    assert sizes[1] < sizes[0]
    weights = {m["file"]: m["weights"] for m in onnx_export.about["models"]}
    assert weights["a2b.onnx"] == "float32"
    assert weights["a2b_float16.onnx"] == "float16"


# LiteRT


@pytest.fixture(scope="module", params=["tensorflow", "pytorch", "full"])
def litert_export(request, tmp_path_factory):
    pytest.importorskip("ai_edge_litert")
    config = {"light": False} if request.param == "full" else {"flavor": request.param}
    chosen = {"size": 48} if request.param != "full" else {}
    return exported(tmp_path_factory.mktemp("litert"), "litert", chosen, **config)


def interpreter(case, file):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_path=os.path.join(case.folder, file))


ENDINGS = ("", "_float16", "_int8")


def test_litert_files_are_of_one_size_and_of_operations_of_litert(litert_export):
    size = 48 if litert_export.config.light else SIZE
    files = {f"{d}{end}.tflite" for d in ("a2b", "b2a") for end in ENDINGS}
    assert files == set(litert_export.about["files"])
    for file in files:
        loaded = interpreter(litert_export, file)
        (given,) = loaded.get_input_details()
        assert given["shape"].tolist() == [1, size, size, 3]
        assert given["dtype"] == np.float32
        names = loaded.get_signature_list()["translate"]
        assert names == {"inputs": ["images"], "outputs": ["heatmap", "translated"]}
        operations = {details["op_name"] for details in loaded._get_ops_details()}
        assert not [name for name in operations if "Flex" in name or "CUSTOM" in name.upper()]


def test_litert_files_compute_what_the_model_computes(litert_export):
    config = litert_export.config
    takes_other_sizes = config.light and config.flavor == "tensorflow"
    for model in litert_export.about["models"]:
        most = {"float32": 0.01, "float16": 2, "int8": math.inf}[model["weights"]]
        assert len(model["compared"]) == (2 if takes_other_sizes else 1)
        for compared in model["compared"]:
            assert compared["largest"] <= most
            assert compared["mean"] <= 8
    side = 24 if takes_other_sizes else 48 if config.light else SIZE
    x = made.images(1, side, side, 3)
    runner = interpreter(litert_export, "a2b.tflite").get_signature_runner("translate")
    expected = graph.exact(litert_export.networks.a2b)(x)
    assert_levels(runner(images=x)["translated"], expected["translated"].numpy(), 0.01)


def test_the_converter_says_nothing_on_the_terminal(tmp_path):
    pytest.importorskip("ai_edge_litert")
    config = runs.config_in(tmp_path)
    runs.make_run(config)
    main = os.path.join(ROOT, "main.py")
    words = ["--phase", "export", "--dataset", "tiny", "--format", "litert"]
    done = subprocess.run(
        [sys.executable, main, *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout.count("largest difference from the original") == 6


def test_the_benchmark_runs_every_file():
    for name in ("tf2onnx", "onnxruntime", "ai_edge_litert"):
        pytest.importorskip(name)
    words = ["--sizes", "32", "--ch", "4", "--rounds", "1", "--threads", "1"]
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.formats", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for file in ("a2b.onnx", "a2b_float16.onnx", "a2b.tflite", "a2b_int8.tflite", "a2b.keras"):
        assert f"\n{file} | " in told
