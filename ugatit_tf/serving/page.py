"""The files of the page, and what it needs to know of the model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ugatit_tf.config import VERSION
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.serving.options import ServeOptions

if TYPE_CHECKING:
    from ugatit_tf.translation.translator import Translator

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "web")
INDEX = "index.html"
TYPES = {  # texts are sent as UTF-8
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".wasm": "application/wasm",
}


def files(folder: str = FOLDER) -> dict[str, str]:
    """Name below the URL -> path of every file of the page.

    A request is looked up here, and its text never becomes a path.
    """
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            if os.path.splitext(name)[1] in TYPES:
                found[os.path.relpath(path, folder).replace(os.sep, "/")] = path
    return found


def type_of(path: str) -> str:
    return TYPES[os.path.splitext(path)[1]]


def description(translator: Translator, options: ServeOptions) -> dict:
    """What people and pages need to know of the model. It names no folder of this computer."""
    return {
        "name": "/".join(os.path.abspath(translator.source).split(os.sep)[-2:]),
        "directions": {name: {"title": DIRECTIONS[name].title} for name in translator.directions},
        "default_direction": translator.known_direction(),
        "size": translator.size,
        "channels": translator.channels,
        "any_size": translator.any_size,
        "heatmap": translator.has_heatmap,
        "max_upload_bytes": options.max_upload_bytes,
        "max_pixels": options.max_pixels,
        "version": VERSION,
    }


def _title(name):
    """For people: the run of "run/step_0001000", else the last part."""
    folder, _, last = name.rpartition("/")
    return folder if folder and last.startswith("step_") else os.path.splitext(last)[0]


def config(description: dict) -> dict:
    """The page's config.json, which names its backend: server_backend.js."""
    kind = "images of any size" if description["any_size"] else "squares"
    return {
        "backend": "server",
        "title": _title(description["name"]),
        "about": f"U-GAT-IT, trained at {description['size']} pixels, takes {kind}",
        **description,
    }
