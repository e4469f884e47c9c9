"""Draws a random face as a photograph (A) and as a cartoon (B).

Domain A is lit and grainy and has small eyes; domain B is flat and has large ones.
Both share pose, hair, skin and background. The width of a face is about 1.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from ugatit_tf.data.canvas import Canvas, superellipse
from ugatit_tf.data.person import FRINGES, STYLES, TIES, Person

EYE_X, EYE_Y = 0.225, 0.06  # shared by the domains: only the size is to be learned
TURN = 0.1  # how far eyes, nose and mouth move when the head turns

DIMMEST = 0.8  # of dark hair in the shade
INK, LASH, WHITE = (22, 17, 24), (36, 28, 34), (255, 255, 255)

# Where a face comes forward (+) or lies back (-): x, y, width, height, amount.
RELIEF = [
    (0.0, -0.30, 0.28, 0.16, 0.07), (0.0, 0.10, 0.035, 0.17, 0.09), (0.0, 0.25, 0.06, 0.045, 0.12),
    (0.1, 0.02, 0.04, 0.09, -0.14), (-0.1, 0.02, 0.04, 0.09, -0.14),
    (0.23, 0.0, 0.12, 0.06, -0.14), (-0.23, 0.0, 0.12, 0.06, -0.14),
    (0.26, 0.24, 0.12, 0.10, 0.08), (-0.26, 0.24, 0.12, 0.10, 0.08),
    (0.0, 0.33, 0.09, 0.022, -0.18), (0.0, 0.49, 0.10, 0.028, -0.12), (0.0, 0.56, 0.09, 0.05, 0.08),
]  # fmt: skip


def _shapes(canvas, person, chin):
    """The signed distances of the large shapes; a `chin` of 2 is round, less is pointed."""
    x, y = canvas.x, canvas.y
    hair = STYLES[person.style](canvas)
    away = np.abs(x)
    temple, ear = 0.43 * person.width, 0.56
    sides = 4 * np.maximum(away - temple, 0) + 40 * np.maximum(away - ear, 0)
    edge = FRINGES[person.fringe](x - 0.06 * person.turn, person.parting) + sides
    steep = np.where(away > ear, 44, np.where(away > temple, 4, 1.3)).astype(np.float32)
    body = canvas.ellipse(0, 1.16, 0.8, 0.45)
    power = np.where(y > 0.05, np.float32(chin), np.float32(2))  # round above the eyes
    return {
        "hair": hair,
        "fringe": np.maximum(hair, (y - edge) / steep),
        "face": superellipse(x - 0.03 * person.turn, y, 0.5 * person.width, 0.64, power, 2.2),
        "neck": np.minimum(np.maximum(away - 0.165, 0.3 - y), canvas.ellipse(0, 0.72, 0.25, 0.12)),
        "body": np.maximum(body, -canvas.ellipse(0, 0.70, 0.25, 0.12)),
        "collar": np.maximum(body, np.abs(canvas.ellipse(0, 0.70, 0.27, 0.14)) - 0.025),
        "ears": canvas.twins(0.5 * person.width, 0.09, 0.06, 0.11),
    }


def photograph(canvas: Canvas, person: Person, rng: np.random.Generator) -> list[tuple[int, float]]:
    """Paints domain A: light from one side, small eyes.

    Returns:
        The grain to add: (cells of noise across the image, gray levels).
    """
    distance, x, y = _shapes(canvas, person, 1.85), canvas.x, canvas.y
    slope = canvas.u * person.light * 16 - canvas.v * 14
    canvas.rgb[:] = (
        _muted(person.backdrop * 0.84)[:, None, None] + slope + 9 * noise(rng, 7, len(x))
    )
    lines, skin = canvas.rays(-0.85, rng, (60, 220)), _lit_skin(canvas, person)
    whole, fringe = distance["hair"] + 0.008 * lines, distance["fringe"] + 0.012 * lines
    lean = 0.13 * person.light * x
    hair, clothes = _muted(person.hair)[:, None, None], person.clothes[:, None, None]
    fold = 0.86 + lean + 0.05 * np.sin(9 * x + 4 * y)

    canvas.paint(whole, hair * np.maximum(0.82 + 0.06 * lines + lean, DIMMEST), soft=0.03)
    canvas.paint(distance["neck"], person.skin[:, None, None] * (0.86 + lean), soft=0.03)
    under_chin = np.maximum(distance["neck"], distance["face"] - 0.09)
    canvas.paint(under_chin, person.skin * (0.62, 0.54, 0.5), 0.75, soft=0.09)
    canvas.paint(distance["body"], clothes * fold, soft=0.02)
    canvas.paint(distance["collar"], clothes * fold * 0.86, soft=0.02)
    canvas.paint(distance["ears"], skin * 0.88, soft=0.03)
    canvas.paint(distance["face"], skin, soft=0.025)
    for side in (-1, 1):
        _photograph_eye(
            canvas.near(side * EYE_X + TURN * person.turn, EYE_Y, 0.22, side), person, side
        )
    nose = canvas.near(TURN * person.turn, 0.295, 0.1)
    nose.paint(nose.twins(0.034, 0, 0.028, 0.015), person.skin * (0.62, 0.48, 0.44), 0.8, soft=0.02)
    _photograph_mouth(canvas.near(TURN * person.turn, 0.415, 0.22), person)
    shadow = np.maximum(fringe - 0.03, distance["face"] + 0.03)
    canvas.paint(shadow, person.skin * (0.6, 0.5, 0.45), 0.4, soft=0.1)
    canvas.paint(fringe, hair * _hair_light(canvas, person, lines, whole), soft=0.03)
    if person.style in TIES:
        canvas.paint(TIES[person.style](canvas), clothes * fold, soft=0.03)
    return [(64, 1.8), (128, 3.0), (256, 4.0)]


def _hair_light(canvas, person, lines, hair):
    """The brightness of the hair: round at its outline, with a ring of gloss."""
    ring = np.hypot(canvas.x - 0.1 * person.light, canvas.y + 0.05)
    gloss = np.exp(-(((ring + 0.03 * lines - 0.48) / 0.1) ** 2)) * np.clip(-canvas.y, 0, 0.5)
    thickness = np.clip(-hair / 0.16, 0, 1)
    side = 0.16 * person.light * canvas.x
    light = 0.74 + 0.24 * thickness * (2 - thickness) + 0.09 * lines + 0.7 * gloss + side
    return np.maximum(light, DIMMEST)


def _muted(color):
    """A color as a camera sees it, less saturated than on paper."""
    return color + 0.3 * (color.mean() - color)


def noise(rng: np.random.Generator, cells: int, size: int) -> np.ndarray:
    """Returns smooth noise [size, size], the same at every size."""
    field = Image.fromarray(rng.standard_normal([cells, cells], np.float32))
    return np.asarray(field.resize([size, size], Image.BICUBIC))


def _lit_skin(canvas, person):
    """The lit skin [3, height, width] of a round head with the `RELIEF` of a face."""
    x, y = canvas.x / 0.60, canvas.y / 0.78
    light = 0.6 * person.light * x - 0.3 * y + 0.72 * np.sqrt(np.clip(1 - x * x - y * y, 0.02, 1))
    turn = TURN * person.turn
    for x_of, y_of, width, height, amount in RELIEF:
        light += amount * canvas.bump(x_of + turn, y_of, width, height)
    bridge = np.tanh((canvas.x - turn) / 0.03) * canvas.bump(turn, 0.12, 0.08, 0.16)
    light = 0.5 + 0.58 * np.clip(light + 0.08 * person.light * bridge, 0, 1.15)
    blush = sum(canvas.bump(side * 0.28 + turn, 0.24, 0.15, 0.12) for side in (-1, 1))
    shine = canvas.bump(turn + 0.12 * person.light, -0.2, 0.12, 0.1)
    shine = 12 * shine + 22 * canvas.bump(turn + 0.012 * person.light, 0.22, 0.022, 0.05)
    red, green, blue = person.skin.tolist()
    pale = 1 - 0.1 * blush
    return np.stack([red * light**0.75, green * light * pale, blue * light**1.15 * pale]) + shine


def _photograph_eye(eye, person, side):
    wide, high = 0.098 * (1 - 0.14 * max(0.0, side * person.turn)), 0.05 * person.lid
    lid = eye.ellipse(0, 0.035, wide * 1.12, high * 1.75)
    almond = np.maximum(lid, eye.ellipse(0, -0.03, wide * 1.12, high * 1.6))
    gaze = 0.02 * person.turn * side
    iris = eye.ellipse(gaze, -0.004, 0.049, 0.05)

    eye.paint(almond - 0.014, person.skin * (0.55, 0.45, 0.42), 0.6, soft=0.03)
    eye.paint(almond, (230, 226, 222), soft=0.012)
    eye.paint(np.maximum(iris, almond), person.iris * 0.38, soft=0.012)
    eye.paint(np.maximum(iris + 0.018, almond), INK, soft=0.012)
    eye.paint(eye.ellipse(gaze + 0.016 * person.light * side, -0.02, 0.012, 0.012), WHITE, 0.9)
    eye.paint(np.maximum(np.abs(lid) - 0.007, eye.y), LASH, 0.85, soft=0.015)
    eye.x = eye.x - 0.01  # brows sit a little further out
    brow = eye.arc(-0.135 - 0.02 * person.brow, 0.13, -0.035, 0.018)
    eye.paint(brow, _muted(person.hair) * 0.8, 0.8, soft=0.03)


def _photograph_mouth(mouth, person):
    half, bend, gap = 0.14 + 0.03 * person.smile, 0.012 + 0.045 * person.smile, 0.035 * person.mouth
    lips, inside = person.skin * (0.86, 0.58, 0.56), person.skin * (0.58, 0.34, 0.33)
    lower = 0.014 + 0.6 * gap

    mouth.paint(mouth.arc(-0.01 - 0.4 * gap, half, bend * 0.6, 0.024), lips * 0.9, soft=0.02)
    mouth.paint(mouth.arc(lower, half * 0.9, bend * 1.3, 0.032), lips, soft=0.025)
    mouth.paint(mouth.ellipse(0, lower + 0.01, 0.05, 0.012), lips * 1.25, 0.5, soft=0.03)
    mouth.paint(mouth.arc(0, half, bend, 0.006 + gap), inside, soft=0.012)
    if gap > 0.008:
        mouth.paint(mouth.arc(-0.003, half * 0.8, bend, gap * 0.7), (240, 234, 226), soft=0.012)


def cartoon(canvas: Canvas, person: Person, rng: np.random.Generator) -> list[tuple[int, float]]:
    """Paints domain B: flat colors, thin outlines, large eyes. Returns no grain."""
    distance, skin, dark = _shapes(canvas, person, 1.4), person.skin, _outline(person.hair)
    ink, shade = skin * (0.66, 0.48, 0.48), skin * (0.93, 0.82, 0.82)
    canvas.rgb[:] = person.backdrop[:, None, None]

    canvas.outlined(distance["hair"], person.hair * 0.84, dark)
    canvas.outlined(distance["neck"], skin, ink)
    canvas.paint(np.maximum(distance["neck"] + 0.011, distance["face"] - 0.07), shade)
    canvas.outlined(distance["body"], person.clothes, person.clothes * 0.62)
    canvas.outlined(distance["collar"], person.clothes * 0.88, person.clothes * 0.62)
    canvas.outlined(distance["ears"], skin, ink)
    canvas.outlined(distance["face"], skin, ink)
    canvas.paint(np.maximum(distance["fringe"] - 0.05, distance["face"] + 0.011), shade)
    for side in (-1, 1):
        cheek = canvas.near(side * 0.3 + TURN * person.turn, 0.3, 0.1)
        cheek.paint(cheek.ellipse(0, 0, 0.07, 0.035), skin * (1, 0.8, 0.8))
        _cartoon_eye(
            canvas.near(side * EYE_X + TURN * person.turn, EYE_Y, 0.34, side), person, side
        )
    mouth = canvas.near(TURN * person.turn, 0.41, 0.18)
    mouth.paint(mouth.ellipse(0.012, -0.12, 0.016, 0.011), ink)
    if person.mouth > 0.1:
        shape = mouth.ellipse(0, -0.025, 0.10, 0.06 + 0.05 * person.mouth)
        mouth.outlined(np.maximum(shape, -0.02 - mouth.y), (214, 104, 104), ink * 0.9)
    else:
        mouth.paint(mouth.arc(0, 0.1, 0.02 + 0.05 * person.smile, 0.012), ink * 0.9)
    canvas.outlined(distance["fringe"], person.hair, dark)
    gloss = 0.028 * (1 - (2.2 * canvas.x - 0.5 * person.light) ** 2)
    gloss = np.abs(canvas.ellipse(0, 0.02, 0.62, 0.62) + 0.16) - gloss
    gloss = np.maximum(np.maximum(gloss, canvas.y + 0.2), distance["fringe"] + 0.03)
    canvas.paint(gloss, person.hair + (255 - person.hair) * 0.4)
    if person.style in TIES:
        canvas.outlined(TIES[person.style](canvas), person.clothes, person.clothes * 0.62)
    return []


def _outline(color):
    return np.maximum(color * 0.68, (98, 70, 74))


def _cartoon_eye(eye, person, side):
    wide, high = 0.135 * (1 - 0.14 * max(0.0, side * person.turn)), 0.175 * person.lid
    white, gaze = eye.ellipse(0, 0, wide, high), 0.025 * person.turn * side
    iris = np.maximum(eye.ellipse(gaze, 0.005, wide * 0.8, high * 0.92), white)
    lower = np.maximum(iris + 0.018, eye.ellipse(gaze, 0.13, wide * 0.75, high * 0.5))
    lash = -eye.ellipse(0, 0.035, wide * 1.08, high * 1.08)
    lash = np.maximum(np.maximum(eye.ellipse(0, 0, wide * 1.12, high * 1.1), lash), eye.y + 0.04)

    eye.paint(white, WHITE)
    eye.paint(iris, INK)
    eye.paint(lower, person.iris)
    eye.paint(eye.ellipse(gaze - 0.035 * side, -0.065, 0.034, 0.043), WHITE)
    eye.paint(eye.ellipse(gaze + 0.04 * side, 0.05, 0.018, 0.02), WHITE)
    eye.paint(lash, LASH)
    eye.paint(eye.arc(-0.25 - 0.02 * person.brow, 0.1, -0.025, 0.012), _outline(person.hair))
