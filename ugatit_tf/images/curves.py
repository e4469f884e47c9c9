"""Curves as SVG for a page: lines over steps, axes with round numbers, and a legend."""

import math

from ugatit_tf.images.report import escaped

WIDTH, HEIGHT = 640, 280
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 36  # what axes and their numbers take
TICKS = 5  # about so many on an axis
# After Okabe and Ito, told apart by the colour-blind too; the first is the page's own ink.
COLOURS = (
    "currentColor", "#e69f00", "#56b4e9", "#009e73", "#9467bd", "#d55e00", "#0072b2", "#cc79a7",
)  # fmt: skip
DASHES = ("", "", "", "", "", "7 4", "2 4", "9 3 2 3")


def chart(title, lines) -> str:
    """Returns a <figure> with all lines in one drawing, or "" if all are at one x or less.

    Args:
        title: str.
        lines: dict name -> list of (x, y); what is not finite is left out.
    """
    lines = {name: [p for p in line if all(map(math.isfinite, p))] for name, line in lines.items()}
    points = [point for line in lines.values() for point in line]
    if len({x for x, _ in points}) < 2:
        return ""
    across, up = (ticks(min(values), max(values)) for values in zip(*points))

    def place(x, y):
        return (
            LEFT + (x - across[0]) / (across[-1] - across[0]) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - (y - up[0]) / (up[-1] - up[0]) * (HEIGHT - TOP - BOTTOM),
        )

    parts = [_label(*place(x, up[0]), x, "middle", 0, 20) for x in across]
    for y in up:
        (x, height), (end, _) = place(across[0], y), place(across[-1], y)
        parts.append(f'<path d="M{x:.1f} {height:.1f}H{end:.1f}" stroke="currentColor" {FAINT}/>')
        parts.append(_label(x, height, y, "end", -8, 4))
    styles = dict(zip(lines, _styles()))
    for name, line in lines.items():
        path = "L".join("{:.1f} {:.1f}".format(*place(*point)) for point in line)
        drawn = f'<path d="M{path}" fill="none" {styles[name]}/>' if line else ""
        parts.append(f"<g><title>{escaped(name)}</title>{drawn}</g>")
    legend = "".join(
        f'<li><svg width="28" height="10"><path d="M0 5H28" {styles[name]}/></svg> '
        f"{escaped(name)}</li>"
        for name in lines
    )
    drawing = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escaped(title)}">'
    return (
        f"<figure><figcaption>{escaped(title)}</figcaption>{drawing}{''.join(parts)}</svg>"
        f"<ul>{legend}</ul></figure>"
    )


def ticks(low, high) -> list:
    """Round numbers at equal distances, from at most `low` to at least `high`.

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


FAINT = 'stroke-width="1" stroke-opacity="0.15"'


def _styles():
    for colour, dash in zip(COLOURS, DASHES):
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        yield f'stroke="{colour}" stroke-width="2"{dashed}'


def _label(x, y, value, anchor, right, down):
    text = f"{value:,}" if isinstance(value, int) else f"{value:g}"
    place = f'x="{x + right:.1f}" y="{y + down:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="currentColor" font-size="12">{text}</text>'
