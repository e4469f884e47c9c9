"""Charts as SVG for an HTML page: lines over steps, axes with round numbers, and a legend.

A page with charts includes `STYLE` and `SCRIPT`. Without the script a chart says its latest values;
with it those at the pointer, or at the place that the arrow keys choose.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ugatit_tf.images.html_page import escaped

WIDTH, HEIGHT = 480, 240
LEFT, RIGHT, TOP, BOTTOM = 66, 24, 12, 32  # room for the axes and their numbers
TICKS = 5  # about so many on an axis
DECADES = 1.5  # values that span more are drawn on a logarithmic axis
# After Okabe and Ito, distinct for the color-blind too; the first is the page's text color.
COLORS = (
    "currentColor", "#e69f00", "#56b4e9", "#009e73", "#9467bd", "#d55e00", "#0072b2", "#cc79a7",
)  # fmt: skip
DASHES = ("", "", "", "", "", "7 4", "2 4", "9 3 2 3")

STYLE = """.charts { display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fit, minmax(min(28rem, 100%), 1fr)); }
.chart { margin: 0; padding: .75rem 1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .75rem; }
.chart b { color: var(--ink); }
.chart > svg { display: block; width: 100%; height: auto; }
@media (max-width: 30rem) { .chart > svg text { font-size: 14px; } }
.chart ul { display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: .25rem 0 0; padding: 0;
  list-style: none; font-size: .85rem; }
.chart output { display: block; min-height: 2.9em; margin-top: .3rem; font-size: .85rem;
  color: var(--soft); font-variant-numeric: tabular-nums; }
