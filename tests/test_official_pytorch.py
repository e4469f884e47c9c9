"""The checkpoint of the official PyTorch program: names, layouts, and what does not fit."""

import os
import pathlib
import pickle
import re
import sys
import types

import numpy as np
import pytest

import main
from tests import made, official, runs
from ugatit_tf.errors import Failure
from ugatit_tf.interchange import official_pytorch, torch_file, torch_writer
from ugatit_tf.interchange.mapping import MappingError
from ugatit_tf.networks.model import build_generator, build_model

ARCHITECTURES = {
    "light": {},
    "full": {"light": False, "img_size": 16},
    "grey, deeper": {"img_ch": 1, "ch": 3, "n_res": 2, "n_dis": 5, "img_size": 48},
    "full, larger": {"light": False, "ch": 1, "n_res": 3, "n_dis": 4, "img_size": 24},
    "without sn": {"sn": False},
}
PAIRS = {  # written by hand, one of every kind, with the order of axes of kernels
    "a2b/stem/convolution/kernel": "genA2B.DownBlock.1.weight",
    "b2a/down/0/convolution/kernel": "genB2A.DownBlock.5.weight",
    "b2a/down/1/convolution/kernel": "genB2A.DownBlock.9.weight",
    "a2b/residual/0/convolution_1/kernel": "genA2B.DownBlock.12.conv_block.1.weight",
    "a2b/residual/1/convolution_2/kernel": "genA2B.DownBlock.13.conv_block.5.weight",
    "a2b/cam/mixer/kernel": "genA2B.conv1x1.weight",
    "b2a/adaptive/1/convolution_2/kernel": "genB2A.UpBlock1_2.conv2.weight",
    "b2a/up/0/convolution/kernel": "genB2A.UpBlock2.2.weight",
    "b2a/up/1/convolution/kernel": "genB2A.UpBlock2.7.weight",
    "a2b/to_image/kernel": "genA2B.UpBlock2.11.weight",
    "discriminator_a/global_network/convolutions/0/kernel": "disGA.model.1.weight_orig",
    "discriminator_b/global_network/last/kernel": "disGB.model.13.weight_orig",
    "discriminator_a/local_network/last/kernel": "disLA.model.7.weight_orig",
    "discriminator_b/local_network/to_logit/kernel": "disLB.conv.weight_orig",
}
VECTORS = {  # those whose order stays, but for axes of length 1; of matrices the order is turned
    "a2b/cam/kernel": "genA2B.gap_fc.weight",
    "a2b/cam/maximum_head/kernel": "genA2B.gmp_fc.weight",
    "b2a/cam/mixer/bias": "genB2A.conv1x1.bias",
    "a2b/adaptive/1/norm_1/rho": "genA2B.UpBlock1_2.norm1.rho",
    "b2a/up/0/norm/gamma": "genB2A.UpBlock2.3.gamma",
    "b2a/up/1/norm/beta": "genB2A.UpBlock2.8.beta",
    "discriminator_b/global_network/convolutions/3/bias": "disGB.model.10.bias",
    "discriminator_b/global_network/convolutions/3/u": "disGB.model.10.weight_u",
    "discriminator_a/local_network/cam/maximum_head/kernel": "disLA.gmp_fc.weight_orig",
    "discriminator_a/local_network/cam/v": "disLA.gap_fc.weight_v",
}
MATRICES = {
    "a2b/mlp/1/kernel": "genA2B.FC.2.weight",
    "b2a/gamma_head/kernel": "genB2A.gamma.weight",
    "b2a/beta_head/kernel": "genB2A.beta.weight",
}


def config_of(**options):
    return made.tiny_config(**{"img_ch": 3, "flavor": "pytorch", **options})


def write(path, state):
    torch_writer.write(str(path), state)
    return str(path)


def flat(state):
    return {f"{network}.{k}": v for network, named in state.items() for k, v in named.items()}


@pytest.fixture(scope="module")
def model():
    return build_model(config_of())


@pytest.fixture
def state():
    return official.state_dicts(config_of())


