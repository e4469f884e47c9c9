"""One HTML page of results that needs nothing else: pictures, style and script are inside.

Without JavaScript it is a plain list; with it, it can be sorted, filtered and enlarged.
"""

import base64
import dataclasses
import hashlib
import html
import os
import pathlib
import urllib.parse

from PIL import Image

from ugatit_tf.pictures import files

LARGEST = 256  # pixels of a thumbnail, about 15 to 25 kB
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
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 70rem; color: var(--ink);
  background: var(--page); font: 16px/1.45 system-ui, sans-serif; }
h1 { margin: 0 0 .75rem; font-size: 1.6rem; line-height: 1.2; }
h1, h2, dd, figcaption { overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: fit-content(45%) 1fr; gap: .15rem 1.25rem;
  margin: 0 0 1.25rem; font-size: .95rem; }
dt, figcaption, .direction, output, footer { color: var(--soft); }
dd { margin: 0; font-variant-numeric: tabular-nums; }
nav { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; position: sticky;
  top: 0; z-index: 1; padding: .6rem 0; background: var(--page); }
nav input { flex: 1 1 10rem; min-width: 0; max-width: 24rem; }
nav input, nav select, nav button { padding: .45rem .7rem; font: inherit; color: inherit;
  background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
article { margin: 0 0 .9rem; padding: .8rem 1rem 1rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem; content-visibility: auto;
  contain-intrinsic-size: auto 22rem; }
header { display: flex; flex-wrap: wrap; gap: .1rem .9rem; align-items: baseline; }
h2 { margin: 0; font-size: 1.05rem; }
a { color: var(--accent); }
.pictures { display: grid; gap: .75rem; margin-top: .6rem;
  grid-template-columns: repeat(2, minmax(0, 1fr)); }
@media (min-width: 44rem) {
  .pictures { grid-template-columns: none; grid-auto-flow: column;
    grid-auto-columns: minmax(0, 16rem); }
}
figure { margin: 0; max-width: 16rem; }
figure img { display: block; width: 100%; height: auto; border-radius: .4rem; }
.live figure img { cursor: zoom-in; }
figcaption { margin-top: .25rem; font-size: .85rem; }
dialog { padding: 1rem; max-width: 96vw; color: inherit; background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem; cursor: zoom-out; }
dialog::backdrop { background: rgb(0 0 0 / .7); }
dialog img { display: block; width: min(86vw, 78vh); max-height: 78vh; object-fit: contain; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
"""

SCRIPT = """
const list = document.querySelector("main"), bar = document.querySelector("nav");
const search = bar.querySelector("input"), select = bar.querySelector("select");
const sort = bar.querySelector("button"), count = bar.querySelector("output");
const dialog = document.querySelector("dialog"), rows = [...list.children];
const names = new Intl.Collator(undefined, {numeric: true, sensitivity: "base"});
let order = 0;

function filter() {
  const text = search.value.trim().toLowerCase();
  let shown = 0;
  for (const row of rows) {
    const fits = row.dataset.name.toLowerCase().includes(text) &&
      (!select.value || row.dataset.direction === select.value);
    row.hidden = !fits;
    shown += fits;
  }
  count.value = `${shown} of ${rows.length}`;
}

function sortByName() {
  order = order === 1 ? -1 : 1;
  rows.sort((a, b) => order * (names.compare(a.dataset.name, b.dataset.name) ||
    names.compare(a.dataset.direction, b.dataset.direction)));
  list.append(...rows);
  sort.textContent = order === 1 ? "Name \\u2191" : "Name \\u2193";
}

function enlarge(image) {
  dialog.querySelector("img").src = image.src;
  dialog.querySelector("img").alt = image.alt;
  dialog.querySelector("p").textContent = image.alt;
  dialog.showModal();
}

const directions = new Set(rows.map(row => row.dataset.direction));
for (const direction of directions) select.add(new Option(direction, direction));
select.hidden = directions.size < 2;
search.addEventListener("input", filter);
select.addEventListener("change", filter);
sort.addEventListener("click", sortByName);
dialog.addEventListener("click", () => dialog.close());
list.addEventListener("click", event => event.target.matches("img") && enlarge(event.target));
list.addEventListener("keydown", event => {
  if (event.key === "Enter" && event.target.matches("img")) enlarge(event.target);
});
for (const image of list.querySelectorAll("img")) image.tabIndex = 0;
document.documentElement.classList.add("live");
bar.hidden = false;
filter();
"""

HEAD = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:;
 style-src '{style_hash}'; script-src '{script_hash}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
<h1>{title}</h1>
<dl>{facts}</dl>
<nav hidden>
<input type="search" placeholder="Find a name" aria-label="Find a name">
<select aria-label="Direction"><option value="">Both directions</option></select>
<button type="button" title="Sort by name">Name &#8597;</button>
<output></output>
</nav>
<main>
"""

ROW = """<article data-name="{name}" data-direction="{direction}">
<header><h2>{name}</h2><span class="direction">{direction}</span>{link}</header>
<div class="pictures">
{pictures}
</div>
</article>
"""

PICTURE = (
    '<figure><img src="data:image/jpeg;base64,{data}" width="{width}" height="{height}"'
    ' loading="lazy" decoding="async" alt="{alt}"><figcaption>{title}</figcaption></figure>'
)

FOOT = """</main>
<footer>{count}</footer>
<dialog><img alt=""><p></p></dialog>
<script>{script}</script>
</html>
"""


@dataclasses.dataclass(frozen=True)
class Row:
    """One translated picture.

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


def write_report(path, rows, *, title, facts):
    """Writes the page, whole or not at all; returns how many rows it has.

    Args:
        path: the .html file; its folder is created if necessary.
        rows: any iterable of `Row`. Each is written before the next is asked for, so a
            generator can give thousands.
        title: str, the heading.
        facts: dict of what to know about the run, shown above the pictures.
    """
    count = 0
    with files.replacing(path) as file:
        file.write(head(title, facts).encode())
        for row in rows:
            file.write(article(row).encode())
            count += 1
        total = f"{count} result" if count == 1 else f"{count} results"
        file.write(FOOT.format(count=total, script=SCRIPT).encode())
    return count


def head(title, facts):
    listed = (f"<dt>{escaped(name)}</dt><dd>{escaped(fact)}</dd>" for name, fact in facts.items())
    return HEAD.format(
        title=escaped(title),
        facts="\n".join(listed),
        style=STYLE,
        style_hash=policy_hash(STYLE),
        script_hash=policy_hash(SCRIPT),
    )


def article(row):
    link = f'<a href="{escaped(relative_url(row.link))}">file</a>' if row.link else ""
    pictures = (picture(title, image, row) for title, image in row.images.items())
    return ROW.format(
        name=escaped(row.name),
        direction=escaped(row.direction),
        link=link,
        pictures="\n".join(pictures),
    )


def picture(title, image, row):
    image = files.as_pillow(image)
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    data = files.encode(image, ".jpg", quality=QUALITY)
    return PICTURE.format(
        data=base64.b64encode(data).decode(),
        width=image.width,
        height=image.height,
        alt=escaped(f"{title}, {row.name}, {row.direction}"),
        title=escaped(title),
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
