"""What a face is, and how it is drawn as a photograph (A) and as a cartoon (B).

Domain A is lit and grainy and has small eyes; domain B is flat and has large ones.
Both share pose, hair, skin and background. The face is about one wide.
"""

import colorsys
import dataclasses

import numpy as np
from PIL import Image

from ugatit_tf.data.canvas import superellipse

EYE_X, EYE_Y = 0.225, 0.06  # shared by the domains: only the size is to be learned
TURN = 0.1  # how far the features move when the head turns

# No hair, skin or outline may come near the black of the eyes: `eye_area` counts on it.
HAIR = np.array([
    (132, 94, 78), (146, 98, 68), (178, 126, 84), (224, 186, 126), (202, 118, 76), (160, 80, 70),
    (138, 132, 142), (228, 142, 166), (112, 146, 204), (162, 130, 198), (106, 174, 162),
])  # fmt: skip
HAIR_CHANCES = [0.15, 0.15, 0.12, 0.14, 0.1, 0.09, 0.05, 0.06, 0.06, 0.04, 0.04]
SKIN = [(252, 224, 204), (246, 208, 180), (232, 186, 150), (206, 154, 116), (178, 126, 94)]
IRIS = np.array([(92, 140, 210), (88, 160, 120), (176, 116, 70), (150, 112, 190)])
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

STYLES = {  # the whole hair, as a signed distance
    "short": lambda c: c.ellipse(0, -0.13, 0.57, 0.59),
    "curly": lambda c: (
        c.ellipse(0, -0.13, 0.66, 0.66) + 0.03 * np.cos(13 * np.arctan2(c.x, -c.y - 0.1))
    ),
    "bob": lambda c: np.minimum(c.ellipse(0, -0.13, 0.6, 0.61), c.ellipse(0, 0.14, 0.64, 0.5)),
    "long": lambda c: (
        np.minimum(c.ellipse(0, -0.13, 0.59, 0.61), c.ellipse(0, 0.6, 0.64, 1.1))
        + 0.012 * np.sin(11 * c.y)
    ),
    "tails": lambda c: np.minimum(
        c.ellipse(0, -0.13, 0.58, 0.6),
        np.minimum(c.twins(0.64, -0.06, 0.13, 0.14), c.twins(0.71, 0.24, 0.15, 0.36)),
    ),
    "bun": lambda c: np.minimum(c.ellipse(0, -0.13, 0.57, 0.6), c.ellipse(0, -0.74, 0.22, 0.18)),
}
TIES = {  # what holds it, for the styles that need it
    "tails": lambda c: c.twins(0.575, -0.12, 0.045, 0.065),
    "bun": lambda c: c.arc(-0.7, 0.19, -0.05, 0.035),
}
FRINGES = {  # its lower edge over the face, as a height for each x
    "straight": lambda x, parting: -0.22 + 0.025 * np.cos(24 * x) + 0.1 * x * x,
    "parted": lambda x, parting: -0.5 + 0.85 * np.abs(x - parting) ** 1.15,
    "swept": lambda x, parting: -0.33 + 0.5 * np.sign(parting) * x + 0.6 * x * x,
    "spiky": lambda x, parting: -0.32 + 0.15 * np.abs(((x + parting) * 4.5) % 1 * 2 - 1),
}


@dataclasses.dataclass(frozen=True)
class Person:
    """Who is drawn and how the head is held; both domains draw from the same chances."""

    tilt: float
    zoom: float
    shift: tuple
    turn: float  # -1 looks to the left, 1 to the right
    width: float
    smile: float
    mouth: float  # 0 is closed
    brow: float
    lid: float
    light: float  # -1 from the left, 1 from the right
    style: str
    fringe: str
    parting: float
    hair: np.ndarray
    skin: np.ndarray
    iris: np.ndarray
    backdrop: np.ndarray
    clothes: np.ndarray