def assert_holds(model, state):
    """Whether the model gives back exactly these tensors."""
    weights = model.weights()
    tensors = official_pytorch.tensors_of(weights)
    arrays = flat(state)
    assert sorted(tensor.path for tensor in tensors.values()) == sorted(arrays)
    for ours, tensor in tensors.items():
        found = tensor.from_ours(weights[ours].numpy())
        np.testing.assert_array_equal(found, np.float32(arrays[tensor.path]), err_msg=ours)


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """(weights, tensors) of a model with one layer of every kind, restored from a file."""
    config = config_of(**{**ARCHITECTURES["grey, deeper"], "img_ch": 3})
    state = official.state_dicts(config)
    model = build_model(config)
    official_pytorch.restore(model, write(tmp_path_factory.mktemp("deep") / "x.pt", state))
    return made.arrays(model.weights()), flat(state)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS.items())
def test_a_kernel_goes_to_its_layer_with_its_axes_in_our_order(ours, theirs, deep):
    weights, tensors = deep
    np.testing.assert_array_equal(weights[ours], tensors[theirs].transpose(2, 3, 1, 0))


@pytest.mark.parametrize(("ours", "theirs"), VECTORS.items())
def test_a_vector_goes_to_its_layer(ours, theirs, deep):
    weights, tensors = deep
    np.testing.assert_array_equal(weights[ours].ravel(), tensors[theirs].ravel())


@pytest.mark.parametrize(("ours", "theirs"), MATRICES.items())
def test_a_matrix_goes_to_its_layer_turned(ours, theirs, deep):
    weights, tensors = deep
    np.testing.assert_array_equal(weights[ours], tensors[theirs].T)


def test_the_rows_of_v_are_ordered_by_channel_there_and_by_place_here(deep):
    weights, tensors = deep
    v = weights["discriminator_a/global_network/convolutions/1/v"][0]
    theirs = tensors["disGA.model.4.weight_v"]
    channels = theirs.size // 16
    for channel, row, column in np.ndindex(channels, 4, 4):
        assert v[(row * 4 + column) * channels + channel] == theirs[channel * 16 + row * 4 + column]


def test_the_features_of_the_full_mlp_are_ordered_likewise(tmp_path):
    config = config_of(**ARCHITECTURES["full"])
    state = official.state_dicts(config)
    model = build_model(config)
    official_pytorch.restore(model, write(tmp_path / "x.pt", state))
    ours = model.weights()["a2b/mlp/0/kernel"].numpy()
    theirs = state["genA2B"]["FC.0.weight"]
    for channel, row, column in np.ndindex(8, 4, 4):
        there = theirs[:, channel * 16 + row * 4 + column]
        np.testing.assert_array_equal(ours[(row * 4 + column) * 8 + channel], there)


@pytest.mark.parametrize("case", ARCHITECTURES)
def test_what_is_written_is_what_the_program_has_and_comes_back(case, tmp_path):
    config = config_of(**ARCHITECTURES[case])
    model, other = build_model(config), build_model(config_of(**ARCHITECTURES[case], seed=1))
    made.fill(model.weights())
    path = str(tmp_path / "x_params_0000007.pt")
    official_pytorch.write(path, model)
    read = torch_file.read(path)
    expected = official.state_dicts(config)
    assert list(read) == list(expected)
    for network, named in expected.items():
        assert {k: v.shape for k, v in read[network].items()} == {
            k: v.shape for k, v in named.items()
        }
        assert {v.dtype for v in read[network].values()} == {np.dtype("float32")}
    official_pytorch.restore(other, path)
    weights = made.arrays(model.weights())
    for name, array in made.arrays(other.weights()).items():
        np.testing.assert_array_equal(array, weights[name], err_msg=name)


@pytest.mark.parametrize("case", ARCHITECTURES)
def test_the_architecture_is_read_from_the_shapes(case, tmp_path):
    config = config_of(**ARCHITECTURES[case])
    source = official_pytorch.find(write(tmp_path / "x.pt", official.state_dicts(config)))
    assert source.architecture == config.architecture()
    assert source.lone_generators == ()


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("face_params_0100000.pt", 100_000),
        ("face_params_latest.pt", None),
        ("x_params_5.pth", 5),
        ("0100000.pt", None),
    ],
)
def test_the_step_is_in_the_name(name, step, state, tmp_path):
    assert official_pytorch.find(write(tmp_path / name, state)).step == step


