"""The official checkpoint: made here by its names in SPEC, read strictly."""

import numpy as np
import pytest
import tensorflow as tf

from tests import made, official
from ugatit_tf.interchange import official_tf
from ugatit_tf.interchange.mapping import MappingError, assign
from ugatit_tf.networks.model import build_model
from ugatit_tf.training.optimizer import Adam

ARCHITECTURES = {
    "light": {"light": True},
    "full": {"light": False, "img_size": 16},
    "grey, deeper": {"img_ch": 1, "n_res": 2, "n_dis": 4, "img_size": 24},
    "without sn": {"sn": False},
}
PAIRS = {  # written by hand, one of every kind
    "a2b/stem/convolution/kernel": "generator_B/conv/conv2d/kernel",
    "b2a/stem/norm/gamma": "generator_A/ins_norm/gamma",
    "a2b/down/1/convolution/bias": "generator_B/conv_1/conv2d/bias",
    "a2b/down/0/norm/beta": "generator_B/ins_norm_0/beta",
    "a2b/residual/1/convolution_2/kernel": "generator_B/resblock_1/res2/conv_0/conv2d/kernel",
    "b2a/residual/0/norm_1/beta": "generator_A/resblock_0/res1/instance_norm/beta",
    "b2a/cam/kernel": "generator_A/CAM_logit/kernel",
    "b2a/cam/mixer/bias": "generator_A/conv_1x1/conv2d/bias",
    "a2b/mlp/1/kernel": "generator_B/MLP/linear_1/dense/kernel",
    "a2b/gamma_head/bias": "generator_B/MLP/gamma/dense/bias",
    "a2b/beta_head/kernel": "generator_B/MLP/beta/dense/kernel",
    "a2b/adaptive/1/convolution_1/bias": "generator_B/adaptive_resblock1/res1/conv_0/conv2d/bias",
    "a2b/adaptive/0/norm_2/rho": "generator_B/adaptive_resblock0/res2/instance_layer_norm/rho",
    "a2b/up/0/convolution/kernel": "generator_B/up_conv_0/conv2d/kernel",
    "a2b/up/1/norm/rho": "generator_B/layer_ins_norm_1/rho",
    "b2a/to_image/kernel": "generator_A/G_logit/conv2d/kernel",
    "discriminator_a/local_network/convolutions/0/u": "discriminator_A/local/conv_0/u",
    "discriminator_b/global_network/last/kernel": "discriminator_B/global/conv_last/kernel",
    "discriminator_b/local_network/cam/u": "discriminator_B/local/CAM_logit/u",
    "discriminator_a/local_network/cam/mixer/bias": "discriminator_A/local/conv_1x1/conv2d/bias",
    "discriminator_a/global_network/to_logit/bias": "discriminator_A/global/D_logit/bias",
}


def optimizers_of(model):
    groups = model.generator_weights(), model.discriminator_weights()
    return tuple(
        Adam({path: w for path, w in group.items() if not path.endswith("/u")}) for group in groups
    )


@pytest.fixture(scope="module")
def model():
    return build_model(made.tiny_config())


@pytest.fixture
def arrays():
    return official.arrays(made.tiny_config())


@pytest.mark.parametrize(("ours", "theirs"), PAIRS.items())
def test_our_paths_have_official_names(ours, theirs):
    assert official_tf.official_name(ours, sn=True) == theirs


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("convolutions/1/kernel", "conv_1/conv2d/kernel"),
        ("last/bias", "conv_last/conv2d/bias"),
        ("to_logit/kernel", "D_logit/conv2d/kernel"),
        ("cam/kernel", "CAM_logit/kernel"),
        ("cam/mixer/kernel", "conv_1x1/conv2d/kernel"),
    ],
)
def test_a_layer_without_spectral_normalization_has_a_further_scope(ours, theirs):
    found = official_tf.official_name(f"discriminator_b/local_network/{ours}", sn=False)
    assert found == f"discriminator_B/local/{theirs}"


@pytest.mark.parametrize("case", ARCHITECTURES)
def test_every_variable_goes_to_its_weight(case, tmp_path):
    config = made.tiny_config(**ARCHITECTURES[case])
    model, arrays = build_model(config), official.arrays(config)
    official_tf.restore(model, official.write(tmp_path / "UGATIT.model-7", arrays))
    weights = made.arrays(model.weights())
    assert len(weights) == len(arrays)
    for path, array in weights.items():
        expected = arrays[official_tf.official_name(path, sn=config.sn)]
        np.testing.assert_array_equal(array, expected, err_msg=path)


@pytest.mark.parametrize("case", ARCHITECTURES)
def test_the_architecture_is_read_from_the_shapes(case, tmp_path):
    config = made.tiny_config(**ARCHITECTURES[case])
    found = official_tf.architecture(
        official.write(tmp_path / "model-1", official.arrays(config, slots=True))
    )
    expected = {k: v for k, v in config.architecture().items() if k != "smoothing"}
    assert found == expected
    assert made.tiny_config(**{"img_size": config.img_size, **found}) == config


def test_slots_are_taken_where_optimizers_are_given(model, tmp_path):
    arrays = official.arrays(made.tiny_config(), slots=True)
    optimizers = optimizers_of(model)
    official_tf.restore(model, official.write(tmp_path / "model-1", arrays), optimizers)
    for optimizer, suffix in zip(optimizers, ("", "_1")):
        np.testing.assert_array_equal(optimizer.beta_1_power, arrays[f"beta1_power{suffix}"])
        np.testing.assert_array_equal(optimizer.beta_2_power, arrays[f"beta2_power{suffix}"])
        for path, weight in optimizer.weights.items():
            name = official_tf.official_name(path, sn=True)
            np.testing.assert_array_equal(weight, arrays[name], err_msg=path)
            np.testing.assert_array_equal(optimizer.m[path], arrays[f"{name}/Adam"], err_msg=path)
            np.testing.assert_array_equal(optimizer.v[path], arrays[f"{name}/Adam_1"], err_msg=path)


