"""One HTML page of results that needs nothing else: images, style and script are inside.

Without JavaScript it is a plain list; with it, rows can be sorted and filtered, images
enlarged, and an "Input" compared with its "Output".
"""

import base64
import dataclasses
import hashlib
import html
import os
import pathlib
import urllib.parse

from PIL import Image

from ugatit_tf.images import files, page

THUMBNAIL = 256  # pixels on the longer side, about 15 to 25 kB
QUALITY = 85


@dataclasses.dataclass(frozen=True)
class Row:
    """One translated image.

    Attributes:
        name: what it is called, usually its file name; any script.
        direction: e.g. "A to B".
        images: title -> uint8 image [height, width, 3], [height, width, 1] or
            [height, width], in the order shown.
        link: path of the written file, relative to the page, or "".
    """

    name: str
    direction: str
    images: dict
    link: str = ""


def write_report(path, rows, *, title, facts, thumbnail=THUMBNAIL, closing=None):
    """Writes the page, whole or not at all; returns how many rows it has.

    Args:
        path: the .html file; its folder is created if necessary.
        rows: any iterable of `Row`. Each is written before the next is asked for, so a
            generator can give thousands.
        title: str, the heading.
        facts: dict of what to know about the run, shown above the images.
        thumbnail: int. Images are made at most this many pixels wide and high.
        closing: function without arguments to what is said below the last row.
    """
    if thumbnail < 1:
        raise ValueError(f"`thumbnail` must be at least 1 pixel. Received: {thumbnail}")
    count = 0
    with files.replacing(path) as file:
        file.write(head(title, facts).encode())
        for row in rows:
            file.write(article(row, thumbnail).encode())
            count += 1
        total = f"{count} result" if count == 1 else f"{count} results"
        total += f". {closing()}" if closing else ""
        file.write(page.FOOT.format(count=escaped(total), script=page.SCRIPT).encode())
    return count


def head(title, facts):
    listed = (f"<dt>{escaped(name)}</dt><dd>{escaped(fact)}</dd>" for name, fact in facts.items())
    return opening(title, page.STYLE, page.SCRIPT) + page.FACTS.format(facts="\n".join(listed))


def opening(title, style, script):
    """Returns the start of a page up to its heading, which allows just this style and script."""
    return page.OPENING.format(
        title=escaped(title),
        style=style,
        style_hash=policy_hash(style),
        script_hash=policy_hash(script),
    )


def article(row, thumbnail):
    link = f'<a href="{escaped(relative_url(row.link))}">file</a>' if row.link else ""
    figures = (figure(title, image, row, thumbnail) for title, image in row.images.items())
    return page.ROW.format(
        name=escaped(row.name),
        direction=escaped(row.direction),
        link=link,
        figures="\n".join(figures),
    )


def figure(title, image, row, thumbnail):
    alt = f"{title}, {row.name}, {row.direction}"
    return page.FIGURE.format(image=embedded(image, alt, thumbnail), title=escaped(title))


def embedded(image, alt, thumbnail=THUMBNAIL):
    """Returns an <img> that holds its image, at most `thumbnail` pixels wide and high."""
    image = files.as_pillow(image)
    image.thumbnail((thumbnail, thumbnail), Image.Resampling.LANCZOS)
    data = files.encode(image, ".jpg", quality=QUALITY)
    return page.IMAGE.format(
        data=base64.b64encode(data).decode(),
        width=image.width,
        height=image.height,
        alt=escaped(alt),
    )


def escaped(text):
    """Returns any text fit for HTML and UTF-8; file names can hold bytes that are not."""
    return html.escape(str(text).encode("utf-8", "replace").decode())


def relative_url(path):
    """Returns a link that stays beside the page, whatever the path looks like."""
    return "./" + urllib.parse.quote(os.fsencode(pathlib.PurePath(path).as_posix()))


def policy_hash(text):
    """Returns what allows exactly this style or script in the page's security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
