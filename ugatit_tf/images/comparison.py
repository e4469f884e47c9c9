"""An HTML page that compares methods: a table, curves, and the same images through all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ugatit_tf import atomic
from ugatit_tf.images import curves, html_page
from ugatit_tf.images.html_page import embedded, escaped

THUMBNAIL = 128  # pixels on the longer side

STYLE = (
    html_page.STYLE
    + """body { max-width: 80rem; }
h1 { margin: 0 0 .75rem; font-size: 1.6rem; line-height: 1.2; }
h2 { margin: 2rem 0 .5rem; font-size: 1.15rem; }
dl { display: grid; grid-template-columns: fit-content(45%) 1fr; gap: .15rem 1.25rem; margin: 0; }
dt, figcaption, .note { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .8rem; border-bottom: 1px solid var(--line); white-space: nowrap;
  text-align: right; }
th:first-child, td:first-child { text-align: left; }
thead th { color: var(--soft); font-weight: 600; white-space: normal; max-width: 8rem;
  vertical-align: bottom; }
.images th, .images td { padding: .2rem; border: 0; text-align: center; font-size: .8rem;
  white-space: normal; vertical-align: bottom; }
.images img { display: block; width: 8rem; height: auto; border-radius: .3rem; }
"""
    + curves.STYLE
)


class Table(NamedTuple):
    """A table of text."""

    header: list[str]
    rows: list[list[str]]


class Images(NamedTuple):
    """A table of images."""

    title: str
    header: list[str]  # one for each column
    rows: list[list[np.ndarray | None]]  # uint8 images; None is left blank


def write_comparison(
    path: str | os.PathLike,
    *,
    title: str,
    facts: dict,
    table: Table,
    charts: dict[str, dict],
    images: Iterable[Images],
    notes: Iterable[str] = (),
) -> None:
    """Writes the page, whole or not at all.

    Args:
        path: the .html file; its folder is created if necessary.
        title: the heading.
        facts: name -> value, listed above the table.
        table: `Table`.
        charts: title -> lines as in `curves.chart`.
        images: iterable of `Images`.
        notes: sentences below the table.
    """
    figures = "".join(curves.chart(name, lines) for name, lines in charts.items())
    blocks = [
        html_page.opening(title, STYLE, curves.SCRIPT),
        html_page.description_list(facts),
        f'<h2>Table</h2><div class="wide">{text_table(table)}</div>',
        *(f'<p class="note">{escaped(note)}</p>' for note in notes),
        f'<h2>Curves</h2><div class="charts">{figures}</div>' if figures else "",
        *(_image_section(section) for section in images),
        f"<script>{curves.SCRIPT}</script></html>\n",
    ]
    with atomic.replacing(path) as file:
        file.write("\n".join(blocks).encode())


def text_table(table: Table) -> str:
    """Returns a <table> of text."""
    return _table(table.header, [[escaped(text) for text in row] for row in table.rows])


def _image_section(section):
    rows = [
        ["" if image is None else embedded(image, "", THUMBNAIL) for image in row]
        for row in section.rows
    ]
    table = _table(section.header, rows, attributes=' class="images"')
    return f'<h2>{escaped(section.title)}</h2><div class="wide">{table}</div>'


def _table(header, rows, attributes=""):
    """A <table> whose cells are HTML already."""
    head = "".join(f'<th scope="col">{escaped(text)}</th>' for text in header)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table{attributes}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
