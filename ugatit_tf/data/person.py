"""A random person of the built-in dataset: pose, face, colors and hair."""

from __future__ import annotations

import colorsys
import dataclasses

import numpy as np

# No hair, skin or outline may come near the black of the eyes: `eye_area` counts on it.
HAIR = np.array([
    (132, 94, 78), (146, 98, 68), (178, 126, 84), (224, 186, 126), (202, 118, 76), (160, 80, 70),
    (138, 132, 142), (228, 142, 166), (112, 146, 204), (162, 130, 198), (106, 174, 162),
])  # fmt: skip
HAIR_CHANCES = [0.15, 0.15, 0.12, 0.14, 0.1, 0.09, 0.05, 0.06, 0.06, 0.04, 0.04]
SKIN = [(252, 224, 204), (246, 208, 180), (232, 186, 150), (206, 154, 116), (178, 126, 94)]
IRIS = np.array([(92, 140, 210), (88, 160, 120), (176, 116, 70), (150, 112, 190)])

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
TIES = {  # ribbons, for the styles that need them
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
    """The looks of a person and the pose of the head; both domains use the same distribution."""

    tilt: float
    zoom: float
    shift: tuple[float, float]
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


def random_person(rng: np.random.Generator) -> Person:
    """Draws a random `Person`."""

    def between(low, high):
        return float(rng.uniform(low, high))

    def color(*hsv):
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
        backdrop=color(between(0, 1), between(0.1, 0.28), 0.95),
        clothes=color(between(0, 1), between(0.2, 0.6), between(0.65, 0.9)),
    )