def test_slots_are_left_alone_without_optimizers(model, tmp_path):
    arrays = official.arrays(made.tiny_config(), slots=True)
    official_tf.restore(model, official.write(tmp_path / "model-1", arrays))
    kernel = model.weights()["a2b/stem/convolution/kernel"]
    np.testing.assert_array_equal(kernel, arrays["generator_B/conv/conv2d/kernel"])


def test_a_checkpoint_without_slots_leaves_the_optimizers_alone(model, arrays, tmp_path):
    optimizers = optimizers_of(model)
    official_tf.restore(model, official.write(tmp_path / "model-1", arrays), optimizers)
    assert optimizers[0].beta_1_power.numpy() == 0.5
    assert all((slot.numpy() == 0).all() for slot in optimizers[1].m.values())


def test_a_missing_slot_is_named(model, tmp_path):
    arrays = official.arrays(made.tiny_config(), slots=True)
    del arrays["generator_A/CAM_logit/bias/Adam_1"]
    with pytest.raises(MappingError, match="missing: generator_A/CAM_logit/bias/Adam_1"):
        official_tf.restore(model, official.write(tmp_path / "m-1", arrays), optimizers_of(model))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda a: a.pop("generator_B/MLP/gamma/dense/bias"),
            r"missing: generator_B/MLP/gamma/dense/bias\.",
        ),
        (
            lambda a: a.update({"generator_B/extra": np.float32([1])}),
            r"left over: generator_B/extra\.",
        ),
        (
            lambda a: a.update({"generator_A/ins_norm/beta": np.float32([1, 2, 3])}),
            r"of another shape: generator_A/ins_norm/beta is \[3\], expected \[2\]\.",
        ),
        (
            lambda a: a.update(
                {"generator_A/conv_0/conv2d/kernel": np.zeros([3, 3, 4, 2], np.float32)}
            ),
            r"is \[3, 3, 4, 2\], expected \[3, 3, 2, 4\]",
        ),
    ],
    ids=["missing", "left over", "of another length", "transposed"],
)
def test_what_does_not_fit_is_named_and_nothing_is_loaded(change, message, model, arrays, tmp_path):
    change(arrays)
    before = made.arrays(model.weights())
    with pytest.raises(MappingError, match=message):
        official_tf.restore(model, official.write(tmp_path / "model-1", arrays))
    for path, array in made.arrays(model.weights()).items():
        np.testing.assert_array_equal(array, before[path], err_msg=path)


def test_a_long_list_of_misfits_is_cut(model, tmp_path):
    arrays = official.arrays(made.tiny_config(n_res=2))
    with pytest.raises(MappingError, match=r"left over: .* and 23 more"):
        official_tf.restore(model, official.write(tmp_path / "model-1", arrays))


def test_all_problems_are_named_at_once(model, arrays, tmp_path):
    del arrays["generator_A/CAM_logit/bias"]
    arrays["stray"] = np.float32([1])
    with pytest.raises(MappingError, match="missing: generator_A/CAM_logit/bias; left over: stray"):
        official_tf.restore(model, official.write(tmp_path / "model-1", arrays))


def test_axes_of_length_1_may_differ():
    weight = tf.Variable(np.zeros([3, 1], np.float32))
    assign({"w": weight}, {"foreign": np.float32([1, 2, 3])}, lambda _: "foreign", source="here")
    np.testing.assert_array_equal(weight, [[1], [2], [3]])


@pytest.mark.parametrize("read", [official_tf.read, official_tf.architecture])
def test_no_checkpoint_is_a_file_not_found(read, tmp_path):
    with pytest.raises(FileNotFoundError, match="No TensorFlow checkpoint at .*model-3"):
        read(tmp_path / "model-3")


def test_something_else_is_not_a_checkpoint(tmp_path):
    (tmp_path / "model-3.index").write_text("not a table")
    with pytest.raises(FileNotFoundError, match="No TensorFlow checkpoint"):
        official_tf.read(tmp_path / "model-3")


def test_restoring_from_nowhere_is_a_file_not_found(model, tmp_path):
    with pytest.raises(FileNotFoundError):
        official_tf.restore(model, tmp_path / "model-3")


def test_a_checkpoint_of_another_program_has_no_architecture(tmp_path):
    prefix = official.write(
        tmp_path / "other-1", {"resnet/conv1/kernel": np.zeros([3, 3], np.float32)}
    )
    with pytest.raises(MappingError, match="not a checkpoint of the official U-GAT-IT program"):
        official_tf.architecture(prefix)


def test_networks_that_an_official_checkpoint_cannot_hold_are_refused(tmp_path):
    prefix = official.write(tmp_path / "model-1", {"x": np.zeros(9, np.float32)})
    official_tf.check_room(prefix, 9)
    with pytest.raises(MappingError, match="at most 9 numbers, and by its own names and shapes"):
        official_tf.check_room(prefix, 10)


def test_a_path_outside_the_table_is_refused():
    with pytest.raises(MappingError, match="lacks a2b/new_layer/kernel"):
        official_tf.official_name("a2b/new_layer/kernel", sn=True)
