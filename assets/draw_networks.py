"""python -m assets.draw_networks: draws both networks with the output shapes of their layers."""

import pathlib
from typing import NamedTuple
from unittest import mock

import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont

from ugatit_tf.config import Config
from ugatit_tf.networks.discriminator import Discriminator
from ugatit_tf.networks.generator import Generator

HERE = pathlib.Path(__file__).parent
WIDTH = 1600
FINER = 4  # drawn this much larger and reduced: smooth lines and letters
INK, MUTED, LINE, PANEL = "#1b2733", "#4d5b69", "#5d6b7a", "#f4f6f8"
COLORS = {  # fill, outline
    "layer": ("#e3ecf8", "#5a7fb5"),
    "attention": ("#fcecd4", "#c4862a"),
    "style": ("#e1f1e4", "#55935f"),
    "result": ("#ffffff", "#7d8894"),
}
NORMS = {"InstanceNormalization": "IN", "AdaLIN": "AdaLIN(gamma, beta)"}


class Stage(NamedTuple):
    title: str
    detail: str  # one or more lines
    shape: tuple  # without the batch
    kind: str = "layer"  # a key of COLORS


class Canvas:
    def __init__(self, height, title, config):
        self.image = Image.new("RGB", (WIDTH * FINER, height * FINER), "white")
        self.draw, self.boxes = ImageDraw.Draw(self.image), {}
        self.text((40, 46), title, 38)
        note = f"ch {config.ch}; each box gives the shape of its output, height x width x channels"
        self.text((40, 92), note, 23, MUTED)

    def text(self, point, text, size, color=INK, anchor="lm", room=WIDTH):
        while ImageFont.load_default(size).getlength(text) > room:
            size -= 1
        point, font = [FINER * side for side in point], ImageFont.load_default(FINER * size)
        self.draw.text(point, text, color, font, anchor)

    def panel(self, title, left, top, right, bottom):
        self._rectangle((left, top, right, bottom), 18, PANEL)
        self.text((left + 20, top + 27), title, 24, MUTED)

    def row(self, stages, names, left, top, width, height, gap=60):
        """Equal boxes beside one another: title, details and shape of each stage, centered."""
        for name in names.split():
            title, detail, shape = self._box(name, stages[name], left, top, width, height)
            lines = [(title, 25, INK), *((line, 21, MUTED) for line in detail.splitlines())]
            lines.append((shape, 25, INK))
            y = top + (height - sum(size + 9 for _, size, _ in lines)) / 2 - 4
            for line, size, color in lines:
                y += size + 9
                self.text((left + width / 2, y - size / 2), line, size, color, "mm", width - 14)
            left += width + gap

    def bar(self, stages, name, left, top, width, height):
        """A low, wide box: title on the left, shape on the right."""
        title, _, shape = self._box(name, stages[name], left, top, width, height)
        self.text((left + 18, top + height / 2), title, 24)
        self.text((left + width - 18, top + height / 2), shape, 25, anchor="rm")

    def link(self, *flows):
        """Straight arrows from each box of a flow to the next, between facing sides."""
        for flow in flows:
            boxes = [self.boxes[name] for name in flow.split()]
            for a, b in zip(boxes, boxes[1:]):
                self.arrow(*zip(*(facing(a[i], a[i + 2], b[i], b[i + 2]) for i in (0, 1))))

    def arrow(self, *points):
        *_, (x0, y0), (x, y) = points = [(x * FINER, y * FINER) for x, y in points]
        dx, dy = ((b > a) - (b < a) for a, b in ((x0, x), (y0, y)))  # upright or level
        x, y, half = x - 13 * FINER * dx, y - 13 * FINER * dy, 7 * FINER  # where the head begins
        self.draw.line([*points[:-1], (x, y)], LINE, 3 * FINER, "curve")
        sides = [(x + s * dy * half, y + s * dx * half) for s in (-1, 1)]
        self.draw.polygon([points[-1], *sides], LINE)

    def _box(self, name, stage, left, top, width, height):
        self.boxes[name] = left, top, left + width, top + height
        self._rectangle(self.boxes[name], 10, *COLORS[stage.kind])
        return stage.title, stage.detail, " x ".join(map(str, stage.shape))

    def _rectangle(self, box, radius, fill, outline=None):
        box = [side * FINER for side in box]
        self.draw.rounded_rectangle(box, radius * FINER, fill, outline, 2 * FINER)


