"""The frame of our HTML pages: nothing is loaded from outside, and any text is safe in them."""

from __future__ import annotations

import base64
import hashlib
import html

import numpy as np
from PIL import Image

from ugatit_tf.images import image_file
from ugatit_tf.images.image_array import to_pillow

THUMBNAIL = 256  # pixels on the longer side, about 15 to 25 kB
QUALITY = 85

STYLE = """
:root { color-scheme: light dark; --ink: #1d1d1f; --soft: #63636b; --page: #f4f4f6;
  --card: #fff; --line: #d9d9de; --accent: #0b62c4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececf0; --soft: #a2a2ac; --page: #151517; --card: #212124;
    --line: #3a3a40; --accent: #6cb1ff; }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; color: var(--ink); background: var(--page);
  font: 16px/1.45 system-ui, sans-serif; }
"""

OPENING = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:;
 style-src '{style_hash}'; script-src '{script_hash}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
<h1>{title}</h1>
"""

IMAGE = (
    '<img src="data:image/jpeg;base64,{data}" width="{width}" height="{height}"'
    ' loading="lazy" decoding="async" alt="{alt}">'
)


def opening(title: str, style: str, script: str) -> str:
    """Returns the start of a page up to its heading, which allows only this style and script."""
    return OPENING.format(
        title=escaped(title),
        style=style,
        style_hash=policy_hash(style),
        script_hash=policy_hash(script),
    )


def description_list(facts: dict) -> str:
    """Returns a <dl> of names and values."""
    items = (f"<dt>{escaped(name)}</dt><dd>{escaped(fact)}</dd>" for name, fact in facts.items())
    return "<dl>{}</dl>".format("\n".join(items))


def embedded(image: np.ndarray, alt: str, thumbnail: int = THUMBNAIL) -> str:
    """Returns an <img> that contains its image, at most `thumbnail` pixels wide and high."""
    image = to_pillow(image)
    image.thumbnail((thumbnail, thumbnail), Image.Resampling.LANCZOS)
    content = image_file.encode(image, ".jpg", quality=QUALITY)
    return IMAGE.format(
        data=base64.b64encode(content).decode(),
        width=image.width,
        height=image.height,
        alt=escaped(alt),
    )


def escaped(text: object) -> str:
    """Returns any text fit for HTML and UTF-8; file names can hold bytes that are not."""
    return html.escape(str(text).encode("utf-8", "replace").decode())


def policy_hash(text: str) -> str:
    """Returns the entry of the page's security policy that allows exactly this style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
