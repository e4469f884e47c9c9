"""The drawings show the shapes that the networks really have."""

import numpy as np
from PIL import Image

from assets import draw_architecture


def test_the_generator_is_drawn_with_the_shapes_it_has(tmp_path):
    shapes = draw_architecture.generator_shapes(16, ch=2, n_res=1, light=True)
    assert shapes["stem"] == "16 x 16 x 2"
    assert shapes["adaptive"] == shapes["residual"] == shapes["cam"] == "4 x 4 x 8"
    assert shapes["up 0"] == "8 x 8 x 4"
    assert shapes["gamma"] == "8"
    draw_architecture.draw_generator(tmp_path / "generator.png", 16, ch=2, n_res=1, light=True)
    assert np.asarray(Image.open(tmp_path / "generator.png")).std() > 10


def test_the_discriminator_is_drawn_with_the_shapes_it_has(tmp_path):
    local, global_ = draw_architecture.discriminator_shapes(48, ch=2, n_dis=5)
    assert list(local) == ["conv_0", "conv_1", "last", "cam", "logit"]
    assert local["last"] == "12 x 12 x 8"
    assert global_["logit"] == "3 x 3 x 1"
    draw_architecture.draw_discriminator(tmp_path / "discriminator.png", 48, ch=2, n_dis=5)
    assert np.asarray(Image.open(tmp_path / "discriminator.png")).std() > 10
