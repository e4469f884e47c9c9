"""The style, the script and the HTML templates of the report.

Where a row has an "Input" and an "Output", the script adds a button that compares them. Without
JavaScript there is no such button. The security policy allows no style attributes, so the script
sets custom properties, which it does allow.
"""

from ugatit_tf.images import html_page

STYLE = (
    html_page.STYLE
    + """body { max-width: 70rem; }
h1 { margin: 0 0 .75rem; font-size: 1.6rem; line-height: 1.2; }
h1, h2, dd, figcaption { overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: fit-content(45%) 1fr; gap: .15rem 1.25rem;
  margin: 0 0 1.25rem; font-size: .95rem; }
dt, figcaption, .direction, output, footer { color: var(--soft); }
dd { margin: 0; font-variant-numeric: tabular-nums; }
nav { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; position: sticky;
  top: 0; z-index: 1; padding: .6rem 0; background: var(--page); }
nav input { flex: 1 1 10rem; min-width: 0; max-width: 24rem; }
button, nav input, select { padding: .45rem .7rem; font: inherit; color: inherit;
  background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
button { cursor: pointer; }
article { margin: 0 0 .9rem; padding: .8rem 1rem 1rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem; content-visibility: auto;
  contain-intrinsic-size: auto 22rem; }
header { display: flex; flex-wrap: wrap; gap: .1rem .9rem; align-items: baseline; }
header button { padding: .15rem .6rem; font-size: .85rem; }
h2 { margin: 0; font-size: 1.05rem; }
a { color: var(--accent); }
.images { display: grid; gap: .75rem; margin-top: .6rem;
  grid-template-columns: repeat(2, minmax(0, 1fr)); }
@media (min-width: 44rem) {
  .images { grid-template-columns: none; grid-auto-flow: column;
    grid-auto-columns: minmax(0, 16rem); }
}
figure { margin: 0; max-width: 16rem; }
figure img { display: block; width: 100%; height: auto; border-radius: .4rem; }
.live figure img { cursor: zoom-in; }
figcaption { margin-top: .25rem; font-size: .85rem; }
dialog { padding: 1rem; min-width: min(18rem, 96vw); max-width: 96vw; color: inherit;
  background: var(--card); border: 1px solid var(--line); border-radius: .75rem; }
dialog::backdrop { background: rgb(0 0 0 / .7); }
dialog:not(.comparing) { cursor: zoom-out; }
dialog:not(.comparing) :is(img + img, input, .labels) { display: none; }
.caption { display: flex; gap: 1rem; align-items: start; margin-top: .5rem; }
.caption p { flex: 1; margin: 0; overflow-wrap: anywhere; contain: inline-size; }
.stage { position: relative; margin: 0 auto; aspect-ratio: var(--ratio);
  width: min(86vw, 48rem, (100vh - 13rem) * var(--ratio)); }
.stage img { position: absolute; width: 100%; height: 100%; }
.stage img + img { clip-path: inset(0 0 0 var(--border)); }
.labels { display: flex; justify-content: space-between; margin-top: .5rem; font-weight: 600; }
.stage input { position: absolute; inset: 0 -1rem; width: calc(100% + 2rem); height: 100%;
  margin: 0; appearance: none; background: none; cursor: ew-resize;
  --handle: radial-gradient(circle, #fff .55rem, #0008 .6rem .65rem, #0000 .7rem),
    linear-gradient(90deg, #0000 .9rem, #0008 0 .95rem, #fff 0 1.05rem, #0008 0 1.1rem, #0000 0); }
.stage input::-webkit-slider-runnable-track { height: 100%; }
.stage input::-moz-range-track { height: 100%; }
.stage input::-webkit-slider-thumb { width: 2rem; height: 100%; appearance: none;
  background: var(--handle); }
.stage input::-moz-range-thumb { width: 2rem; height: 100%; border: 0; border-radius: 0;
  background: var(--handle); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.stage:has(:focus-visible) { outline: 3px solid var(--accent); outline-offset: 2px; }
.stage:has(:focus-visible) input { outline: none; }
"""
)

