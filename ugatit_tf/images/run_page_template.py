"""The style, the script and the HTML templates of the page of a run."""

from ugatit_tf.images import comparison

STYLE = (
    comparison.STYLE
    + """h3 { margin: 0 0 .5rem; font-size: 1rem; }
.note { margin: 0 0 .75rem; }
dl + .warnings { margin-top: 1.5rem; }
.warnings { padding: .75rem 1rem .75rem; background: var(--card); border: 1px solid var(--line);
  border-left: .35rem solid #d55e00; border-radius: .75rem; }
.warnings h2 { margin: 0 0 .3rem; }
.warnings ul { margin: 0; padding-left: 1.2rem; }
.slider { display: flex; gap: 1rem; align-items: center; position: sticky; top: 0; z-index: 1;
  padding: .6rem 0; background: var(--page); }
.slider input { flex: 1; min-width: 0; accent-color: var(--accent); }
.slider output { min-width: 8.5rem; font-variant-numeric: tabular-nums; }
.groups { display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fit, minmax(min(34rem, 100%), 1fr)); }
.strips { display: flex; gap: .5rem; }
.strips figure { flex: 1 1 0; min-width: 0; max-width: var(--widest, none); margin: 0; }
.strips img { display: block; width: 100%; height: auto; border-radius: .3rem; }
.strips figcaption { font-size: .85rem; overflow-wrap: anywhere; }
.moving figcaption { color: var(--accent); font-weight: 600; }
details { margin-top: 1rem; }
summary { cursor: pointer; font-weight: 600; font-size: 1.15rem; }
details table { margin-top: .5rem; }
details th, details td { text-align: left; white-space: normal; }
details td:nth-child(n + 2) { overflow-wrap: anywhere; min-width: 4rem; }
footer { margin-top: 2rem; color: var(--soft); overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
"""
)

SCRIPT = """
const bar = document.querySelector(".slider");
if (bar && bar.dataset.steps.includes(" ")) {
  const slider = bar.querySelector("input"), output = bar.querySelector("output");
  const steps = bar.dataset.steps.split(" ").map(Number);
  const show = () => {
    const text = `Step ${steps[slider.value].toLocaleString("en")}`;
    output.textContent = text;
    slider.setAttribute("aria-valuetext", text);
    for (const figure of document.querySelectorAll(".moving")) {
      figure.hidden = false;
      figure.querySelector("figcaption").textContent = text;
      figure.querySelectorAll("img").forEach((image, i) => image.hidden = i !== +slider.value);
    }
  };
  slider.addEventListener("input", show);
  bar.hidden = steps.length < 3;
  if (!bar.hidden) show();
}
"""

WARNINGS = '<section class="warnings"><h2>Warnings</h2><ul>{items}</ul></section>'

SAMPLES = """<section><h2>Samples over time</h2>
<div class="slider" data-steps="{steps}" hidden><input type="range" min="0" max="{last}"
 value="{middle}" aria-label="Step of the samples"><output></output></div>
<div class="groups">{groups}</div></section>"""

CHARTS = '<h2>Curves</h2><p class="note">{note}</p><div class="charts">{figures}</div>'

OPTIONS = '<details{open}><summary>{heading}</summary><div class="wide">{table}</div></details>'

FOOT = """<footer>{closing} <code>{command}</code></footer>
<script>{script}</script>
</html>
"""