def person(rng):
    """Returns a random `Person`."""

    def between(low, high):
        return float(rng.uniform(low, high))

    def colour(*hsv):
        return np.array(colorsys.hsv_to_rgb(*hsv)) * 255

    tone = (len(SKIN) - 1) * between(0, 1) ** 1.4
    return Person(
        tilt=float(rng.normal(0, 0.09)),
        zoom=between(1.02, 1.18),
        shift=(between(-0.06, 0.06), between(-0.02, 0.08)),
        turn=between(-1, 1),
        width=between(0.94, 1.05),
        smile=between(-0.2, 1),
        mouth=max(0.0, between(-1, 1)),
        brow=between(-1, 1),
        lid=between(0.88, 1.06),
        light=float(rng.choice([-1, 1])) * between(0.4, 1),
        style=str(rng.choice(list(STYLES))),
        fringe=str(rng.choice(list(FRINGES))),
        parting=between(-0.25, 0.25),
        hair=np.clip(rng.choice(HAIR, p=HAIR_CHANCES) + between(-9, 9), 60, 236),
        skin=np.array([np.interp(tone, range(len(SKIN)), channel) for channel in zip(*SKIN)]),
        iris=IRIS[rng.integers(len(IRIS))],
        backdrop=colour(between(0, 1), between(0.1, 0.28), 0.95),
        clothes=colour(between(0, 1), between(0.2, 0.6), between(0.65, 0.9)),
    )


def shapes(canvas, who, chin):
    """Returns the signed distances of the large parts; a `chin` of 2 is round, less is pointed."""
    x, y = canvas.x, canvas.y
    hair = STYLES[who.style](canvas)
    away = np.abs(x)
    temple, ear = 0.43 * who.width, 0.56
    sides = 4 * np.maximum(away - temple, 0) + 40 * np.maximum(away - ear, 0)
    edge = FRINGES[who.fringe](x - 0.06 * who.turn, who.parting) + sides
    steep = np.where(away > ear, 44, np.where(away > temple, 4, 1.3)).astype(np.float32)
    body = canvas.ellipse(0, 1.16, 0.8, 0.45)
    power = np.where(y > 0.05, np.float32(chin), np.float32(2))  # round above the eyes
    return {
        "hair": hair,
        "fringe": np.maximum(hair, (y - edge) / steep),
        "face": superellipse(x - 0.03 * who.turn, y, 0.5 * who.width, 0.64, power, 2.2),
        "neck": np.minimum(np.maximum(away - 0.165, 0.3 - y), canvas.ellipse(0, 0.72, 0.25, 0.12)),
        "body": np.maximum(body, -canvas.ellipse(0, 0.70, 0.25, 0.12)),
        "collar": np.maximum(body, np.abs(canvas.ellipse(0, 0.70, 0.27, 0.14)) - 0.025),
        "ears": canvas.twins(0.5 * who.width, 0.09, 0.06, 0.11),
    }


def photograph(canvas, who, rng):
    """Paints domain A: light from one side, small eyes. Returns its grain."""
    part, x, y = shapes(canvas, who, 1.85), canvas.x, canvas.y
    slope = canvas.u * who.light * 16 - canvas.v * 14
    canvas.rgb[:] = muted(who.backdrop * 0.84)[:, None, None] + slope + 9 * noise(rng, 7, len(x))
    lines, skin = canvas.rays(-0.85, rng, (60, 220)), lit_skin(canvas, who)
    whole, fringe = part["hair"] + 0.008 * lines, part["fringe"] + 0.012 * lines
    lean = 0.13 * who.light * x
    hair, clothes = muted(who.hair)[:, None, None], who.clothes[:, None, None]
    fold = 0.86 + lean + 0.05 * np.sin(9 * x + 4 * y)

    canvas.paint(whole, hair * np.maximum(0.82 + 0.06 * lines + lean, DIMMEST), soft=0.03)
    canvas.paint(part["neck"], who.skin[:, None, None] * (0.86 + lean), soft=0.03)
    under_chin = np.maximum(part["neck"], part["face"] - 0.09)
    canvas.paint(under_chin, who.skin * (0.62, 0.54, 0.5), 0.75, soft=0.09)
    canvas.paint(part["body"], clothes * fold, soft=0.02)
    canvas.paint(part["collar"], clothes * fold * 0.86, soft=0.02)
    canvas.paint(part["ears"], skin * 0.88, soft=0.03)
    canvas.paint(part["face"], skin, soft=0.025)
    for side in (-1, 1):
        photograph_eye(canvas.near(side * EYE_X + TURN * who.turn, EYE_Y, 0.22, side), who, side)
    nose = canvas.near(TURN * who.turn, 0.295, 0.1)
    nose.paint(nose.twins(0.034, 0, 0.028, 0.015), who.skin * (0.62, 0.48, 0.44), 0.8, soft=0.02)
    photograph_mouth(canvas.near(TURN * who.turn, 0.415, 0.22), who)
    shadow = np.maximum(fringe - 0.03, part["face"] + 0.03)
    canvas.paint(shadow, who.skin * (0.6, 0.5, 0.45), 0.4, soft=0.1)
    canvas.paint(fringe, hair * hair_light(canvas, who, lines, whole), soft=0.03)
    if who.style in TIES:
        canvas.paint(TIES[who.style](canvas), clothes * fold, soft=0.03)
    return [(64, 1.8), (128, 3.0), (256, 4.0)]  # cells across, grey levels


