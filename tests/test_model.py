"""The four networks together: names, numbers and starting values of their weights."""

import numpy as np
import pytest
import tensorflow as tf

from tests import made, official, reference
from ugatit_tf.networks.model import build_model

ARCHITECTURES = [
    {},
    {"light": False, "img_size": 12},
    {"n_res": 2, "n_dis": 5, "img_size": 48, "img_ch": 3, "ch": 1},
    {"sn": False, "n_dis": 3, "img_size": 12},
]


def shapes_of(config):
    options = {k: v for k, v in config.architecture().items() if k not in official.LEFT_OUT}
    return reference.official_variables(**{"img_size": config.img_size, **options})


def num_numbers(shapes):
    return int(sum(np.prod(shape) for shape in shapes.values()))


@pytest.fixture(scope="module")
def model():
    return build_model(made.tiny_config())


@pytest.mark.parametrize("options", ARCHITECTURES)
def test_weights_are_those_of_the_official_program(options):
    """As many of every shape. The names are the business of the importer's tests."""
    config = made.tiny_config(**options)
    weights = build_model(config).weights()
    found = sorted(weight.shape.as_list() for weight in weights.values())
    assert found == sorted(shapes_of(config).values())


@pytest.mark.parametrize(("light", "millions"), [(True, 134.047128), (False, 670.786968)])
def test_the_number_of_weights_at_the_defaults(light, millions):
    """Counted by the official table, which the test above holds equal to ours."""
    shapes = reference.official_variables(ch=64, n_res=4, n_dis=6, light=light)
    assert num_numbers(shapes) == round(millions * 1e6)


def test_every_weight_has_one_path(model):
    weights = model.weights()
    assert len({id(weight) for weight in weights.values()}) == len(weights)
    assert all(isinstance(weight, tf.Variable) for weight in weights.values())
    networks = (model.a2b, model.b2a, model.discriminator_a, model.discriminator_b)
    owned = [weight for network in networks for weight in network.weights]
    assert len(owned) == len(weights)  # Keras knows of no other
    kept = [weight for network in networks for weight in network.trainable_weights]
    assert len(kept) == len([path for path in weights if not path.endswith("/u")])


def test_paths_are_attribute_names(model):
    weights = model.weights()
    for path in ("a2b/stem/convolution/kernel", "b2a/down/1/norm/gamma", "a2b/up/0/norm/rho"):
        assert path in weights
    assert "discriminator_a/global_network/convolutions/0/u" in weights
    assert set(weights) == set(model.generator_weights()) | set(model.discriminator_weights())
    assert not set(model.generator_weights()) & set(model.discriminator_weights())


def test_one_seed_gives_the_same_weights_whatever_happened_before(model):
    tf.random.set_seed(5)
    tf.random.normal([3])
    again = made.arrays(build_model(made.tiny_config()).weights())
    for path, array in made.arrays(model.weights()).items():
        np.testing.assert_array_equal(array, again[path], err_msg=path)


def test_another_seed_gives_other_weights(model):
    other = made.arrays(build_model(made.tiny_config(seed=1)).weights())
    for path, array in made.arrays(model.weights()).items():
        random = path.endswith(("/kernel", "/u"))
        assert (array == other[path]).all() != random, path


def test_a_weight_depends_on_its_path_and_not_on_the_order_of_building(model):
    """More layers before it, in another network or in its own, do not change it."""
    larger = build_model(made.tiny_config(n_res=2, n_dis=4, img_size=24))
    shared = made.arrays(larger.weights())
    compared = 0
    for path, array in made.arrays(model.weights()).items():
        if array.shape == shared[path].shape:
            np.testing.assert_array_equal(array, shared[path], err_msg=path)
            compared += 1
    assert compared > 100


def test_weights_that_are_not_drawn_are_constants(model):
    found = made.arrays(build_model(made.tiny_config(), draw=False).weights())
    assert {path: array.shape for path, array in found.items()} == {
        path: weight.shape for path, weight in model.weights().items()
    }
    assert all(len(np.unique(array)) == 1 for array in found.values())


def test_no_two_kernels_are_alike(model):
    kernels = [
        a.ravel() for path, a in made.arrays(model.weights()).items() if path.endswith("/kernel")
    ]
    assert len({kernel[:2].tobytes() for kernel in kernels}) == len(kernels)


def test_weights_start_as_the_official_ones():
    weights = made.arrays(build_model(made.tiny_config(ch=8)).weights())
    drawn = {"kernel": [], "u": []}
    constant = {"bias": 0, "beta": 0, "gamma": 1}
    for path, array in weights.items():
        kind = path.rsplit("/", 1)[-1]
        if kind in drawn:
            drawn[kind].append(array.ravel())
        else:
            start = constant[kind] if kind != "rho" else float("/adaptive/" in path)
            np.testing.assert_array_equal(array, np.full(array.shape, start), err_msg=path)
    kernels, states = (np.concatenate(drawn[kind]) for kind in ("kernel", "u"))
    assert kernels.std() == pytest.approx(0.02, rel=0.02)
    assert abs(kernels.mean()) < 1e-3
    assert states.std() == pytest.approx(1.0, rel=0.2)


def test_a_model_translates_and_judges(model):
    images = made.images(2, 8, 8, 1)
    out = model.a2b(images)
    assert out._fields == ("image", "cam_logit", "heatmap")
    local, global_ = model.discriminator_b(out.image)
    assert local._fields == global_._fields == ("logit", "cam_logit", "heatmap")
    assert np.abs(out.image - model.b2a(images).image).max() > 0  # two different generators


def test_options_reach_the_networks():
    model = build_model(made.tiny_config(smoothing=False, sn=False))
    assert not model.b2a.adaptive[0].norm_2.smoothing
    assert not model.discriminator_b.global_network.last.spectral_norm


def test_a_model_is_frozen(model):
    with pytest.raises(AttributeError):
        model.a2b = None
