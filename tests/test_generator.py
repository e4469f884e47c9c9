"""The generator, full and light, against its NumPy twin."""

import numpy as np
import pytest
import tensorflow as tf

from tests import made, reference
from tests.tolerances import TOLERANCE
from ugatit_tf.networks.generator import Generator

OPTIONS = {
    "light": {"light": True},
    "full": {"light": False},
    "two blocks": {"light": True, "n_res": 2},
    "not smooth": {"light": True, "smoothing": False},
    "grey": {"light": True, "img_ch": 1},
    "AdaIN": {"light": True, "norm": "adain"},
    "IN": {"light": True, "norm": "in"},
    "LN": {"light": False, "norm": "ln"},
    "GN": {"light": True, "norm": "gn"},
    "no CAM": {"light": False, "cam": False},
    "no CAM and IN": {"light": True, "norm": "in", "cam": False},
}


def built(x, **options):
    generator = Generator(**{"ch": 2, "n_res": 1, **options})
    generator(x)
    return generator, made.filled(generator)


def shapes(generator):
    return {path: a.shape for path, a in made.arrays(made.named_weights(generator)).items()}


@pytest.mark.parametrize("case", OPTIONS)
def test_a_generator_matches_its_twin(case, run):
    options = {"n_res": 1, "smoothing": True, "img_ch": 3, **OPTIONS[case]}
    x = made.images(2, 12, 12, options.pop("img_ch"))
    generator, weights = built(x, **OPTIONS[case])
    found, expected = run(generator, x), reference.generator(weights, np.float64(x), **options)
    for name, array, twin in zip(found._fields, found, expected):
        if twin is None:
            assert array is None, name
            continue
        np.testing.assert_allclose(array, twin, err_msg=name, **TOLERANCE["network"])


@pytest.mark.parametrize("img_ch", [1, 3])
@pytest.mark.parametrize("light", [True, False])
def test_shapes_and_range_of_a_translation(light, img_ch):
    x = made.images(3, 8, 8, img_ch)
    generator, _ = built(x, light=light, img_ch=img_ch)
    image, cam_logit, heatmap = generator(x)
    assert image.shape == [3, 8, 8, img_ch]
    assert cam_logit.shape == [3, 2]
    assert heatmap.shape == [3, 2, 2]
    assert np.abs(image).max() <= 1
    assert (heatmap.numpy() >= 0).all()  # a sum after a ReLU


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 20), (12, 8), (16, 16)])
def test_a_light_generator_takes_any_multiple_of_4(height, width, run):
    generator, weights = built(made.images(1, 8, 8, 3), light=True)
    x = made.images(1, height, width, 3)
    found = run(generator, x)
    expected = reference.generator(weights, np.float64(x), n_res=1, light=True)
    assert found.image.shape == x.shape
    assert found.heatmap.shape == (1, height // 4, width // 4)
    np.testing.assert_allclose(found.image, expected[0], **TOLERANCE["network"])


def test_a_full_generator_belongs_to_one_size(run):
    generator, _ = built(made.images(1, 8, 8, 3), light=False)
    with pytest.raises(ValueError, match="images of 64 pixels only.*Received: 12 x 12"):
        run(generator, made.images(1, 12, 12, 3))


@pytest.mark.parametrize("shape", [(1, 66, 66, 3), (1, 4, 8, 3), (8, 8, 3), (1, 8, 8, 1)])
def test_images_that_would_come_back_smaller_or_not_at_all_are_refused(shape, run):
    generator, _ = built(made.images(1, 8, 8, 3), light=True)
    message = r"images \[batch, height, width, 3\] whose sides are multiples of 4 and at least 8"
    with pytest.raises(ValueError, match=message):
        run(generator, made.images(*shape))


def test_a_size_that_is_unknown_while_tracing_is_refused_when_it_comes():
    generator, _ = built(made.images(1, 8, 8, 3), light=True)
    for spec in (tf.TensorSpec([None, None, None, 3]), tf.TensorSpec(None)):
        traced = tf.function(generator, input_signature=[spec])
        assert traced(tf.zeros([1, 12, 8, 3])).image.shape == (1, 12, 8, 3)
        with pytest.raises(tf.errors.InvalidArgumentError, match="multiples of 4.*[^0-9]66"):
            traced(tf.zeros([1, 66, 8, 3]))
    generator, _ = built(made.images(1, 8, 8, 3), light=False)
    traced = tf.function(generator, input_signature=[tf.TensorSpec([None, None, None, 3])])
    with pytest.raises(ValueError, match="must know the size"):
        traced(tf.zeros([1, 8, 8, 3]))


@pytest.mark.parametrize("n_res", [1, 2, 3])
def test_the_mlp_is_as_wide_as_the_bottleneck_whatever_n_res_is(n_res):
    generator, _ = built(made.images(1, 8, 8, 3), light=True, n_res=n_res, ch=3)
    found = shapes(generator)
    for name in ("mlp/0", "mlp/1", "gamma_head", "beta_head"):
        assert found[f"{name}/kernel"] == (12, 12), name


def test_the_first_dense_layer_of_a_full_generator_sees_every_pixel():
    generator, _ = built(made.images(1, 16, 16, 3), light=False, ch=3)
    assert shapes(generator)["mlp/0/kernel"] == (4 * 4 * 12, 12)


def test_gamma_and_beta_are_the_same_in_all_adaptive_blocks():
    """The heads exist once; the blocks own nothing but convolutions and a rho each."""
    generator, weights = built(made.images(1, 8, 8, 3), light=True, n_res=2)
    adaptive = {path.split("/", 2)[2] for path in weights if path.startswith("adaptive/")}
    expected = {f"convolution_{i}/{leaf}" for i in (1, 2) for leaf in ("kernel", "bias")}
    assert adaptive == expected | {"norm_1/rho", "norm_2/rho"}


def test_samples_of_a_batch_do_not_see_each_other():
    x = made.images(3, 8, 8, 3)
    generator, _ = built(x, light=True)
    together = generator(x)
    for index in range(3):
        alone = generator(x[index : index + 1])
        for whole, part in zip(together, alone):
            np.testing.assert_allclose(whole[index], part[0], **TOLERANCE["network"])


def test_translating_changes_no_weight():
    x = made.images(1, 8, 8, 3)
    generator, weights = built(x, light=True)
    generator(x)
    for path, array in made.arrays(made.named_weights(generator)).items():
        np.testing.assert_array_equal(array, weights[path], err_msg=path)