def facing(a_low, a_high, b_low, b_high):
    """Where, on one axis, the shortest upright or level line from a to b starts and ends."""
    low, high = max(a_low, b_low), min(a_high, b_high)
    if low < high:  # it crosses this axis
        return (low + high) / 2, (low + high) / 2
    return (high, low) if a_low < b_low else (low, high)


def trace(network, config):
    """Runs `network` once on zeros: layer -> (shape in, shapes out), for all layers in it."""
    shapes = {}
    call = tf.keras.layers.Layer.__call__

    def record(layer, x, *others, **options):
        outputs = call(layer, x, *others, **options)
        shapes[layer] = tf.nest.map_structure(lambda t: tuple(t.shape[1:]), (x, outputs))
        return outputs

    with mock.patch.object(tf.keras.layers.Layer, "__call__", record):
        network(tf.zeros([1, config.img_size, config.img_size, config.img_ch]))
    return shapes


def words(convolution, norm=None):
    stride = getattr(convolution, "stride", 1)
    text = f"conv k{convolution.kernel.shape[0]}" + (f" s{stride}" if stride > 1 else "")
    name = type(norm).__name__
    return f"{text}, {NORMS.get(name, name)}" if norm else text


def cam_stages(cam, shapes, result, activation):
    """The class activation map; `result` has the shapes of what its network returned."""
    (*sides, channels), _ = shapes[cam]
    wide = cam.mixer.kernel.shape[2]  # of the two copies of x
    weights = "w, b, spectral norm" if cam.spectral_norm else "weights w, bias b"
    return {
        "average": Stage("Average", "pool", (channels,), "attention"),
        "maximum": Stage("Max", "pool", (channels,), "attention"),
        "head": Stage("Shared head", weights, tuple(cam.kernel.shape), "attention"),
        "cam_logit": Stage("CAM logits", "", result.cam_logit, "result"),
        "attention": Stage("Attention", "x (w + b), twice", (*sides, wide), "attention"),
        "mixed": Stage("1x1 convolution", activation, shapes[cam.mixer][1], "attention"),
        "heatmap": Stage("Heatmap", "", result.heatmap, "result"),
    }


def generator_stages(net, config):
    shapes = trace(net, config)
    image, result = shapes[net]
    pooled = "Average pool" if net.light else "Flatten"

    def stage(title, detail, layer, kind="layer"):
        return Stage(title, detail, shapes[layer][1], kind)

    def repeated(title, blocks):
        block = blocks[-1]
        first = words(block.convolution_1, block.norm_1)
        second = words(block.convolution_2, block.norm_2)
        return stage(f"{title} x {len(blocks)}", f"{first}, ReLU,\n{second}, plus input", block)

    stages = {
        "input": Stage("Image", "in [-1, 1]", image, "result"),
        "stem": stage("Stem", f"{words(net.stem.convolution, net.stem.norm)}, ReLU", net.stem),
        "residual": repeated("Residual block", net.residual),
        **cam_stages(net.cam, shapes, result, "ReLU"),
        "pooled": Stage(pooled, "", shapes[net.mlp[0]][0], "style"),
        "mlp": stage("MLP", f"(dense, ReLU) x {len(net.mlp)}", net.mlp[-1], "style"),
        "gamma": stage("gamma", "dense", net.gamma_head, "style"),
        "beta": stage("beta", "dense", net.beta_head, "style"),
        "adaptive": repeated("Adaptive residual block", net.adaptive),
        "image": Stage("Translation", f"{words(net.to_image)}, tanh", result.image, "result"),
    }
    for i, (down, up) in enumerate(zip(net.down, net.up), 1):
        stages[f"down_{i}"] = stage("Down", f"{words(down.convolution, down.norm)}, ReLU", down)
        stages[f"up_{i}"] = stage("Up", f"nearest x 2,\n{words(up.convolution, up.norm)}, ReLU", up)
    return stages


def patch_stages(net, shapes):
    image, result = shapes[net]
    norm = ", spectral norm" if net.spectral_norm else ""
    stages = {"input": Stage("Image", "in [-1, 1]", image, "result")}
    for i, layer in enumerate([*net.convolutions, net.last], 1):
        stages[f"layer_{i}"] = Stage(f"{words(layer)}{norm}, leaky ReLU", "", shapes[layer][1])
    stages.update(cam_stages(net.cam, shapes, result, "leaky ReLU"))
    stages["logit"] = Stage("Patch logits", words(net.to_logit) + norm, result.logit, "result")
    return stages


