"""Converts decoded images to 8 bits and sRGB, and puts transparent ones on white."""

from __future__ import annotations

import contextlib
import dataclasses

import numpy as np
from PIL import Image

from ugatit_tf.images import color_profiles

BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339  # TIFF tags
WHITE_IS_ZERO, SIGNED = 0, 2  # of the second and of the third
DEEP_RGB, LOW_BYTES = "RGB;16B", "RGB;16L"  # of a PNG: Pillow keeps the first of two bytes
SCALED = {"L;2": 85, "L;4": 17}  # by which Pillow multiplies a PNG's few levels
WHOLE = {"La": "LA", "RGBa": "RGBA", "P": "RGBA", "PA": "RGBA"}  # mode -> one with plain alpha


@dataclasses.dataclass(frozen=True)
class Stored:
    """What a file says about its pixels, which Pillow forgets once they are loaded."""

    profile: bytes | None  # ICC
    layout: str = ""  # Pillow's name of how a PNG's pixels are stored
    low_bytes: np.ndarray | None = None  # uint8 [height, width, 3], where they are needed


def stored(image: Image.Image) -> Stored:
    """Returns what must be known about an image before it is loaded."""
    layout = image.tile[0][3] if image.format == "PNG" and getattr(image, "tile", None) else ""
    is_keyed = layout == DEEP_RGB and "transparency" in image.info
    return Stored(color_profiles.profile_of(image), layout, _low_bytes(image) if is_keyed else None)


def convert(image: Image.Image, stored: Stored) -> Image.Image:
    """Converts a loaded image to sRGB with 8 bits a channel, with alpha if it was transparent.

    Args:
        image: a `PIL.Image.Image`.
        stored: the result of `stored` before the image was loaded.
    """
    image = _with_whole_alpha(image)
    alpha = _alpha(image, stored)
    if image.mode == "F" or image.mode.startswith("I"):
        converted = _gray_in_srgb(_levels(image), stored.profile)
    elif image.mode == "LAB":
        converted = color_profiles.lab_to_srgb(image)
    else:
        converted = color_profiles.to_srgb(_without_alpha(_unsigned(image)), stored.profile)
    if alpha is None:
        return converted
    converted = converted.convert("L" if converted.mode in color_profiles.GRAYS else "RGB")
    converted.putalpha(alpha)
    return converted


def on_white(image: Image.Image) -> Image.Image:
    """Returns an opaque image: white where it was transparent."""
    if "A" not in image.getbands():
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return white


def _low_bytes(image):
    """The second bytes of the 16-bit colors of a PNG that is not loaded yet."""
    file = image.fp
    position = file.tell()
    try:
        with Image.open(file, formats=["PNG"]) as second:
            second.tile = [(*tile[:3], LOW_BYTES) for tile in second.tile]
            second.info.pop("transparency")
            return np.array(second)
    finally:
        file.seek(position)


def _with_whole_alpha(image):
    """Converts palettes to colors, and premultiplied alpha to plain alpha."""
    return image.convert(WHOLE[image.mode]) if image.mode in WHOLE else image


def _without_alpha(image):
    modes = {"LA": "L", "RGBA": "RGB", "RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB"}
    return image.convert(modes[image.mode]) if image.mode in modes else image


def _alpha(image, stored):
    """The alpha channel, mode L; made from the color that is named as transparent; or None."""
    if image.mode in ("LA", "RGBA"):
        return image.getchannel("A")
    key = image.info.get("transparency")
    if not isinstance(key, (int, tuple)) or image.mode not in ("1", "L", "I;16", "I", "RGB"):
        return None
    values = np.asarray(image)
    if image.mode == "1":
        is_key = values == bool(key)
    elif image.mode != "RGB":
        is_key = values == key * SCALED.get(stored.layout, 1)
    elif stored.low_bytes is not None:
        is_key = (values == np.array(key) >> 8).all(-1)
        is_key &= (stored.low_bytes == np.array(key) & 255).all(-1)
    else:
        # An image of 16 bits that the caller loaded: only its first bytes are known.
        is_key = (values == (np.array(key) >> 8 if max(key) > 255 else key)).all(-1)
    return Image.fromarray(np.where(is_key, 0, 255).astype(np.uint8))


def _levels(image):
    """The gray levels of an image with more than 8 bits, float [height, width], 0 to 255."""
    tags = getattr(image, "tag_v2", {})
    bits, kind = (_first(tags.get(tag)) for tag in (BITS_PER_SAMPLE, SAMPLE_FORMAT))
    values = np.asarray(image)
    if image.mode == "I" and bits == 32 and kind not in (SIGNED, None):
        values = values.view(np.uint32)  # which Pillow has no mode for
    values = np.nan_to_num(values.astype(np.float64), nan=0, posinf=0, neginf=0)
    if kind == SIGNED and bits == 16 and values.min() >= 0:
        levels = np.floor(values / 128)  # half the range, so 7 bits less
    else:
        low, high = _range(image.mode, bits, values.min(), values.max(), kind == SIGNED)
        levels = (values - low) * 255 / ((high - low) or 1)
    return 255 - levels if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO else levels


def _range(mode, bits, smallest, largest, signed):
    """The values of black and of white in a gray image of more than 8 bits.

    Where no convention fits, these are its darkest and its brightest value.
    """
    if mode == "F":
        whites = 1.0, 255.0
    elif bits == 32 and largest > 2**24:
        whites = (2.0 ** (31 if signed else 32) - 1,)
    else:
        whites = (2.0 ** min(bits or 16, 16) - 1,)
    fits = (white for white in whites if smallest >= 0 and largest <= white)
    return next(((0.0, white) for white in fits), (smallest, largest))


def _unsigned(image):
    """Converts a gray TIFF of signed 8 bits, which Pillow takes for unsigned."""
    tags = getattr(image, "tag_v2", {})
    if image.mode != "L" or _first(tags.get(SAMPLE_FORMAT)) != SIGNED:
        return image
    values = np.asarray(image).view(np.int8).astype(float)
    low, high = (0, 127) if values.min() >= 0 else (values.min(), values.max())
    return Image.fromarray(np.rint((values - low) * 255 / ((high - low) or 1)).astype(np.uint8))


def _gray_in_srgb(levels, profile):
    """Converts before rounding to 8 bits: near black a profile's curve is steep."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    curve = np.asarray(color_profiles.to_srgb(ramp, profile))[0]
    if curve.ndim == 1:  # sRGB already
        return Image.fromarray(np.rint(levels).astype(np.uint8))
    channels = [np.interp(levels, np.arange(256), channel) for channel in curve.T]
    return Image.fromarray(np.rint(np.stack(channels, -1)).astype(np.uint8))


def _first(value):
    """The first of a TIFF tag's values, which are one or several."""
    with contextlib.suppress(TypeError):
        return value[0]
    return value
