"""python -m assets.draw_architecture draws generator.png and discriminator.png beside this file.

The networks run once on zeros; names, options and shapes in the drawings come from that run.
"""

import os
import pathlib
from typing import NamedTuple
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf  # noqa: E402
from PIL import Image, ImageDraw, ImageFont  # noqa: E402

from ugatit_tf.config import Config  # noqa: E402
from ugatit_tf.networks.discriminator import Discriminator  # noqa: E402
from ugatit_tf.networks.generator import Generator  # noqa: E402

FINER = 4  # lines are drawn this much larger and reduced; text is drawn at its size
WIDTH, MARGIN, GAP = 1600, 40, 60
COLUMN = (WIDTH - 2 * MARGIN - 4 * GAP) // 5
INK, MUTED, LINE, PANEL = "#1b2733", "#4d5b69", "#5d6b7a", "#f5f7f9"
COLORS = {  # fill and outline
    "layer": ("#e4edf8", "#5a7fb5"),
    "attention": ("#fcecd4", "#c4862a"),
    "style": ("#e3f2e6", "#55935f"),
    "result": ("#ffffff", "#7d8894"),
}
SHORT = {"InstanceNormalization": "IN"}


class Stage(NamedTuple):
    title: str
    detail: str
    shape: tuple  # without the batch
    kind: str = "layer"


class Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float

    def at(self, across, down):
        """A point of the box; (0, 0) is its upper left corner, (1, 1) its lower right one."""
        return self.x + across * self.width, self.y + down * self.height


class Canvas:
    def __init__(self, height, title, subtitle):
        self.image = Image.new("RGB", (WIDTH * FINER, height * FINER), "white")
        self.draw = ImageDraw.Draw(self.image)
        self.texts = []
        self.text((MARGIN, 46), title, 38)
        self.text((MARGIN, 92), subtitle, 23, MUTED)

    def text(self, point, text, size, color=INK, anchor="lm", room=WIDTH):
        font = ImageFont.load_default(size)
        while font.getlength(text) > room:
            size -= 1
            font = ImageFont.load_default(size)
        self.texts.append((point, text, color, font, anchor))

    def rectangle(self, box, radius, fill, outline=None):
        corners = [c * FINER for c in (*box.at(0, 0), *box.at(1, 1))]
        self.draw.rounded_rectangle(corners, radius * FINER, fill, outline, 2 * FINER)

    def panel(self, box, title):
        self.rectangle(box, 18, PANEL)
        self.text((box.x + 20, box.y + 28), title, 24, MUTED)

    def block(self, box, stage):
        """Title, details and shape below one another."""
        self.rectangle(box, 10, *COLORS[stage.kind])
        details = [(line, 21, MUTED) for line in stage.detail.splitlines()]
        lines = [(stage.title, 25, INK), *details, (shape_text(stage.shape), 25, INK)]
        y = box.y + (box.height - sum(size + 9 for _, size, _ in lines)) / 2
        for line, size, color in lines:
            middle = box.at(0.5, 0)[0], y + (size + 9) / 2
            self.text(middle, line, size, color, "mm", box.width - 16)
            y += size + 9

    def bar(self, box, stage):
        """Title, details and shape beside one another."""
        self.rectangle(box, 10, *COLORS[stage.kind])
        middle = box.at(0, 0.5)[1]
        self.text((box.x + 18, middle), stage.title, 25, room=110)
        self.text((box.x + 130, middle), stage.detail, 21, MUTED, room=360)
        self.text((box.at(1, 0)[0] - 18, middle), shape_text(stage.shape), 25, anchor="rm")

    def arrow(self, *points, head=True):
        scaled = [(x * FINER, y * FINER) for x, y in points]
        (x0, y0), (x, y) = scaled[-2:]
        dx, dy = ((b > a) - (b < a) for a, b in ((x0, x), (y0, y)))  # lines are upright or level
        long, half = (13 * FINER, 7 * FINER) if head else (0, 0)
        scaled[-1] = x - dx * long / 2, y - dy * long / 2
        self.draw.line(scaled, LINE, 3 * FINER, "curve")
        back_x, back_y = x - dx * long, y - dy * long
        sides = [(back_x + s * dy * half, back_y + s * dx * half) for s in (-1, 1)]
        if head:
            self.draw.polygon([(x, y), *sides], LINE)

    def save(self, path):
        image = self.image.reduce(FINER)
        for point, text, color, font, anchor in self.texts:
            ImageDraw.Draw(image).text(point, text, color, font, anchor)
        image.save(path, optimize=True)


