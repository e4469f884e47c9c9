"""The HTML page of a run that trains or has trained: progress, samples over time, curves, options.

Everything is inside. Without JavaScript the page shows the first and the latest samples and the
curves; with it a slider shows the samples between, and the curves say their values.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from ugatit_tf import atomic
from ugatit_tf.images import curves, html_page, image_file
from ugatit_tf.images.comparison import Table, text_table
from ugatit_tf.images.html_page import escaped
from ugatit_tf.images.image_array import to_pillow
from ugatit_tf.images.run_page_template import (
    CHARTS,
    FOOT,
    OPTIONS,
    SAMPLES,
    SCRIPT,
    STYLE,
    WARNINGS,
)

MARK = "<!-- ugatit_tf: the page of a run -->"  # only a file with it is replaced
TILE = 192  # pixels: images of a strip are at most so wide
WIDEST = 1200  # pixels: a whole sheet is at most so wide
QUALITY = 85
MOST_STEPS = 40  # places of the slider
ROOM = 8_000_000  # bytes for the images, as they are in the page: a mail may be 10 MB


class Strip(NamedTuple):
    """Images below each other, those of one direction at one step, as a JPEG."""

    jpeg: bytes
    width: int
    height: int


class Samples(NamedTuple):
    """The same images over time.

    Attributes:
        titles: of the groups, e.g. "A to B".
        inputs: the `Strip` of each group, or none where inputs are part of the steps.
        steps: step -> the `Strip` of each group.
    """

    titles: list[str]
    inputs: list[Strip]
    steps: dict[int, list[Strip]]


def strip(images: Sequence[np.ndarray], widest: int = TILE) -> Strip:
    """Puts uint8 images of one size below each other, reduced to at most `widest` pixels."""
    image = to_pillow(np.concatenate(list(images)))
    scale = min(1.0, widest / image.width)
    size = (max(1, round(side * scale)) for side in image.size)
    image = image.resize(tuple(size), Image.Resampling.LANCZOS) if scale < 1 else image
    return Strip(image_file.encode(image, ".jpg", quality=QUALITY), image.width, image.height)


def spread(steps: Sequence[int], most: int = MOST_STEPS) -> list[int]:
    """At most `most` of these steps, evenly, with the first and the last."""
    if len(steps) <= most:
        return list(steps)
    return [steps[round(place)] for place in np.linspace(0, len(steps) - 1, most)]


def thinned(steps: Mapping[int, list[Strip]], room: int = ROOM) -> dict[int, list[Strip]]:
    """Leaves out every second step until the strips need at most `room` bytes in a page.

    The first and the last stay.
    """
    kept = list(steps)
    while len(kept) > 2 and sum(_bytes(steps[step]) for step in kept) > room:
        kept = kept[:-1:2] + kept[-1:]
    return {step: steps[step] for step in kept}


def write_run_page(
    path: str | os.PathLike,
    *,
    title: str,
    facts: Mapping[str, object],
    warnings: Iterable[str],
    samples: Samples | None,
    charts: Iterable[str],
    note: str,
    tables: Mapping[str, Table],
    closing: str,
    command: str,
) -> None:
    """Writes the page, whole or not at all.

    Args:
        path: the .html file; its folder is created if necessary.
        title: the heading.
        facts: name -> value, listed first.
        warnings: sentences; no heading where there are none.
        samples: `Samples`, or None.
        charts: what `curves.chart` returned.
        note: a sentence above them.
        tables: heading -> `Table`; all but the first are folded up.
        closing: a text for the end of the page.
        command: the command that makes the page anew, after it.
    """
    items = "".join(f"<li>{escaped(warning)}</li>" for warning in warnings)
    figures = "".join(charts)
    script = SCRIPT + curves.SCRIPT
    blocks = [
        html_page.opening(title, STYLE, script) + MARK,
        html_page.description_list(dict(facts)),
        WARNINGS.format(items=items) if items else "",
        _samples(samples) if samples else "",
        CHARTS.format(figures=figures, note=escaped(note)) if figures else "",
        *(_folded(heading, table, not i) for i, (heading, table) in enumerate(tables.items())),
        FOOT.format(closing=escaped(closing), command=escaped(command), script=script),
    ]
    with atomic.replacing(path) as file:
        file.write("\n".join(filter(None, blocks)).encode())


def _folded(heading, table, is_open):
    return OPTIONS.format(
        open=" open" if is_open else "", heading=escaped(heading), table=text_table(table)
    )


def _samples(samples):
    steps = list(samples.steps)
    groups = []
    for number, title in enumerate(samples.titles):
        columns = [("Input", samples.inputs[number : number + 1], [])]
        first, last = ([samples.steps[step][number]] for step in (steps[0], steps[-1]))
        columns.append((f"Step {steps[0]:,}", first, []))
        if len(steps) > 1:
            columns.append((f"Step {steps[-1]:,}", last, []))
        figures = [_figure(caption, strips, title) for caption, strips, _ in columns if strips]
        if len(steps) > 2:
            moving = [samples.steps[step][number] for step in steps]
            figures.insert(-1, _figure("", moving, title, ' class="moving" hidden'))
        groups.append(f'<section><h3>{escaped(title)}</h3><div class="strips">')
        groups.append("".join(figures) + "</div></section>")
    return SAMPLES.format(
        groups="".join(groups),
        last=len(steps) - 1,
        middle=len(steps) // 2,
        steps=" ".join(map(str, steps)),
    )


def _figure(caption, strips, title, attributes=""):
    images = "".join(
        f'<img src="data:image/jpeg;base64,{base64.b64encode(one.jpeg).decode()}" '
        f'width="{one.width}" height="{one.height}" alt="{escaped(title)}">'
        for one in strips
    )
    return f"<figure{attributes}>{images}<figcaption>{escaped(caption)}</figcaption></figure>"


def _bytes(strips):
    return sum(-(-len(one.jpeg) // 3) * 4 for one in strips)