def hair_light(canvas, who, lines, hair):
    """Returns how bright the hair is: round at its outline, with a ring of gloss."""
    ring = np.hypot(canvas.x - 0.1 * who.light, canvas.y + 0.05)
    gloss = np.exp(-(((ring + 0.03 * lines - 0.48) / 0.1) ** 2)) * np.clip(-canvas.y, 0, 0.5)
    thickness = np.clip(-hair / 0.16, 0, 1)
    side = 0.16 * who.light * canvas.x
    light = 0.74 + 0.24 * thickness * (2 - thickness) + 0.09 * lines + 0.7 * gloss + side
    return np.maximum(light, DIMMEST)


def muted(colour):
    """Returns a colour as a camera would see it, less pure than on paper."""
    return colour + 0.3 * (colour.mean() - colour)


def noise(rng, cells, size):
    """Returns smooth noise that is the same at every size."""
    field = Image.fromarray(rng.standard_normal([cells, cells], np.float32))
    return np.asarray(field.resize([size, size], Image.BICUBIC))


def lit_skin(canvas, who):
    """Returns the skin [3, height, width] of a round head with the `RELIEF` of a face."""
    x, y = canvas.x / 0.60, canvas.y / 0.78
    light = 0.6 * who.light * x - 0.3 * y + 0.72 * np.sqrt(np.clip(1 - x * x - y * y, 0.02, 1))
    turn = TURN * who.turn
    for place_x, place_y, width, height, amount in RELIEF:
        light += amount * canvas.bump(place_x + turn, place_y, width, height)
    bridge = np.tanh((canvas.x - turn) / 0.03) * canvas.bump(turn, 0.12, 0.08, 0.16)
    light = 0.5 + 0.58 * np.clip(light + 0.08 * who.light * bridge, 0, 1.15)
    blush = sum(canvas.bump(side * 0.28 + turn, 0.24, 0.15, 0.12) for side in (-1, 1))
    shine = canvas.bump(turn + 0.12 * who.light, -0.2, 0.12, 0.1)
    shine = 12 * shine + 22 * canvas.bump(turn + 0.012 * who.light, 0.22, 0.022, 0.05)
    red, green, blue = who.skin.tolist()
    pale = 1 - 0.1 * blush
    return np.stack([red * light**0.75, green * light * pale, blue * light**1.15 * pale]) + shine


def photograph_eye(eye, who, side):
    wide, high = 0.098 * (1 - 0.14 * max(0.0, side * who.turn)), 0.05 * who.lid
    lid = eye.ellipse(0, 0.035, wide * 1.12, high * 1.75)
    almond = np.maximum(lid, eye.ellipse(0, -0.03, wide * 1.12, high * 1.6))
    gaze = 0.02 * who.turn * side
    iris = eye.ellipse(gaze, -0.004, 0.049, 0.05)

    eye.paint(almond - 0.014, who.skin * (0.55, 0.45, 0.42), 0.6, soft=0.03)
    eye.paint(almond, (230, 226, 222), soft=0.012)
    eye.paint(np.maximum(iris, almond), who.iris * 0.38, soft=0.012)
    eye.paint(np.maximum(iris + 0.018, almond), INK, soft=0.012)
    eye.paint(eye.ellipse(gaze + 0.016 * who.light * side, -0.02, 0.012, 0.012), WHITE, 0.9)
    eye.paint(np.maximum(np.abs(lid) - 0.007, eye.y), LASH, 0.85, soft=0.015)
    eye.x = eye.x - 0.01  # brows sit a little further out
    brow = eye.arc(-0.135 - 0.02 * who.brow, 0.13, -0.035, 0.018)
    eye.paint(brow, muted(who.hair) * 0.8, 0.8, soft=0.03)