def draw_generator(config, path):
    """Draws the generator that `config` describes; returns its stages by name."""
    options = {name: getattr(config, name) for name in ("ch", "n_res", "img_ch", "light")}
    stages = generator_stages(Generator(**options), config)
    canvas = Canvas(1058, "Generator, light" if config.light else "Generator", config)
    canvas.panel("Encoder", 20, 124, 1580, 336)
    canvas.panel("Style", 20, 384, 632, 778)
    canvas.panel("Class activation map (CAM)", 652, 384, 1580, 778)
    canvas.panel("Decoder", 20, 826, 1580, 1038)
    canvas.row(stages, "image stem down_1 down_2 residual", 40, 172, 256, 144)
    canvas.row(stages, "mlp pooled mixed attention", 40, 432, 256, 120)
    canvas.row(stages, "gamma beta", 40, 620, 256, 110)
    canvas.row(stages, "heatmap", 672, 600, 256, 74)
    canvas.row(stages, "cam_logit", 672, 684, 256, 74)
    canvas.row(stages, "head", 988, 600, 256, 158)
    canvas.row(stages, "average maximum", 1304, 600, 120, 110, 16)
    canvas.row(stages, "adaptive", 40, 874, 572, 144)
    canvas.row(stages, "up_1 up_2 image", 672, 874, 256, 144)
    canvas.link("image stem down_1 down_2 residual average head attention mixed pooled mlp")
    canvas.link("mlp gamma adaptive up_1 up_2 image", "beta adaptive")
    canvas.link("residual maximum", "head cam_logit", "mixed heatmap")
    canvas.arrow((1364, 492), (1244, 492))  # residual to attention
    canvas.arrow((1500, 710), (1500, 734), (1244, 734))  # maximum to head
    canvas.arrow((168, 586), (484, 586), (484, 620))  # mlp to beta
    canvas.arrow((642, 492), (642, 802), (582, 802), (582, 874))  # mixed to adaptive
    canvas.text((1376, 474), "x", 23, MUTED)
    canvas.text((1130, 576), "w + b", 23, MUTED)
    canvas.image.reduce(FINER).save(path, optimize=True)
    return stages


def draw_discriminator(config, path):
    """Draws the discriminator that `config` describes; returns (local, global) stages by name."""
    net = Discriminator(ch=config.ch, n_dis=config.n_dis, sn=config.sn)
    shapes = trace(net, config)
    both = [patch_stages(branch, shapes) for branch in (net.local_network, net.global_network)]
    end = 384 + 76 * len(net.global_network.convolutions)  # of the last layer before the CAM
    canvas = Canvas(end + 672, "Discriminator", config)
    canvas.row(both[0], "input", 640, 124, 320, 110)
    for left, title, stages in zip((40, 840), ("Local", "Global"), both):
        canvas.panel(f"{title} network", left - 20, 282, left + 740, end + 652)
        draw_patch_network(canvas, stages, left, end)
    canvas.image.reduce(FINER).save(path, optimize=True)
    return both


def draw_patch_network(canvas, stages, left, end):
    layers = [name for name in stages if name.startswith("layer")]
    for i, name in enumerate(reversed(layers)):
        canvas.bar(stages, name, left, end - 54 - 76 * i, 720, 54)
    canvas.row(stages, "average maximum", left + 376, end + 48, 162, 110, 20)
    canvas.row(stages, "attention", left, end + 206, 300, 110)
    canvas.row(stages, "head", left + 376, end + 206, 344, 110)
    canvas.row(stages, "mixed", left, end + 364, 300, 110)
    canvas.row(stages, "heatmap cam_logit", left + 376, end + 364, 162, 110, 20)
    canvas.row(stages, "logit", left, end + 522, 300, 110)
    canvas.link(" ".join(layers), f"{layers[-1]} attention mixed logit", "mixed heatmap")
    canvas.link(f"{layers[-1]} average head attention", f"{layers[-1]} maximum head cam_logit")
    canvas.text((left + 312, end + 240), "w + b", 23, MUTED)
    middle, (_, top, _, _) = left + 360, canvas.boxes[layers[0]]
    canvas.arrow((800, 234), (800, 258), (middle, 258), (middle, top))


if __name__ == "__main__":
    draw_generator(Config(light=True), HERE / "generator.png")
    draw_discriminator(Config(light=True), HERE / "discriminator.png")
