"""Charts as SVG for an HTML page: lines over steps, axes with round numbers, and a legend."""

from __future__ import annotations

import math

from ugatit_tf.images.html_page import escaped

WIDTH, HEIGHT = 640, 280
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 36  # room for the axes and their numbers
TICKS = 5  # about so many on an axis
# After Okabe and Ito, distinct for the color-blind too; the first is the page's text color.
COLORS = (
    "currentColor", "#e69f00", "#56b4e9", "#009e73", "#9467bd", "#d55e00", "#0072b2", "#cc79a7",
)  # fmt: skip
DASHES = ("", "", "", "", "", "7 4", "2 4", "9 3 2 3")


FAINT = 'stroke-width="1" stroke-opacity="0.15"'


def chart(title: str, lines: dict[str, list[tuple[float, float]]]) -> str:
    """Draws all lines in one chart.

    Args:
        title: of the chart.
        lines: name -> points (x, y); points that are not finite are left out.

    Returns:
        A <figure>; "" where the points have fewer than two different x.
    """
    lines = {name: [p for p in line if all(map(math.isfinite, p))] for name, line in lines.items()}
    points = [point for line in lines.values() for point in line]
    if len({x for x, _ in points}) < 2:
        return ""
    x_ticks, y_ticks = (ticks(min(values), max(values)) for values in zip(*points))

    def position(x, y):
        across = (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0])
        up = (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        left = LEFT + across * (WIDTH - LEFT - RIGHT)
        return left, HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    elements = [_label(*position(x, y_ticks[0]), x, "middle", 0, 20) for x in x_ticks]
    for y in y_ticks:
        (left, height), (right, _) = position(x_ticks[0], y), position(x_ticks[-1], y)
        elements.append(
            f'<path d="M{left:.1f} {height:.1f}H{right:.1f}" stroke="currentColor" {FAINT}/>'
        )
        elements.append(_label(left, height, y, "end", -8, 4))
    styles = dict(zip(lines, _styles()))
    for name, line in lines.items():
        path = "L".join("{:.1f} {:.1f}".format(*position(*point)) for point in line)
        curve = f'<path d="M{path}" fill="none" {styles[name]}/>' if line else ""
        elements.append(f"<g><title>{escaped(name)}</title>{curve}</g>")
    legend = "".join(
        f'<li><svg width="28" height="10"><path d="M0 5H28" {styles[name]}/></svg> '
        f"{escaped(name)}</li>"
        for name in lines
    )
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escaped(title)}">'
    return (
        f"<figure><figcaption>{escaped(title)}</figcaption>{svg}{''.join(elements)}</svg>"
        f"<ul>{legend}</ul></figure>"
    )


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


def _styles():
    for color, dash in zip(COLORS, DASHES):
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        yield f'stroke="{color}" stroke-width="2"{dashed}'


def _label(x, y, value, anchor, right, down):
    text = f"{value:,}" if isinstance(value, int) else f"{value:g}"
    position = f'x="{x + right:.1f}" y="{y + down:.1f}" text-anchor="{anchor}"'
    return f'<text {position} fill="currentColor" font-size="12">{text}</text>'
