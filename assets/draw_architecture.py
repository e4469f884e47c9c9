"""Draws the generator and the discriminator with the shapes that the real layers give.

    python -m assets.draw_architecture

writes assets/generator.png and assets/discriminator.png.
"""

import contextlib
import pathlib

import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont

from ugatit_tf.networks.discriminator import Discriminator
from ugatit_tf.networks.generator import Generator

HERE = pathlib.Path(__file__).parent
SCALE = 2  # drawn larger, then reduced: smooth lines
BOX, GAP, MARGIN = (172, 88), (24, 44), 20  # width and height in pixels
INK, PALE, WHITE = (40, 44, 52), (110, 116, 128), (255, 255, 255)
BLUE, ORANGE, GREEN, GREY = (222, 235, 250), (253, 232, 208), (223, 242, 223), (238, 239, 242)


def generator_shapes(size=256, **arguments):
    """name -> output shape of each part of a generator, as it runs."""
    generator = Generator(**arguments)
    parts = {
        "stem": generator.stem,
        **{f"down {i}": block for i, block in enumerate(generator.down)},
        "residual": generator.residual[-1],
        "cam": generator.cam,
        "gamma": generator.gamma_head,
        "adaptive": generator.adaptive[-1],
        **{f"up {i}": block for i, block in enumerate(generator.up)},
        "image": generator.to_image,
    }
    return {**_shapes(generator, parts, size), "input": f"{size} x {size} x 3"}


def discriminator_shapes(size=256, **arguments):
    """(local, global), each name -> output shape of a part, in order."""
    discriminator = Discriminator(**arguments)
    found = []
    for network in (discriminator.local_network, discriminator.global_network):
        parts = {f"conv_{i}": layer for i, layer in enumerate(network.convolutions)}
        parts.update(last=network.last, cam=network.cam, logit=network.to_logit)
        found.append(_shapes(network, parts, size))
    return found


def draw_generator(path, size=256, **arguments):
    shapes = generator_shapes(size, **arguments)
    blocks = arguments.get("n_res", 4)
    sheet = Sheet(columns=7, rows=3)
    encoder = (
        ("Picture", "domain A or B", shapes["input"], GREY),
        ("Stem", "conv k7, IN, ReLU", shapes["stem"], BLUE),
        ("Down", "conv k3 s2, IN, ReLU", shapes["down 0"], BLUE),
        ("Down", "conv k3 s2, IN, ReLU", shapes["down 1"], BLUE),
        (f"{blocks} residual blocks", "conv k3, IN, twice", shapes["residual"], BLUE),
        ("CAM", "weighs the channels", shapes["cam"], ORANGE),
        ("1x1 convolution", "ReLU", shapes["cam"], ORANGE),
    )
    decoder = (
        (f"{blocks} adaptive blocks", "conv k3, AdaLIN, twice", shapes["adaptive"], GREEN),
        ("Up", "x2, conv k3, LIN, ReLU", shapes["up 0"], GREEN),
        ("Up", "x2, conv k3, LIN, ReLU", shapes["up 1"], GREEN),
        ("To image", "conv k7, tanh", shapes["image"], GREEN),
        ("Picture", "the other domain", shapes["image"], GREY),
    )
    sheet.chain(0, 0, encoder)
    sheet.chain(1, 2, decoder)
    sheet.box(1, 1, "MLP", "mean, 2 dense, 2 heads", f"gamma, beta: {shapes['gamma']}", ORANGE)
    sheet.box(5, 1, "CAM logits", "average, maximum", "2", GREY)
    sheet.box(6, 1, "Heatmap", "sum over channels", shapes["cam"].rsplit(" x ", 1)[0], GREY)
    for column, row in ((5, 0), (6, 0), (1, 1)):
        sheet.line([sheet.below(column, row), sheet.above(column, row + 1)], True)
    _draw_features(sheet)
    sheet.save(path)


def _draw_features(sheet):
    """The line from the 1x1 convolution to the MLP and to the decoder."""
    lane = sheet.bottom(0) + GAP[1] // 2
    source, mlp, decoder = sheet.below(6, 0), sheet.above(1, 1), sheet.before(1, 2)
    corner = sheet.left(1), lane
    sheet.line([source, (source[0], lane), corner])
    sheet.line([corner, (corner[0], decoder[1]), decoder], True)
    sheet.line([(mlp[0], lane), mlp], True)


