"""The discriminator and its two depths against the NumPy twin."""

import numpy as np
import pytest
import tensorflow as tf

from tests import made, reference
from tests.tolerances import TOLERANCE
from ugatit_tf.networks.discriminator import Discriminator
from ugatit_tf.sizes import smallest_image


def built(x, **options):
    discriminator = Discriminator(**{"ch": 2, "n_dis": 3, **options})
    discriminator(x)
    return discriminator, made.filled(discriminator)


def kernels(weights, network):
    layers = [k for k in weights if k.startswith(f"{network}_network/convolutions/")]
    return [weights[k].shape for k in layers if k.endswith("/kernel")]


@pytest.mark.parametrize("sn", [True, False])
@pytest.mark.parametrize("n_dis", [2, 3, 5])
def test_a_discriminator_matches_its_twin(n_dis, sn, run):
    x = made.images(2, smallest_image(n_dis), smallest_image(n_dis), 3)
    discriminator, weights = built(x, n_dis=n_dis, sn=sn)
    found = run(discriminator, x)
    expected = reference.discriminator(weights, np.float64(x), n_dis=n_dis, sn=sn)
    assert_equal(found, expected)


def test_a_discriminator_without_class_activation_map_matches_its_twin(run):
    x = made.images(2, 12, 12, 3)
    discriminator, weights = built(x, cam=False)
    assert not [path for path in weights if "cam" in path]
    found = run(discriminator, x)
    assert found[0].cam_logit is found[1].heatmap is None
    expected = reference.discriminator(weights, np.float64(x), n_dis=3, cam=False)
    assert_equal(found, expected)


def assert_equal(found, expected):
    for part, judged, twin in zip(("local", "global"), found, expected):
        for name, array, wanted in zip(judged._fields, judged, twin):
            if wanted is None:
                continue
            np.testing.assert_allclose(
                array, wanted, err_msg=f"{part} {name}", **TOLERANCE["network"]
            )


def test_an_image_that_is_too_small_is_refused(run):
    discriminator, _ = built(made.images(1, 12, 13, 3), n_dis=3)
    for shape in ((1, 11, 12, 3), (12, 12, 3)):
        with pytest.raises(ValueError, match="n_dis=3 takes images .* at least 12 pixels"):
            run(discriminator, made.images(*shape))
    traced = tf.function(discriminator, input_signature=[tf.TensorSpec([None, None, None, 3])])
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 12 pixels"):
        traced(tf.zeros([1, 8, 12, 3]))


@pytest.mark.parametrize(
    ("n_dis", "local", "global_"), [(2, 1, 1), (3, 1, 2), (4, 1, 3), (5, 2, 4), (6, 3, 5)]
)
def test_how_often_each_network_halves_the_image(n_dis, local, global_):
    side = smallest_image(n_dis)
    discriminator, weights = built(made.images(1, side, side, 3), n_dis=n_dis, ch=1)
    assert kernels(weights, "local") == [
        (4, 4, 3 if i == 0 else 2 ** (i - 1), 2**i) for i in range(local)
    ]
    assert len(kernels(weights, "global")) == global_

    size = 2**global_ * 4
    judgements = discriminator(made.images(2, size, size, 3))
    for judged, halvings in zip(judgements, (local, global_)):
        reached = size // 2**halvings
        assert judged.logit.shape == [2, reached, reached, 1]
        assert judged.heatmap.shape == [2, reached, reached]
        assert judged.cam_logit.shape == [2, 2]


def test_the_widest_layers_at_the_defaults():
    """Of the local network 512 channels, of the global one 2048; here with ch 1 instead of 64."""
    _, weights = built(made.images(1, 96, 96, 3), n_dis=6, ch=1)
    assert weights["local_network/to_logit/kernel"].shape == (4, 4, 512 // 64, 1)
    assert weights["global_network/to_logit/kernel"].shape == (4, 4, 2048 // 64, 1)


@pytest.mark.parametrize(("n_dis", "smallest"), [(2, 6), (3, 12), (4, 24), (5, 48), (6, 96)])
def test_the_smallest_image_works_and_one_halving_less_does_not(n_dis, smallest):
    assert smallest_image(n_dis) == smallest
    discriminator = Discriminator(ch=1, n_dis=n_dis)
    _, global_ = discriminator(made.images(1, smallest, smallest, 3))
    assert global_.logit.shape == [1, 3, 3, 1]
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        discriminator(made.images(1, smallest - 1, smallest - 1, 3))


def test_only_the_mixer_has_no_spectral_state():
    _, weights = built(made.images(1, 12, 12, 3))
    owners = {path.rsplit("/", 1)[0] for path in weights if path.endswith("/kernel")}
    states = {path.rsplit("/", 1)[0] for path in weights if path.endswith("/u")}
    assert owners - states == {"local_network/cam/mixer", "global_network/cam/mixer"}


def test_without_spectral_normalization_there_is_no_state():
    _, weights = built(made.images(1, 12, 12, 3), sn=False)
    assert not [path for path in weights if path.endswith("/u")]


@pytest.mark.parametrize("training", [True, False])
def test_states_move_in_training_alone_and_all_of_them(training, run):
    x = made.images(1, 12, 12, 3)
    discriminator, weights = built(x)
    run(discriminator, x, training=training)
    for path, array in made.arrays(made.named_weights(discriminator)).items():
        expected = weights[path]
        if training and path.endswith("/u"):
            kernel = weights[path[:-1] + "kernel"]
            expected = reference.spectral_norm(kernel, expected)[1]
        np.testing.assert_allclose(array, expected, err_msg=path, **TOLERANCE["float32"])


def test_samples_of_a_batch_do_not_see_each_other():
    x = made.images(3, 12, 12, 3)
    discriminator, _ = built(x)
    together = tf.nest.flatten(discriminator(x))
    for index in range(3):
        for whole, part in zip(together, tf.nest.flatten(discriminator(x[index : index + 1]))):
            np.testing.assert_allclose(whole[index], part[0], **TOLERANCE["network"])
