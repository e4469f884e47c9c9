"""The drawings of the networks tell the shapes that the networks really give."""

import numpy as np
import tensorflow as tf
from PIL import Image

from assets import draw_networks, draw_results
from ugatit_tf.config import Config
from ugatit_tf.images import image_file
from ugatit_tf.networks.discriminator import Discriminator
from ugatit_tf.networks.generator import Generator

SMALL = Config(light=True, img_size=48, ch=2, n_res=1, n_dis=5)
ZEROS = tf.zeros([1, 48, 48, 3])


def shape(tensor):
    return tuple(tensor.shape[1:])


def assert_drawn(path):
    image = np.asarray(Image.open(path))
    assert image.shape[1:] == (1600, 3)
    for edge in (image[0], image[-1], image[:, 0], image[:, -1]):
        np.testing.assert_array_equal(edge, 255)
    assert image.min() < 64


def test_the_drawn_generator_has_the_generator_s_shapes(tmp_path):
    stages = draw_networks.draw_generator(SMALL, tmp_path / "generator.png")
    assert_drawn(tmp_path / "generator.png")

    net = Generator(ch=2, n_res=1, light=True)
    given = net(ZEROS)
    for name, tensor in given._asdict().items():
        assert stages[name].shape == shape(tensor), name

    x = ZEROS
    blocks = {"stem": net.stem, "down_1": net.down[0], "down_2": net.down[1]}
    for name, block in {**blocks, "residual": net.residual[0]}.items():
        x = block(x)
        assert stages[name].shape == shape(x), name
    assert stages["mixed"].shape == shape(net.cam(x).features)
    assert stages["gamma"].shape == stages["beta"].shape == shape(net.gamma_head(tf.zeros([1, 8])))
    assert stages["adaptive"].title.endswith("x 1")
    assert stages["stem"].detail == "conv k7, IN, ReLU"


def test_the_drawn_discriminator_has_the_discriminator_s_shapes(tmp_path):
    both = draw_networks.draw_discriminator(SMALL, tmp_path / "discriminator.png")
    assert_drawn(tmp_path / "discriminator.png")

    net = Discriminator(ch=2, n_dis=5)
    for part, stages, judged in zip(("local", "global"), both, net(ZEROS)):
        for name, tensor in judged._asdict().items():
            assert stages[name].shape == shape(tensor), f"{part} {name}"

    x = ZEROS
    for i, layer in enumerate([*net.global_network.convolutions, net.global_network.last], 1):
        x = layer(x)
        assert both[1][f"layer_{i}"].shape == shape(x)


def test_what_is_drawn_follows_the_options(tmp_path):
    config = Config(img_size=48, ch=2, n_res=3, n_dis=4, sn=False)
    stages = draw_networks.draw_generator(config, tmp_path / "generator.png")
    assert stages["residual"].title == "Residual block x 3"
    assert stages["pooled"].title == "Flatten"
    assert stages["pooled"].shape == (12 * 12 * 8,)

    local, _ = draw_networks.draw_discriminator(config, tmp_path / "discriminator.png")
    assert "layer_3" not in local
    assert not any("spectral" in stage.title + stage.detail for stage in local.values())


class MeanColors:
    """Features that tell the colors of an image and nothing else."""

    num_features, key = 3, "colors"

    def __call__(self, images):
        return images.mean((1, 2), dtype=np.float32) / 255


def test_results_are_ranked_by_how_much_more_they_resemble_the_target_than_the_source(tmp_path):
    def write(folder, reds):
        for number, red in enumerate(reds):
            image = np.full([8, 8, 3], (red, 50, 50), np.uint8)
            image_file.write(tmp_path / folder / f"{number:02d}.png", image)

    reds = np.random.default_rng(0).permutation(np.arange(0, 240, 20))
    write("source", [0] * len(reds))
    write("output", reds)
    write("target", [255, 250])
    folders = [str(tmp_path / name) for name in ("source", "output", "target", "drawn.png")]
    draw_results.draw(*folders, MeanColors())

    values = [MeanColors()(np.full([1, 8, 8, 3], (red, 50, 50)))[0] for red in reds]
    found = draw_results.scores(values, [[0, 0.2, 0.2]], [[1, 0.2, 0.2]])
    assert [*np.argsort(found)] == [*np.argsort(reds)]
    kinds = draw_results.chosen(found, 2)
    assert {kind: [*reds[indices]] for kind, indices in kinds.items()} == {
        "Best": [220, 200],
        "Middle": [120, 100],
        "Worst": [20, 0],
    }
    drawn = image_file.read(folders[-1])
    tiles = {tuple(pixel) for pixel in drawn.reshape(-1, 3)}
    assert {(red, 50, 50) for red in (220, 160, 140, 120, 100, 80, 60, 0)} <= tiles