def renamed(change):
    return lambda state: {
        network: {change(name): array for name, array in named.items()}
        for network, named in state.items()
    }


def halved(state):
    return {
        network: {name: np.float16(array) for name, array in named.items()}
        for network, named in state.items()
    }


SPELLINGS = {
    "module": renamed(lambda name: f"module.{name}"),
    "flat": flat,
    "flat module": lambda state: {f"module.{name}": array for name, array in flat(state).items()},
}


@pytest.mark.parametrize("case", SPELLINGS)
def test_names_as_people_keep_them_are_understood(case, state, model, tmp_path):
    official_pytorch.restore(model, write(tmp_path / "x.pt", SPELLINGS[case](state)))
    assert_holds(model, state)


def test_half_numbers_become_float32(state, model, tmp_path):
    official_pytorch.restore(model, write(tmp_path / "x.pt", halved(state)))
    assert_holds(model, halved(state))


def test_flat_safetensors_are_understood(state, model, tmp_path, monkeypatch):
    module = types.ModuleType("safetensors")
    module.SafetensorError = type("SafetensorError", (Exception,), {})
    module.deserialize = lambda content: [
        (name, {"dtype": "F32", "shape": list(array.shape), "data": bytearray(array.tobytes())})
        for name, array in flat(state).items()
    ]
    monkeypatch.setitem(sys.modules, "safetensors", module)
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    official_pytorch.restore(model, path)
    assert_holds(model, state)


def without(network, name):
    def change(state):
        del state[network][name]

    return change


def put(network, name, array):
    def change(state):
        state[network][name] = array

    return change


