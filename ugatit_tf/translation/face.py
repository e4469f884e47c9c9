"""Finds the face in a photograph, cuts it out as selfies are cut, and puts it back softly.

The detector is OpenCV's boosted cascade (Viola and Jones, CVPR 2001), whose model comes with the
package: `pip install -r requirements-face.txt`.
"""

from __future__ import annotations

import importlib.util

import numpy as np

from ugatit_tf import invocation
from ugatit_tf.errors import Failure

SIDE = 2.0  # of the square, in sides of the face: a selfie shows hair and shoulders too
RAISE = 0.1  # the square's centre lies this much of the face's height above the face's centre
SMALLEST = 0.08  # of a face, in shorter sides of the image; smaller detections are chance
MOST_PIXELS = 800  # the longer side of the image in which faces are detected
EDGE = 0.12  # of the square's side, over which the pasted face fades out


def require(option: str = "face") -> None:
    """Raises a `Failure` that says how to install OpenCV where it is missing.

    Args:
        option: the one that needs it.
    """
    if importlib.util.find_spec("cv2") is None:
        raise _missing(option)


def _missing(option="face"):
    return Failure(f"--{option} needs OpenCV. Install it: {invocation.install('face')}")


def find(pixels: np.ndarray) -> tuple[int, int, int] | None:
    """The square around the largest face of an image.

    Args:
        pixels: uint8 [height, width, 3] or [height, width, 1], upright.

    Returns:
        (top, left, side) in pixels, inside the image; None if no face is found.

    Raises:
        Failure: OpenCV is not installed.
    """
    faces = detect(pixels)
    if not len(faces):
        return None
    left, top, width, height = max(faces, key=lambda box: box[2] * box[3])
    side = min(round(SIDE * max(width, height)), *pixels.shape[:2])
    centre = top + height / 2 - RAISE * height, left + width / 2
    top, left = (
        int(np.clip(round(middle - side / 2), 0, length - side))
        for middle, length in zip(centre, pixels.shape)
    )
    return top, left, side


def detect(pixels: np.ndarray) -> list[list[float]]:
    """[left, top, width, height] of each detected face, in pixels."""
    try:
        import cv2
    except ImportError:
        raise _missing() from None
    grey = pixels[..., 0] if pixels.shape[2] == 1 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    factor = min(1.0, MOST_PIXELS / max(grey.shape))
    if factor < 1:
        size = [max(1, round(side * factor)) for side in grey.shape[::-1]]
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    smallest = max(24, round(SMALLEST * min(grey.shape)))  # 24 is the detector's own size
    cascade = cv2.CascadeClassifier(
        cv2.data.haarcascades + "haarcascade_frontalface_default.xml"
    )  # a new one each time: it is not made for several threads
    faces = cascade.detectMultiScale(
        cv2.equalizeHist(grey), scaleFactor=1.1, minNeighbors=6, minSize=(smallest, smallest)
    )
    return [[value / factor for value in box] for box in np.reshape(faces, [-1, 4]).tolist()]


def cut(pixels: np.ndarray, region: tuple) -> np.ndarray:
    """The pixels of a region (top, left, side)."""
    top, left, side = region
    return pixels[top : top + side, left : left + side]


def paste(pixels: np.ndarray, square: np.ndarray, region: tuple) -> np.ndarray:
    """`pixels` with `square` in its region, fading out over its edge; all uint8."""
    top, left, side = region
    mask = _mask(side)[..., None]
    result = pixels.copy()
    blend = (1 - mask) * cut(pixels, region) + mask * square
    result[top : top + side, left : left + side] = np.rint(blend).astype(np.uint8)
    return result


def place_heatmap(heatmap: np.ndarray, region: tuple, height: int, width: int) -> np.ndarray:
    """A heatmap [side, side] of a region in a whole image, with its lowest value elsewhere."""
    top, left, side = region
    result = np.full([height, width], heatmap.min(), np.float32)
    result[top : top + side, left : left + side] = heatmap
    return result


def _mask(side):
    """float32 [side, side]: 1 inside, falling to 0 at the border, smoothly."""
    distance = np.minimum(np.arange(side), np.arange(side)[::-1]) / max(1, EDGE * side)
    ramp = np.clip(distance, 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return np.outer(ramp, ramp).astype(np.float32)
