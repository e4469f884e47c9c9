"""One HTML page that compares methods: a table, curves, and the same images through all."""

from typing import NamedTuple

from ugatit_tf.images import curves, files, page
from ugatit_tf.images.report import embedded, escaped, opening

THUMBNAIL = 128  # pixels on the longer side

STYLE = (
    page.BASE
    + """body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 80rem; color: var(--ink);
  background: var(--page); font: 16px/1.45 system-ui, sans-serif; }
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
.charts { display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fit, minmax(min(28rem, 100%), 1fr)); }
figure { margin: 0; padding: .75rem 1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .75rem; }
figure > svg { display: block; width: 100%; height: auto; }
ul { display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: .25rem 0 0; padding: 0;
  list-style: none; font-size: .85rem; }
"""
)


class Table(NamedTuple):
    header: list  # of str
    rows: list  # of lists of str


class Images(NamedTuple):
    title: str
    header: list  # of str, one for each column
    rows: list  # of lists of uint8 images; None is left blank


def write_comparison(path, *, title, facts, table, charts, images, notes=()):
    """Writes the page, whole or not at all.

    Args:
        path: the .html file; its folder is created if necessary.
        title: str, the heading.
        facts: dict of what to know, shown above the table.
        table: `Table`.
        charts: dict title -> lines as in `curves.chart`.
        images: iterable of `Images`.
        notes: iterable of str, below the table.
    """
    listed = "".join(f"<dt>{escaped(k)}</dt><dd>{escaped(v)}</dd>" for k, v in facts.items())
    drawn = "".join(curves.chart(name, lines) for name, lines in charts.items())
    parts = [
        opening(title, STYLE, ""),
        f"<dl>{listed}</dl>",
        f'<h2>Table</h2><div class="wide">{_table(table.header, table.rows)}</div>',
        *(f'<p class="note">{escaped(note)}</p>' for note in notes),
        f'<h2>Curves</h2><div class="charts">{drawn}</div>' if drawn else "",
        *(_images(part) for part in images),
        "</html>\n",
    ]
    with files.replacing(path) as file:
        file.write("\n".join(parts).encode())


def _images(part):
    rows = [[_image(image) for image in row] for row in part.rows]
    table = _table(part.header, rows, kind=' class="images"', ready=True)
    return f'<h2>{escaped(part.title)}</h2><div class="wide">{table}</div>'


def _image(image):
    return "" if image is None else embedded(image, "", THUMBNAIL)


def _table(header, rows, *, kind="", ready=False):
    head = "".join(f'<th scope="col">{escaped(text)}</th>' for text in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell if ready else escaped(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table{kind}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
