"""An HTML page that asks people which of several translations they prefer.

A blind comparison as in the paper's user study: the source, and below it the results of all
methods without names, in an order that is drawn anew for each person and image. Nothing is loaded
from outside, and the answers stay in the browser until they are saved as a file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from ugatit_tf import atomic
from ugatit_tf.images import html_page
from ugatit_tf.images.html_page import embedded, escaped

STYLE = (
    html_page.STYLE
    + """body { max-width: 64rem; text-align: center; }
h1 { font-size: 1.4rem; margin: 0 0 .75rem; }
progress { width: 100%; accent-color: var(--accent); }
.choices { display: grid; gap: .75rem; justify-content: center; margin-top: .75rem;
  grid-template-columns: repeat(2, minmax(0, 16rem)); }
@media (min-width: 44rem) {
  .choices { grid-template-columns: none; grid-auto-flow: column;
    grid-auto-columns: minmax(0, 16rem); }
}
img { display: block; width: 100%; height: auto; border-radius: .4rem; }
figure { margin: 0 auto; max-width: 16rem; }
figcaption, p { color: var(--soft); }
button { font: inherit; color: inherit; background: var(--card); cursor: pointer;
  border: 1px solid var(--line); border-radius: .6rem; padding: .5rem .8rem; }
.choices button { padding: .5rem; }
.choices button:hover { border-color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
"""
)

SCRIPT = """
const sections = [...document.querySelectorAll("section[data-image]")];
const end = document.querySelector("#end");
const bar = document.querySelector("progress"), back = document.querySelector("#back");
// The letter keeps a spreadsheet from taking it for a number.
const person = "p" + Math.random().toString(36).slice(2, 10), votes = [];
let began = 0;

function shuffle(list) {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}

function show() {
  sections.forEach((section, i) => section.hidden = i !== votes.length);
  end.hidden = votes.length < sections.length;
  back.hidden = votes.length === 0;
  bar.value = votes.length;
  began = performance.now();
  if (!end.hidden) end.querySelector("button").focus();
}

function choose(button) {
  const section = button.closest("section");
  votes.push({person, picture: section.dataset.image, choice: button.dataset.method,
    shown: [...section.querySelectorAll(".choices button")].map(b => b.dataset.method),
    seconds: Math.round((performance.now() - began) / 100) / 10});
  show();
}

function save(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {type}));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);  // not before it is saved
}

const quoted = text => `"${String(text).replaceAll('"', '""')}"`;
const asCsv = () => ["person,picture,choice,shown,seconds", ...votes.map(v =>
  [v.person, v.picture, v.choice, JSON.stringify(v.shown), v.seconds].map(quoted).join(",")
)].join("\\n");

for (const section of shuffle(sections)) {
  const choices = section.querySelector(".choices");
  choices.append(...shuffle([...choices.children]));
  choices.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (button) choose(button);
  });
}
document.addEventListener("keydown", event => {
  const section = sections[votes.length], number = Number(event.key);
  const button = section && section.querySelectorAll(".choices button")[number - 1];
  if (button) choose(button);
});
back.addEventListener("click", () => { votes.pop(); show(); });
document.querySelector("#json").addEventListener("click", () =>
  save(`votes_${person}.json`, "application/json", JSON.stringify(votes, null, 1)));
document.querySelector("#csv").addEventListener("click", () =>
  save(`votes_${person}.csv`, "text/csv", asCsv() + "\\n"));
bar.max = sections.length;
bar.hidden = false;
show();
"""

START = """<noscript><p>This page needs JavaScript.</p></noscript>
<progress value="0" aria-label="Progress" hidden></progress>
"""

SECTION = """<section data-image="{name}" hidden>
<figure>{source}<figcaption>Source</figcaption></figure>
<div class="choices">
{choices}
</div>
</section>
"""

CHOICE = '<button type="button" data-method="{method}">{image}</button>'

FOOT = """<section id="end" hidden>
<p>Thank you. Please save your answers and send the file to the person who asked you.</p>
<button type="button" id="json">Save as JSON</button>
<button type="button" id="csv">Save as CSV</button>
</section>
<p><button type="button" id="back" hidden>Back</button></p>
<script>{script}</script>
</html>
"""


def write_study(
    path: str | os.PathLike,
    questions: Iterable[tuple[str, np.ndarray, dict[str, np.ndarray]]],
    *,
    question: str,
) -> int:
    """Writes the page, whole or not at all.

    Args:
        path: the .html file; its folder is created if necessary.
        questions: iterable of (name, source, dict method -> result), uint8 images as in `report`.
        question: the heading.

    Returns:
        The number of questions.
    """
    count = 0
    with atomic.replacing(path) as file:
        file.write((html_page.opening(question, STYLE, SCRIPT) + START).encode())
        for name, source, results in questions:
            choices = (
                CHOICE.format(method=escaped(method), image=embedded(image, "A translation"))
                for method, image in results.items()
            )
            section = SECTION.format(
                name=escaped(name),
                source=embedded(source, "The source"),
                choices="\n".join(choices),
            )
            file.write(section.encode())
            count += 1
        file.write(FOOT.format(script=SCRIPT).encode())
    return count