def photograph_mouth(mouth, who):
    half, bend, gap = 0.14 + 0.03 * who.smile, 0.012 + 0.045 * who.smile, 0.035 * who.mouth
    lips, inside = who.skin * (0.86, 0.58, 0.56), who.skin * (0.58, 0.34, 0.33)
    lower = 0.014 + 0.6 * gap

    mouth.paint(mouth.arc(-0.01 - 0.4 * gap, half, bend * 0.6, 0.024), lips * 0.9, soft=0.02)
    mouth.paint(mouth.arc(lower, half * 0.9, bend * 1.3, 0.032), lips, soft=0.025)
    mouth.paint(mouth.ellipse(0, lower + 0.01, 0.05, 0.012), lips * 1.25, 0.5, soft=0.03)
    mouth.paint(mouth.arc(0, half, bend, 0.006 + gap), inside, soft=0.012)
    if gap > 0.008:
        mouth.paint(mouth.arc(-0.003, half * 0.8, bend, gap * 0.7), (240, 234, 226), soft=0.012)


def cartoon(canvas, who, rng):
    """Paints domain B: flat colours, thin outlines, large eyes. No grain."""
    part, skin, dark = shapes(canvas, who, 1.4), who.skin, outline(who.hair)
    ink, shade = skin * (0.66, 0.48, 0.48), skin * (0.93, 0.82, 0.82)
    canvas.rgb[:] = who.backdrop[:, None, None]

    canvas.outlined(part["hair"], who.hair * 0.84, dark)
    canvas.outlined(part["neck"], skin, ink)
    canvas.paint(np.maximum(part["neck"] + 0.011, part["face"] - 0.07), shade)
    canvas.outlined(part["body"], who.clothes, who.clothes * 0.62)
    canvas.outlined(part["collar"], who.clothes * 0.88, who.clothes * 0.62)
    canvas.outlined(part["ears"], skin, ink)
    canvas.outlined(part["face"], skin, ink)
    canvas.paint(np.maximum(part["fringe"] - 0.05, part["face"] + 0.011), shade)
    for side in (-1, 1):
        cheek = canvas.near(side * 0.3 + TURN * who.turn, 0.3, 0.1)
        cheek.paint(cheek.ellipse(0, 0, 0.07, 0.035), skin * (1, 0.8, 0.8))
        cartoon_eye(canvas.near(side * EYE_X + TURN * who.turn, EYE_Y, 0.34, side), who, side)
    mouth = canvas.near(TURN * who.turn, 0.41, 0.18)
    mouth.paint(mouth.ellipse(0.012, -0.12, 0.016, 0.011), ink)
    if who.mouth > 0.1:
        shape = mouth.ellipse(0, -0.025, 0.10, 0.06 + 0.05 * who.mouth)
        mouth.outlined(np.maximum(shape, -0.02 - mouth.y), (214, 104, 104), ink * 0.9)
    else:
        mouth.paint(mouth.arc(0, 0.1, 0.02 + 0.05 * who.smile, 0.012), ink * 0.9)
    canvas.outlined(part["fringe"], who.hair, dark)
    gloss = 0.028 * (1 - (2.2 * canvas.x - 0.5 * who.light) ** 2)
    gloss = np.abs(canvas.ellipse(0, 0.02, 0.62, 0.62) + 0.16) - gloss
    gloss = np.maximum(np.maximum(gloss, canvas.y + 0.2), part["fringe"] + 0.03)
    canvas.paint(gloss, who.hair + (255 - who.hair) * 0.4)
    if who.style in TIES:
        canvas.outlined(TIES[who.style](canvas), who.clothes, who.clothes * 0.62)
    return []


def outline(colour):
    return np.maximum(colour * 0.68, (98, 70, 74))


def cartoon_eye(eye, who, side):
    wide, high = 0.135 * (1 - 0.14 * max(0.0, side * who.turn)), 0.175 * who.lid
    white, gaze = eye.ellipse(0, 0, wide, high), 0.025 * who.turn * side
    iris = np.maximum(eye.ellipse(gaze, 0.005, wide * 0.8, high * 0.92), white)
    lower = np.maximum(iris + 0.018, eye.ellipse(gaze, 0.13, wide * 0.75, high * 0.5))
    lash = -eye.ellipse(0, 0.035, wide * 1.08, high * 1.08)
    lash = np.maximum(np.maximum(eye.ellipse(0, 0, wide * 1.12, high * 1.1), lash), eye.y + 0.04)

    eye.paint(white, WHITE)
    eye.paint(iris, INK)
    eye.paint(lower, who.iris)
    eye.paint(eye.ellipse(gaze - 0.035 * side, -0.065, 0.034, 0.043), WHITE)
    eye.paint(eye.ellipse(gaze + 0.04 * side, 0.05, 0.018, 0.02), WHITE)
    eye.paint(lash, LASH)
    eye.paint(eye.arc(-0.25 - 0.02 * who.brow, 0.1, -0.025, 0.012), outline(who.hair))
