"""Which colors the numbers of an image stand for, and their conversion to sRGB.

A profile counts by its effect on colors, never by its name. A PNG may describe its colors in
chunks of its own instead. As in the PNG specification (third edition), cICP takes precedence over
an ICC profile, that over sRGB, and that over gAMA and cHRM. LittleCMS does the conversion.
"""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageCms

SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # of a profile -> the mode it is for
GRAYS = ("1", "L")
NEAR = 1  # levels of 255: a profile that changes no color by more is sRGB
D50 = (0.9642, 1.0, 0.8249)  # XYZ of the white that profiles refer to
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)

D65 = (0.3127, 0.3290)
SRGB_PRIMARIES = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)  # x, y of white, red, green, blue
PRIMARIES = {  # of cICP (ITU-T H.273) -> the same
    1: SRGB_PRIMARIES,
    9: (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
    12: (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
}
SRGB_CURVE = 13
CURVES = {1: SRGB_CURVE, 4: 1 / 2.2, 5: 1 / 2.8, 6: SRGB_CURVE, 8: 1.0, 13: SRGB_CURVE,
          14: SRGB_CURVE, 15: SRGB_CURVE}  # fmt: skip
HDR = {16: "PQ", 18: "HLG"}
USUAL_GAMMA, ROUNDED = 0.45455, 0.005  # which writers of sRGB round in different ways


class UnknownColors(ValueError):  # noqa: N818
    """Colors that cannot be converted to sRGB; the message says why in one line."""


def profile_of(image: Image.Image) -> bytes | None:
    """Returns the ICC profile of an image; None where it is sRGB or has none.

    Raises:
        UnknownColors: of high dynamic range, or of a cICP chunk that is not known.
    """
    if image.format != "PNG":
        return image.info.get("icc_profile")
    cicp = _cicp(image)
    if cicp:
        return _of_cicp(*cicp)
    if "icc_profile" in image.info or "srgb" in image.info or not image.info.get("gamma"):
        return image.info.get("icc_profile")
    return _of_gamma(image.info["gamma"], image.info.get("chromaticity", SRGB_PRIMARIES))


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Converts an 8-bit image without alpha to sRGB; unchanged where the profile does not fit it.

    Args:
        image: a `PIL.Image.Image` of mode 1, L, RGB or CMYK.
        profile: bytes of an ICC profile, or None.
    """
    transform = _transform(profile, image.mode) if profile else None
    if transform is None:
        return image
    return ImageCms.applyTransform(image.convert(transform.input_mode), transform)


def lab_to_srgb(image: Image.Image) -> Image.Image:
    """Converts an image of mode LAB (CIE L*a*b*, D50) to sRGB."""
    return ImageCms.applyTransform(image, _lab())


@functools.lru_cache(maxsize=16)  # most datasets have one or a few
def _transform(profile, mode):
    """From a profile to sRGB; None where it does not fit `mode`, is broken, or is sRGB already."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        needed = SPACES.get(source.profile.xcolor_space.strip())
        if needed != mode and not (needed == "RGB" and mode in GRAYS):
            return None
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), needed, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):  # broken profile, whole pixels
        return None
    return None if needed != "CMYK" and _changes_nothing(transform) else transform


def _changes_nothing(transform):
    ramp = np.arange(256, dtype=np.uint8)[None]
    if transform.input_mode == "L":
        colors, expected = ramp, np.stack([ramp] * 3, -1)
    else:
        steps = np.arange(0, 256, 15, dtype=np.uint8)
        cube = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
        colors = expected = np.concatenate([cube, np.stack([ramp] * 3, -1)], 1)
    converted = np.asarray(ImageCms.applyTransform(Image.fromarray(colors), transform))
    return np.abs(converted.astype(int) - expected).max() <= NEAR


@functools.lru_cache(maxsize=1)
def _lab():
    profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(*profiles, "LAB", "RGB")