SCRIPT = """
const list = document.querySelector("main"), bar = document.querySelector("nav");
const search = bar.querySelector("input"), select = bar.querySelector("select");
const sort = bar.querySelector("button"), count = bar.querySelector("output");
const dialog = document.querySelector("dialog"), stage = dialog.querySelector(".stage");
const slider = stage.querySelector("input"), closer = dialog.querySelector("button");
const layers = stage.querySelectorAll("img"), rows = [...list.children];
const names = new Intl.Collator(undefined, {numeric: true, sensitivity: "base"});
let order = 0;

function filter() {
  const text = search.value.trim().toLowerCase();
  let visible = 0;
  for (const row of rows) {
    const fits = row.dataset.name.toLowerCase().includes(text) &&
      (!select.value || row.dataset.direction === select.value);
    row.hidden = !fits;
    visible += fits;
  }
  count.value = `${visible} of ${rows.length}`;
}

function sortByName() {
  order = order === 1 ? -1 : 1;
  rows.sort((a, b) => order * (names.compare(a.dataset.name, b.dataset.name) ||
    names.compare(a.dataset.direction, b.dataset.direction)));
  list.append(...rows);
  sort.textContent = order === 1 ? "Name \\u2191" : "Name \\u2193";
}

function show(text, ...images) {
  images.forEach((image, i) => { layers[i].src = image.src; layers[i].alt = image.alt; });
  stage.style.setProperty("--ratio",
    images[0].getAttribute("width") / images[0].getAttribute("height"));
  dialog.classList.toggle("comparing", images.length === 2);
  dialog.querySelector("p").textContent = text;
  dialog.showModal();
}

function enlarge(image) { show(image.alt, image); }

function compare(row, input, output) {
  show(`${row.dataset.name}, ${row.dataset.direction}`, input, output);
  slider.value = 50;
  moveBorder();
  slider.focus();
}

function moveBorder() { stage.style.setProperty("--border", `${slider.value}%`); }

function titled(row, title) {
  const figures = [...row.querySelectorAll("figure")];
  return figures.find(figure => figure.textContent === title)?.querySelector("img");
}

function addCompare(row) {
  const input = titled(row, "Input"), output = titled(row, "Output");
  if (!input || !output) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Compare";
  button.setAttribute("aria-label", `Compare ${row.dataset.name}`);
  button.addEventListener("click", () => compare(row, input, output));
  row.querySelector("header").append(button);
}

const directions = new Set(rows.map(row => row.dataset.direction));
for (const direction of directions) select.add(new Option(direction, direction));
select.hidden = directions.size < 2;
search.addEventListener("input", filter);
select.addEventListener("change", filter);
sort.addEventListener("click", sortByName);
slider.addEventListener("input", moveBorder);
dialog.addEventListener("click", event => {
  // While comparing only the button closes: a drag may end anywhere.
  if (event.target === closer || !dialog.classList.contains("comparing")) dialog.close();
});
list.addEventListener("click", event => event.target.matches("img") && enlarge(event.target));
list.addEventListener("keydown", event => {
  if (event.key !== "Enter" || !event.target.matches("img")) return;
  event.preventDefault();  // or the same key would press the button that has the focus next
  enlarge(event.target);
});
for (const image of list.querySelectorAll("img")) image.tabIndex = 0;
rows.forEach(addCompare);
document.documentElement.classList.add("live");
bar.hidden = false;
filter();
"""

CONTROLS = """<nav hidden>
<input type="search" placeholder="Find a name" aria-label="Find a name">
<select aria-label="Direction"><option value="">Both directions</option></select>
<button type="button" title="Sort by name">Name &#8597;</button>
<output></output>
</nav>
<main>
"""

ROW = """<article data-name="{name}" data-direction="{direction}">
<header><h2>{name}</h2><span class="direction">{direction}</span>{link}</header>
<div class="images">
{figures}
</div>
</article>
"""

FIGURE = "<figure>{image}<figcaption>{title}</figcaption></figure>"

FOOT = """</main>
<footer>{count}</footer>
<dialog>
<div class="stage"><img alt=""><img alt="">
<input type="range" step="any" aria-label="Before and after"></div>
<div class="labels"><span>Input</span><span>Output</span></div>
<div class="caption"><p></p><button type="button">Close</button></div>
</dialog>
<script>{script}</script>
</html>
"""
