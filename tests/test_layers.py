"""One table of all layers, and the properties that each must have."""

import inspect

import numpy as np
import pytest
import tensorflow as tf

from tests import made
from tests.tolerances import TOLERANCE
from ugatit_tf import layers
from ugatit_tf.layers.weights import roles_of
from ugatit_tf.networks.discriminator import Discriminator, PatchNetwork
from ugatit_tf.networks.generator import Generator

X = made.images(2, 12, 12, 3)
STYLE = made.numbers(2, 3, seed=1), made.numbers(2, 3, seed=2)

FLOAT32, AGAIN = {"precision": "float32"}, {"recompute": True}  # others: test_precision.py
PLAIN, FLAVOR = {"bias": False, "start": "uniform"}, {"flavor": "pytorch"}
SPECTRAL = {"spectral_norm": True, "stores_v": True}
IN_BLOCK = {"convolution_options": PLAIN, "norm_options": {"affine": False}}

# name -> (class, options that are not the defaults, inputs, shape of the first output)
TABLE = {
    "CAM": (
        layers.CAM,
        {"heads": 2, "raw_attention": True, **SPECTRAL, **PLAIN},
        [X],
        [2, 12, 12, 3],
    ),
    "LIN": (
        layers.LIN,
        {"rho": 0.25, "epsilon": 1e-3, "affine": False, "unbiased": True},
        [X],
        [2, 12, 12, 3],
    ),
    "AdaLIN": (
        layers.AdaLIN,
        {"rho": 0.5, "smoothing": False, "epsilon": 1e-3, "unbiased": True},
        [X, *STYLE],
        [2, 12, 12, 3],
    ),
    "AdaIN": (layers.AdaIN, {"epsilon": 1e-3}, [X, *STYLE], [2, 12, 12, 3]),
    "AdaptiveResidualBlock": (
        layers.AdaptiveResidualBlock,
        {
            "channels": 3,
            "norm": "adalin",
            "convolution_options": PLAIN,
            "norm_options": {"smoothing": False},
        },
        [X, *STYLE],
        [2, 12, 12, 3],
    ),
    "Convolution": (
        layers.Convolution,
        {"channels": 5, "kernel_size": 4, "stride": 2, "padding": (2, 0), **SPECTRAL, **PLAIN},
        [X],
        [2, 6, 6, 5],
    ),
    "ConvolutionBlock": (
        layers.ConvolutionBlock,
        {"channels": 5, "kernel_size": 3, "stride": 2, "padding": 1, **IN_BLOCK},
        [X],
        [2, 6, 6, 5],
    ),
    "GroupNormalization": (
        layers.GroupNormalization,
        {"groups": 1, "epsilon": 1e-3, "affine": False},
        [X],
        [2, 12, 12, 3],
    ),
    "InstanceNormalization": (
        layers.InstanceNormalization,
        {"epsilon": 1e-3, "affine": False},
        [X],
        [2, 12, 12, 3],
    ),
    "ResidualBlock": (
        layers.ResidualBlock,
        {"channels": 3, "norm": "lin", **IN_BLOCK},
        [X],
        [2, 12, 12, 3],
    ),
    "UpsampleBlock": (
        layers.UpsampleBlock,
        {"channels": 5, "norm": "lin", **IN_BLOCK},
        [X],
        [2, 24, 24, 5],
    ),
    "UpsampleConvolution": (
        layers.UpsampleConvolution,
        {"channels": 5, **PLAIN},
        [X],
        [2, 24, 24, 5],
    ),
    "PatchNetwork": (
        PatchNetwork,
        {"ch": 2, "depth": 1, "spectral_norm": True, "cam": True, **FLAVOR, **FLOAT32},
        [X],
        [2, 1, 1, 1],
    ),
    "Discriminator": (
        Discriminator,
        {"ch": 2, "n_dis": 3, "sn": False, "cam": True, "flavor": "tensorflow", **FLOAT32},
        [X],
        [2, 6, 6, 1],
    ),
    "Generator": (
        Generator,
        {
            "ch": 1,
            "n_res": 2,
            "img_ch": 1,
            "light": True,
            "smoothing": False,
            "norm": "adain",
            "cam": True,
            **FLAVOR,
            **FLOAT32,
            **AGAIN,
        },
        [X[..., :1]],
        [2, 12, 12, 1],
    ),
}
DECIDED = {"AdaIN": {"affine"}, "AdaLIN": {"affine"}}  # arguments of bases, given by the class
each_layer = pytest.mark.parametrize("name", TABLE)


def built(name):
    kind, options, inputs, _ = TABLE[name]
    layer = kind(**options)
    layer(*inputs)
    return layer, made.filled(layer), inputs