def trace(network, config):
    """Runs `network` once; returns layer -> (shape in, shapes out) for it and all below it."""
    seen = {}
    call = tf.keras.layers.Layer.__call__

    def watched(layer, x, *others, **options):
        outputs = call(layer, x, *others, **options)
        seen[layer] = shape_of(x), tf.nest.map_structure(shape_of, outputs)
        return outputs

    with mock.patch.object(tf.keras.layers.Layer, "__call__", watched):
        network(tf.zeros([1, config.img_size, config.img_size, config.img_ch]))
    return seen


def shape_of(tensor):
    return tuple(tensor.shape[1:])


def shape_text(shape):
    return " x ".join(str(side) for side in shape)


def convolution_text(convolution):
    stride = f", stride {convolution.stride}" if convolution.stride > 1 else ""
    return f"conv k{convolution.kernel_size}{stride}"


def normalization_text(layer):
    return SHORT.get(type(layer).__name__, type(layer).__name__)


def block_text(block):
    return f"{convolution_text(block.convolution)}, {normalization_text(block.norm)}, ReLU"


def residual_text(block):
    convolution, norm = convolution_text(block.convolution_1), normalization_text(block.norm_1)
    return f"{convolution}, {norm}, ReLU,\n{convolution}, {norm}, plus input"


def cam_stages(cam, seen, result, activation):
    """The class activation map's stages; `result` is what its network returned, as shapes."""
    (*sides, channels), _ = seen[cam]
    wide = cam.mixer.kernel.shape[2]
    norm = "spectral norm" if cam.spectral_norm else "weights w, bias b"
    return {
        "average": Stage("Average", "pool", (channels,), "attention"),
        "maximum": Stage("Maximum", "pool", (channels,), "attention"),
        "head": Stage("Shared head", norm, tuple(cam.kernel.shape), "attention"),
        "cam_logit": Stage("CAM logits", "", result.cam_logit, "result"),
        "attention": Stage("Attention", "x (w + b), twice", (*sides, wide), "attention"),
        "mixed": Stage("1x1 convolution", activation, seen[cam.mixer][1], "attention"),
        "heatmap": Stage("Heatmap", "sum of channels", result.heatmap, "result"),
    }


def generator_stages(generator, config):
    seen = trace(generator, config)
    given, result = seen[generator]
    pooled = "Average pool" if generator.light else "Flatten"
    adaptive = residual_text(generator.adaptive[-1]).replace("AdaLIN", "AdaLIN(gamma, beta)")
    stages = {
        "picture": Stage("Picture", "in [-1, 1]", given, "result"),
        "stem": Stage("Stem", block_text(generator.stem), seen[generator.stem][1]),
        "residual": Stage(
            f"Residual block x {len(generator.residual)}",
            residual_text(generator.residual[-1]),
            seen[generator.residual[-1]][1],
        ),
        **cam_stages(generator.cam, seen, result, "ReLU"),
        "pooled": Stage(pooled, "input of the MLP", seen[generator.mlp[0]][0], "style"),
        "mlp": Stage(
            "MLP", f"dense, ReLU, x {len(generator.mlp)}", seen[generator.mlp[-1]][1], "style"
        ),
        "gamma": Stage("gamma", "dense", seen[generator.gamma_head][1], "style"),
        "beta": Stage("beta", "dense", seen[generator.beta_head][1], "style"),
        "adaptive": Stage(
            f"Adaptive residual block x {len(generator.adaptive)}",
            adaptive,
            seen[generator.adaptive[-1]][1],
        ),
        "image": Stage(
            "Translation", f"{convolution_text(generator.to_image)}, tanh", result.image, "result"
        ),
    }
    for i, (down, up) in enumerate(zip(generator.down, generator.up), 1):
        stages[f"down_{i}"] = Stage(f"Down {i}", block_text(down), seen[down][1])
        stages[f"up_{i}"] = Stage(f"Up {i}", "nearest x 2,\n" + up_text(up), seen[up][1])
    return stages