def draw_discriminator(path, size=256, **arguments):
    networks = discriminator_shapes(size, **arguments)
    sheet = Sheet(columns=max(map(len, networks)) + 1, rows=2)
    for row, (name, shapes) in enumerate(zip(("Local", "Global"), networks)):
        boxes = [(f"{name} network", "sees a picture", f"{size} x {size} x 3", GREY)]
        for key, shape in shapes.items():
            if key.startswith("conv"):
                boxes.append(("Convolution", "k4 s2, SN, leaky ReLU", shape, BLUE))
        boxes += [
            ("Convolution", "k4 s1, SN, leaky ReLU", shapes["last"], BLUE),
            ("CAM, 1x1 convolution", "2 CAM logits, heatmap", shapes["cam"], ORANGE),
            ("Patch logits", "conv k4 s1, SN", shapes["logit"], GREEN),
        ]
        sheet.chain(0, row, boxes)
    sheet.save(path)


class Sheet:
    """A white page with boxes on a grid and arrows between them."""

    def __init__(self, columns, rows):
        self.size = [
            2 * MARGIN + count * (side + gap) - gap
            for count, side, gap in zip((columns, rows), BOX, GAP)
        ]
        self.image = Image.new("RGB", [SCALE * side for side in self.size], WHITE)
        self.pen = ImageDraw.Draw(self.image)

    def left(self, column):
        """The middle of the gap before `column`."""
        return MARGIN + column * (BOX[0] + GAP[0]) - GAP[0] // 2

    def bottom(self, row):
        return MARGIN + row * (BOX[1] + GAP[1]) + BOX[1]

    def above(self, column, row):
        return self.left(column) + GAP[0] // 2 + BOX[0] // 2, self.bottom(row) - BOX[1]

    def below(self, column, row):
        return self.above(column, row)[0], self.bottom(row)

    def before(self, column, row):
        return self.left(column) + GAP[0] // 2, self.bottom(row) - BOX[1] // 2

    def chain(self, column, row, boxes):
        """Boxes from left to right with arrows between them."""
        for offset, box in enumerate(boxes):
            self.box(column + offset, row, *box)
            if offset:
                x, y = self.before(column + offset, row)
                self.line([(x - GAP[0], y), (x, y)], True)

    def box(self, column, row, title, detail, shape, colour):
        x, y = self.before(column, row)
        y -= BOX[1] // 2
        corners = [SCALE * v for v in (x, y, x + BOX[0], y + BOX[1])]
        self.pen.rounded_rectangle(corners, SCALE * 8, colour, PALE, SCALE)
        lines = (title, 15, INK), (detail, 12.5, PALE), (shape, 14, INK)
        for line, (text, points, ink) in enumerate(lines):
            self._text(text, (x + BOX[0] / 2, y + 20 + 24 * line), points, ink)

    def line(self, points, arrow=False):
        points = [tuple(SCALE * v for v in point) for point in points]
        self.pen.line(points, PALE, 2 * SCALE)
        if arrow:
            (x0, y0), (x, y) = points[-2:]
            dx, dy = (x > x0) - (x < x0), (y > y0) - (y < y0)
            side, back = 4 * SCALE, 8 * SCALE
            base = x - back * dx, y - back * dy
            wings = [(base[0] + side * s * dy, base[1] + side * s * dx) for s in (-1, 1)]
            self.pen.polygon([(x, y), *wings], PALE)

    def save(self, path):
        self.image.resize(self.size, Image.Resampling.LANCZOS).save(path, optimize=True)

    def _text(self, text, centre, points, ink):
        font = ImageFont.load_default(SCALE * points)
        while self.pen.textlength(text, font) > SCALE * (BOX[0] - 12):
            points -= 0.5
            font = ImageFont.load_default(SCALE * points)
        self.pen.text([SCALE * v for v in centre], text, ink, font, anchor="mm")


def _shapes(network, parts, size):
    """Runs `network` once and notes what each of its parts returns."""
    found = {}
    with contextlib.ExitStack() as undo:
        for name, layer in parts.items():
            layer.call = _noting(layer.call, name, found)
            undo.callback(delattr, layer, "call")
        network(tf.zeros([1, size, size, 3]))
    return found


def _noting(call, name, found):
    def noted(*args, **kwargs):
        output = call(*args, **kwargs)
        first = output[0] if isinstance(output, tuple) else output
        found[name] = " x ".join(map(str, first.shape[1:]))
        return output

    return noted


if __name__ == "__main__":
    draw_generator(HERE / "generator.png", light=True)
    draw_discriminator(HERE / "discriminator.png")