def test_every_public_layer_is_in_the_table():
    public = {name for name, value in vars(layers).items() if inspect.isclass(value)}
    assert public == set(layers.__all__)
    assert public <= set(TABLE)
    assert all(TABLE[name][0] is getattr(layers, name) for name in public)


@each_layer
def test_the_output_has_its_shape(name):
    layer, _, inputs = built(name)
    assert tf.nest.flatten(layer(*inputs))[0].shape == TABLE[name][3]


@each_layer
def test_a_graph_computes_what_eager_mode_does(name):
    layer, _, inputs = built(name)
    inputs = [tf.constant(x) for x in inputs]
    outputs = zip(tf.nest.flatten(layer(*inputs)), tf.nest.flatten(tf.function(layer)(*inputs)))
    for eager, graph in outputs:
        np.testing.assert_allclose(eager, graph, **TOLERANCE["float32"])


@each_layer
def test_a_config_makes_the_same_layer_again(name):
    layer, weights, inputs = built(name)
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config
    again(*inputs)
    twins = made.named_weights(again)
    assert set(twins) == set(weights)
    for path, weight in twins.items():
        weight.assign(weights[path])
    for first, second in zip(tf.nest.flatten(layer(*inputs)), tf.nest.flatten(again(*inputs))):
        np.testing.assert_array_equal(first, second)


@each_layer
def test_a_config_holds_every_option(name):
    kind, options, _, _ = TABLE[name]
    config = kind(**options).get_config()
    assert {option: config[option] for option in options} == options
    arguments = {
        argument.name
        for owner in kind.__mro__
        if owner.__module__.startswith("ugatit_tf") and "__init__" in vars(owner)
        for argument in inspect.signature(owner.__init__).parameters.values()
        if argument.kind is not argument.VAR_KEYWORD and argument.name != "self"
    }
    assert arguments - DECIDED.get(name, set()) == set(options), "the table must set every option"


@each_layer
def test_every_weight_has_a_path_and_a_finite_gradient(name):
    layer, weights, inputs = built(name)
    assert len(weights) == len(layer.weights)
    with tf.GradientTape() as tape:
        outputs = tf.nest.flatten(layer(*inputs))
        value = sum(tf.reduce_sum(out * made.numbers(*out.shape, seed=9)) for out in outputs)
    variables = made.named_weights(layer)
    trained = {path: variables[path] for path, role in roles_of(layer).items() if role.trained}
    assert len(trained) == len(layer.trainable_weights)
    for path, gradient in zip(trained, tape.gradient(value, list(trained.values()))):
        assert gradient is not None, path
        assert np.isfinite(gradient).all(), path


@each_layer
def test_samples_do_not_see_each_other(name):
    layer, _, inputs = built(name)
    whole = tf.nest.flatten(layer(*inputs))
    for index in range(2):
        part = tf.nest.flatten(layer(*(x[index : index + 1] for x in inputs)))
        for together, alone in zip(whole, part):
            np.testing.assert_allclose(together[index], alone[0], **TOLERANCE["float32"])


@each_layer
def test_weights_survive_a_checkpoint(name, tmp_path):
    """By the paths, for Keras 3 hides layers in lists from `tf.train.Checkpoint(layer=layer)`."""
    layer, weights, inputs = built(name)
    variables = made.named_weights(layer)
    prefix = tf.train.Checkpoint(weights=variables).write(str(tmp_path / "layer"))
    for variable in variables.values():
        variable.assign(tf.zeros_like(variable))
    tf.train.Checkpoint(weights=variables).read(prefix).assert_consumed()
    for path, array in made.arrays(made.named_weights(layer)).items():
        np.testing.assert_array_equal(array, weights[path], err_msg=path)
    layer(*inputs)


@pytest.mark.parametrize(
    ("layer", "wrong", "expected"),
    [
        (layers.Convolution(2, 3), X[0], "expected ndim=4"),
        (layers.LIN(), X[..., 0], "expected ndim=4"),
        (layers.UpsampleConvolution(2), X[0, 0], "expected ndim=4"),
    ],
)
def test_an_input_of_another_rank_is_refused_with_what_was_expected(layer, wrong, expected):
    with pytest.raises(ValueError, match=expected):
        layer(wrong)


@pytest.mark.parametrize("name", ["CAM", "Convolution", "InstanceNormalization", "LIN", "AdaLIN"])
def test_an_input_of_other_channels_than_at_first_is_refused_with_what_was_expected(name):
    layer, _, inputs = built(name)
    with pytest.raises(ValueError, match=r"axis -1 .*to have value 3"):
        layer(inputs[0][..., :2], *inputs[1:])