def _cicp(image):
    """The first two numbers of a PNG's cICP chunk, primaries and curve; None without one.

    Pillow does not read it. It stands before the pixels.
    """
    file = getattr(image, "fp", None)
    if file is None:  # the caller has loaded it
        return None
    position = file.tell()
    try:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"cICP":
                return tuple(file.read(2))
            if kind in (b"IDAT", b"IEND"):
                return None
            file.seek(length + 4, io.SEEK_CUR)
        return None
    finally:
        file.seek(position)


def _of_cicp(primaries, curve):
    if curve in HDR:
        raise UnknownColors(
            f"this is an HDR image ({HDR[curve]}), which is not supported; save it for an "
            f"ordinary screen (SDR, sRGB)"
        )
    if primaries not in PRIMARIES or curve not in CURVES:
        raise UnknownColors(
            f"its colors (cICP {primaries}, {curve}) are not known; save it in sRGB"
        )
    if (primaries, CURVES[curve]) == (1, SRGB_CURVE):
        return None
    return matrix_profile(CURVES[curve], PRIMARIES[primaries])


def _of_gamma(gamma, primaries):
    usual = abs(gamma - USUAL_GAMMA) <= ROUNDED
    if not np.allclose(primaries, SRGB_PRIMARIES, rtol=0, atol=ROUNDED):
        return matrix_profile(gamma, tuple(primaries))
    return None if usual else matrix_profile(gamma, SRGB_PRIMARIES)


@functools.lru_cache(maxsize=64)
def matrix_profile(curve: float, primaries: Sequence[float]) -> bytes:
    """Returns the ICC profile (version 2) of a screen.

    Args:
        curve: `SRGB_CURVE`, or a number: light ** curve is what the file holds.
        primaries: x, y of white, red, green and blue.

    Raises:
        UnknownColors: there are no such colors.
    """
    tags = {f"{name}XYZ": _xyz(values) for name, values in zip("rgb", _colorants(primaries))}
    levels = np.linspace(0, 1, 4096)
    if curve == SRGB_CURVE:
        light = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    else:
        light = levels ** (1 / curve)
    points = np.rint(light * 65535).astype(">u2")
    table = b"curv" + struct.pack(">II", 0, len(points)) + points.tobytes()
    return _icc({**tags, "wtpt": _xyz(D50), "rTRC": table, "gTRC": table, "bTRC": table})


def _colorants(primaries):
    """XYZ of red, green and blue, [3, 3], which add up to the white D50."""
    x, y = np.reshape(primaries, [4, 2]).T
    try:
        with np.errstate(all="ignore"):
            white, *colors = np.stack([x / y, np.ones(4), (1 - x - y) / y], -1)  # where Y is 1
        basis = np.transpose(colors)
        matrix = basis * np.linalg.solve(basis, white)
        gains = np.diag(BRADFORD @ D50 / (BRADFORD @ white))
        colorants = (np.linalg.solve(BRADFORD, gains @ BRADFORD) @ matrix).T
    except np.linalg.LinAlgError:
        colorants = np.full([3, 3], np.nan)
    if not np.abs(colorants).max() < 4:  # NaN too
        raise UnknownColors("its cHRM chunk describes no colors; save it in sRGB")
    return colorants


def _xyz(values):
    return b"XYZ " + struct.pack(">I3i", 0, *(round(65536 * value) for value in values))


def _icc(tags):
    """The bytes of a profile: a header of 128 bytes, a table of the tags, and their data."""
    table, content, offsets = b"", b"", {}
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        if data not in offsets:
            offsets[data] = start + len(content)
            content += data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", name.encode(), offsets[data], len(data))
    head = struct.pack(
        ">I4x4s12s12x4s28x3i48x", start + len(content), b"\x02\x10\0\0", b"mntrRGB XYZ ", b"acsp",
        *(round(65536 * value) for value in D50),
    )  # fmt: skip
    return head + struct.pack(">I", len(tags)) + table + content