"""

SCRIPT = """
for (const chart of document.querySelectorAll(".chart")) {
  const svg = chart.querySelector("svg"), cursor = svg.querySelector(".cursor");
  const output = chart.querySelector("output"), latest = output.textContent;
  const places = JSON.parse(chart.dataset.places), words = JSON.parse(chart.dataset.words);
  let chosen = places.length - 1;
  const choose = number => {
    chosen = Math.max(0, Math.min(places.length - 1, number));
    cursor.setAttribute("d", `M${places[chosen]} 0V${svg.viewBox.baseVal.height}`);
    output.textContent = words[chosen];
  };
  const leave = () => { cursor.setAttribute("d", ""); output.textContent = latest; };
  const point = event => {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const distances = places.map(place => Math.abs(place - x));
    choose(distances.indexOf(Math.min(...distances)));
  };
  svg.tabIndex = 0;
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("blur", leave);
  svg.addEventListener("keydown", event => {
    const moves = {ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity};
    if (!(event.key in moves)) return;
    event.preventDefault();
    choose(chosen + moves[event.key]);
  });
}
"""

FAINT = 'stroke-width="1" stroke-opacity="0.15"'


class Band(NamedTuple):
    """What surrounds a line: a lower and an upper value for each of its points."""

    low: Sequence[float]
    high: Sequence[float]


class Axis:
    """Places of values between the first and the last tick, 0 to 1; linear or logarithmic."""

    def __init__(self, values: Sequence[float], logarithmic: bool = False) -> None:
        low, high = min(values), max(values)
        self.map = math.log10 if logarithmic else float
        self.ticks = log_ticks(low, high) if logarithmic else ticks(low, high)

    def place(self, value: float) -> float:
        first, last = self.map(self.ticks[0]), self.map(self.ticks[-1])
        return (self.map(value) - first) / (last - first)


def chart(
    title: str,
    lines: Mapping[str, Sequence[tuple[float, float]]],
    *,
    bands: Mapping[str, Band] | None = None,
    note: str = "",
    logarithmic: bool | None = None,
) -> str:
    """Draws all lines in one chart.

    Args:
        title: of the chart.
        lines: name -> points (x, y); points that are not finite are left out.
        bands: name of a line -> the `Band` around it.
        note: a sentence beside the title.
        logarithmic: whether the axis of the values is; None: where these span many decades.

    Returns:
        A <figure>; "" where the points have fewer than two different x.
    """
    rows = {name: _rows(line, (bands or {}).get(name)) for name, line in lines.items()}
    if len({row[0] for line in rows.values() for row in line}) < 2:
        return ""
    x_axis = Axis([row[0] for line in rows.values() for row in line])
    values = [value for line in rows.values() for row in line for value in row[1:]]
    is_log = spans_decades(values) if logarithmic is None else logarithmic
    y_axis = Axis(values, is_log)

    def position(x, y):
        left = LEFT + x_axis.place(x) * (WIDTH - LEFT - RIGHT)
        return left, HEIGHT - BOTTOM - y_axis.place(y) * (HEIGHT - TOP - BOTTOM)

    styles = dict(zip(rows, _styles()))
    shapes = [_band(line, position, styles[name]) for name, line in rows.items() if bands]
    shapes += [_curve(name, line, position, styles[name]) for name, line in rows.items()]
    steps = sorted({row[0] for line in rows.values() for row in line})
    words = [_words(step, found) for step, found in zip(steps, _at(steps, rows))]
    places = [round(position(step, y_axis.ticks[0])[0], 1) for step in steps]
    sentences = " ".join(filter(None, [note, "Logarithmic axis." if is_log else ""]))
    return (
        f'<figure class="chart" data-places="{json.dumps(places)}" '
        f'data-words="{escaped(json.dumps(words))}"><figcaption><b>{escaped(title)}</b> '
        f'{escaped(sentences)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escaped(title)}">{_axes(x_axis, y_axis, position)}{"".join(shapes)}'
        f'<path class="cursor" d="" stroke="currentColor" stroke-opacity="0.5"/></svg>'
        f"<ul>{_legend(styles)}</ul><output>{escaped(words[-1])}</output></figure>"
    )


def spans_decades(values: Sequence[float]) -> bool:
    """Whether these are positive and so far apart that a linear axis would hide the small ones."""
    return min(values) > 0 and math.log10(max(values)) - math.log10(min(values)) > DECADES


def ticks(low: float, high: float) -> list[float]:
    """Returns round numbers at equal distances, from at most `low` to at least `high`.

    >>> ticks(0, 100)
    [0, 20, 40, 60, 80, 100]
    >>> ticks(-0.3, 0.1)
    [-0.3, -0.2, -0.1, 0.0, 0.1]
    """
    span = (high - low) or abs(high) or 1
    power = 10.0 ** math.floor(math.log10(span / TICKS))
    step = next(n * power for n in (1, 2, 5, 10) if n * power * TICKS >= span * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, -math.floor(math.log10(step)))
    values = [round(number * step, digits) for number in range(first, max(last, first + 1) + 1)]
    return [int(value) for value in values] if digits == 0 else values


def log_ticks(low: float, high: float) -> list[float]:
    """Returns round positive numbers from at most `low` to at least `high`.

    They are powers of ten, and where these are few, twice and five times those as well.

    >>> log_ticks(0.03, 2)
    [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0]
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 3 else (1,)
    step = max(1, -(-(last - first) // (2 * TICKS)))  # of decades
    values = [float(f"{n}e{power}") for power in range(first, last + step, step) for n in factors]
    start = max(i for i, value in enumerate(values) if value <= low * (1 + 1e-9))
    end = min(i for i, value in enumerate(values) if value >= high * (1 - 1e-9))
    return values[start : max(end, start + 1) + 1]


def _rows(line, band):
    """(x, y) or (x, y, low, high) of the points that are finite."""
    rows = zip(line, band.low, band.high) if band else ((point,) for point in line)
    rows = [(*point, *limits) for point, *limits in rows]
    return [row for row in rows if all(map(math.isfinite, row))]


def _styles():
    for color, dash in zip(COLORS, DASHES):
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        yield f'stroke="{color}" stroke-width="2"{dashed}'


def _legend(styles):
    return "".join(
        f'<li><svg width="28" height="10"><path d="M0 5H28" {style}/></svg> {escaped(name)}</li>'
        for name, style in styles.items()
    )


def _axes(x_axis, y_axis, position):
    elements = [_label(*position(x, y_axis.ticks[0]), x, "middle", 0, 20) for x in x_axis.ticks]
    for y in y_axis.ticks:
        (left, height), (right, _) = (position(x, y) for x in (x_axis.ticks[0], x_axis.ticks[-1]))
        elements.append(
            f'<path d="M{left:.1f} {height:.1f}H{right:.1f}" stroke="currentColor" {FAINT}/>'
        )
        elements.append(_label(left, height, y, "end", -8, 4))
    return "".join(elements)


def _curve(name, line, position, style):
    path = "L".join("{:.1f} {:.1f}".format(*position(x, y)) for x, y, *_ in line)
    curve = f'<path d="M{path}" fill="none" {style}/>' if line else ""
    return f"<g><title>{escaped(name)}</title>{curve}</g>"


def _band(line, position, style):
    corners = [(x, low) for x, _, *limits in line for low in limits[:1]]
    corners += [(x, high) for x, _, *limits in reversed(line) for high in limits[1:]]
    path = "L".join("{:.1f} {:.1f}".format(*position(*corner)) for corner in corners)
    color = style.split('"')[1]
    return f'<path d="M{path}Z" fill="{color}" fill-opacity="0.15"/>' if corners else ""


def _at(steps, rows):
    """For each step: name -> row of the lines that have a point there."""
    lines = {name: {row[0]: row for row in line} for name, line in rows.items()}
    for step in steps:
        yield {name: line[step] for name, line in lines.items() if step in line}


def _words(step, found):
    parts = []
    for name, (_, y, *limits) in found.items():
        between = " ({:.4g} to {:.4g})".format(*limits) if limits else ""
        parts.append(f"{name} {y:.4g}{between}")
    return f"{step:,.0f}: {'; '.join(parts)}"


def _label(x, y, value, anchor, right, down):
    text = f"{value:,}" if isinstance(value, int) else f"{value:g}"
    position = f'x="{x + right:.1f}" y="{y + down:.1f}" text-anchor="{anchor}"'
    return f'<text {position} fill="currentColor" font-size="12">{text}</text>'