MISFITS = {
    "missing": (without("disLA", "conv1x1.bias"), "missing: disLA.conv1x1.bias"),
    "left over": (put("genB2A", "x.weight", np.zeros(3)), "left over: genB2A.x.weight"),
    "of another shape": (
        put("disGB", "model.1.bias", np.zeros(3)),
        r"of another shape: disGB.model.1.bias is \[3\], expected \[2\]",
    ),
    "turned": (
        put("genA2B", "DownBlock.5.weight", np.zeros([2, 4, 3, 3])),
        r"genA2B.DownBlock.5.weight is \[2, 4, 3, 3\], expected \[4, 2, 3, 3\]",
    ),
    "whole numbers": (
        put("genB2A", "conv1x1.bias", np.zeros(8, np.int64)),
        "of another type: genB2A.conv1x1.bias is int64",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_what_does_not_fit_is_named_and_nothing_is_loaded(case, state, tmp_path):
    change, message = MISFITS[case]
    change(state)
    model = build_model(config_of())
    before = made.arrays(model.weights())
    with pytest.raises(MappingError, match=message):
        official_pytorch.restore(model, write(tmp_path / "x.pt", state))
    for name, array in made.arrays(model.weights()).items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_several_problems_are_named_at_once(state, model, tmp_path):
    for case in ("missing", "left over", "of another shape"):
        MISFITS[case][0](state)
    with pytest.raises(MappingError) as caught:
        official_pytorch.restore(model, write(tmp_path / "x.pt", state))
    assert all(re.search(MISFITS[case][1], str(caught.value)) for case in list(MISFITS)[:3])


@pytest.mark.parametrize("missing", ["disGB", "genA2B"])
def test_five_of_six_networks_are_refused_with_the_sixth_named(missing, state, tmp_path):
    del state[missing]
    with pytest.raises(MappingError, match=f"lacks {missing}. Expected genA2B, genB2A, disGA"):
        official_pytorch.find(write(tmp_path / "x.pt", state))


LONE = {  # file name, content -> directions
    "a state_dict": ("genA2B.pt", lambda state: state["genA2B"], ("a2b",)),
    "named for the other": ("my_b2a.pt", lambda state: state["genB2A"], ("b2a",)),
    "of module": (
        "x.pt",
        lambda state: renamed(lambda name: f"module.{name}")(state)["genA2B"],
        ("a2b",),
    ),
    "nested": ("x.pt", lambda state: {"genB2A": state["genB2A"]}, ("b2a",)),
    "both": ("x.pt", lambda state: {k: state[k] for k in ("genB2A", "genA2B")}, ("a2b", "b2a")),
}


@pytest.mark.parametrize("case", LONE)
def test_generators_alone_are_restored(case, state, tmp_path):
    name, content, directions = LONE[case]
    source = official_pytorch.find(write(tmp_path / name, content(state)))
    assert source.lone_generators == directions
    assert "n_dis" not in source.architecture
    for direction in directions:
        generator = build_generator(config_of(**source.architecture), direction)
        source.restore_generator(generator)
        theirs = state[f"gen{direction[0].upper()}2{direction[-1].upper()}"]
        kernel = made.raw(generator.to_image.kernel).numpy()
        np.testing.assert_array_equal(kernel, theirs["UpBlock2.11.weight"].transpose(2, 3, 1, 0))


def test_a_layer_that_the_program_does_not_have_is_named():
    model = build_model(config_of(decoder_norm="in"))
    with pytest.raises(MappingError, match="has no layer fixed/0/"):
        official_pytorch.tensors_of(model.weights())


class Hostile:
    def __reduce__(self):
        return (os.mkdir, ("executed",))


def whole(tmp_path):
    with open(write(tmp_path / "whole.pt", official.state_dicts(config_of())), "rb") as file:
        return file.read()


UNUSABLE = {
    "empty": (lambda tmp_path: b"", "neither a zip archive nor a pickle"),
    "text": (lambda tmp_path: b"no tensors at all\n", "neither a zip archive nor a pickle"),
    "cut off": (lambda tmp_path: whole(tmp_path)[:5000], ""),
    "hostile": (lambda tmp_path: pickle.dumps(Hostile()), ""),
    "damaged": (lambda tmp_path: whole(tmp_path).replace(b"DownBlock.1.weight", b"D" * 18, 1), ""),
    "of another network": (
        lambda tmp_path: pathlib.Path(
            write(tmp_path / "o.pt", {"fc.weight": np.zeros([2, 2])})
        ).read_bytes(),
        "is not a checkpoint of the official PyTorch program",
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_file_that_cannot_be_used_is_one_line_and_leaves_no_run(
    case, tmp_path, monkeypatch, capsys
):
    content, words = UNUSABLE[case]
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "x_params_0000001.pt"
    path.write_bytes(content(tmp_path))
    monkeypatch.chdir(tmp_path / "in")
    argv = ["--phase", "import", "--official_checkpoint", path.name, "--img_size", "8"]
    before = runs.bytes_below(".")
    assert main.main([*argv, "--dataset", "tiny"]) == 1
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert out == ""
    assert path.name in line and words in line
    assert runs.bytes_below(".") == before
    assert os.listdir(".") == [path.name]


@pytest.mark.parametrize("lone", [False, True])
def test_shapes_of_networks_larger_than_the_file_are_refused_before_any_is_built(
    lone, state, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    state["genA2B"]["DownBlock.1.weight"] = np.zeros([4000, 3, 1, 1], np.float32)
    write("x.pt", state["genA2B"] if lone else state)
    argv = ["--phase", "import", "--official_checkpoint", "x.pt", "--img_size", "8"]
    assert main.main([*argv, "--n_dis", "2", "--dataset", "tiny"]) == 1
    assert "x.pt is damaged: its shapes are of networks with" in capsys.readouterr().err
    assert os.listdir(".") == ["x.pt"]


def test_failures_of_reading_are_failures(tmp_path):
    with pytest.raises(FileNotFoundError):
        official_pytorch.find(str(tmp_path / "none.pt"))
    (tmp_path / "x.pt").write_bytes(b"?")
    with pytest.raises(Failure):
        official_pytorch.find(str(tmp_path / "x.pt"))
