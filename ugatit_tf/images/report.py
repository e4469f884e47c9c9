"""An HTML page of results that loads nothing: images, style and script are inside.

Without JavaScript it is a plain list. With it, rows can be sorted and filtered, images can be
enlarged, and an "Input" can be compared with its "Output".
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import urllib.parse
from collections.abc import Iterable
from typing import Callable

import numpy as np

from ugatit_tf import atomic
from ugatit_tf.errors import counted
from ugatit_tf.images import html_page
from ugatit_tf.images import report_template as template
from ugatit_tf.images.html_page import THUMBNAIL, embedded, escaped


@dataclasses.dataclass(frozen=True)
class Row:
    """One translated image."""

    name: str  # usually the name of its file; any script
    direction: str  # e.g. "A to B"
    images: dict[str, np.ndarray]  # title -> uint8 [height, width, 3], [.., 1] or [height, width]
    link: str = ""  # path of the written file, relative to the page


def write_report(
    path: str | os.PathLike,
    rows: Iterable[Row],
    *,
    title: str,
    facts: dict,
    thumbnail: int = THUMBNAIL,
    closing: Callable[[], str] | None = None,
) -> int:
    """Writes the page, whole or not at all.

    Args:
        path: the .html file; its folder is created if necessary.
        rows: any iterable of `Row`. Each is written before the next is requested, so a generator
            can give thousands.
        title: the heading.
        facts: name -> value, listed above the images.
        thumbnail: images are reduced to at most this many pixels in width and height.
        closing: function that returns a text for the end of the page; called after the last row.

    Returns:
        The number of rows.
    """
    if thumbnail < 1:
        raise ValueError(f"`thumbnail` must be at least 1 pixel. Received: {thumbnail}")
    count = 0
    with atomic.replacing(path) as file:
        opening = html_page.opening(title, template.STYLE, template.SCRIPT)
        file.write((opening + html_page.description_list(facts) + template.CONTROLS).encode())
        for row in rows:
            file.write(_article(row, thumbnail).encode())
            count += 1
        total = counted(count, "result") + (f". {closing()}" if closing else "")
        file.write(template.FOOT.format(count=escaped(total), script=template.SCRIPT).encode())
    return count


def _article(row, thumbnail):
    figures = (_figure(row, title, image, thumbnail) for title, image in row.images.items())
    return template.ROW.format(
        name=escaped(row.name),
        direction=escaped(row.direction),
        link=f'<a href="{escaped(_relative_url(row.link))}">file</a>' if row.link else "",
        figures="\n".join(figures),
    )


def _figure(row, title, image, thumbnail):
    img = embedded(image, f"{title}, {row.name}, {row.direction}", thumbnail)
    return template.FIGURE.format(image=img, title=escaped(title))


def _relative_url(path):
    """A link relative to the page, whatever the path looks like."""
    return "./" + urllib.parse.quote(os.fsencode(pathlib.PurePath(path).as_posix()))
