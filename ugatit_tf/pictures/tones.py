"""Brings what a decoder gives to 8 bits and sRGB, and transparency onto white."""

import io

import numpy as np
from PIL import Image, ImageCms

BITS_PER_SAMPLE = 258  # a TIFF tag
GREYS = ("1", "L", "LA")
PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def eight_bit(image):
    """Returns the picture with 8 bits a channel: greys with more are scaled, not cut."""
    if image.mode != "F" and not image.mode.startswith("I"):
        return image
    values = np.nan_to_num(np.asarray(image, np.float64), nan=0, posinf=0, neginf=0)
    low, high = brightness_range(image, values.min(), values.max())
    values = (values - low) * 255 / ((high - low) or 1)
    return Image.fromarray(np.rint(values).astype(np.uint8))


def brightness_range(image, smallest, largest):
    """Returns what is black and what is white in a grey picture of more than 8 bits."""
    bits = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, (16,))[0]
    for white in (1.0, 255.0) if image.mode == "F" else (2.0 ** min(bits, 16) - 1,):
        if smallest >= 0 and largest <= white:
            return 0.0, white
    return smallest, largest  # no convention fits: from its darkest to its brightest


def in_srgb(image, profile):
    """Returns a picture of 8 bits in sRGB, with alpha if it was transparent."""
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
    if not profile:
        return image
    try:
        converted = through_profile(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, ValueError):  # broken profile, whole pixels
        return image
    if "A" in image.getbands():
        converted.putalpha(image.getchannel("A"))
    return converted


def through_profile(image, profile):
    """Returns a picture in sRGB without its alpha; one that the profile does not fit, as it is."""
    mode = PROFILE_MODES.get(profile.profile.xcolor_space.strip())
    fits = mode == image.mode.replace("A", "") or (mode == "RGB" and image.mode in GREYS)
    if not fits or "sRGB" in ImageCms.getProfileDescription(profile):
        return image.convert("RGB")
    srgb = ImageCms.createProfile("sRGB")
    return ImageCms.profileToProfile(image.convert(mode), profile, srgb, outputMode="RGB")


def on_white(image):
    """Returns an opaque picture: white shows through where it is transparent."""
    if "A" not in image.getbands():
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return white
