// The input and its translation, under a slider or side by side, and the heatmap over both.

import { canvasOf, drawn } from "./images.js";
import { colored } from "./colors.js";
import { pixels } from "./words.js";

const ENLARGED = 2.5; // at most; beyond that pixels are all that one sees
const find = (id) => document.getElementById(id);

export class Stage {
  constructor() {
    this.stage = find("stage");
    this.split = find("split");
    this.split.addEventListener("input", () => this.#showSplit());
    for (const radio of document.getElementsByName("view")) {
      radio.addEventListener("change", () => {
        this.stage.className = radio.value;
        this.showHeatmap(find("attention").checked);
      });
    }
    find("attention").addEventListener("change", (event) =>
      this.showHeatmap(event.target.checked),
    );
    this.#showSplit();
    drawScale(find("colors"));
  }

  /** Shows a translation: canvas or ImageBitmap, ImageData, {data, width, height} or null. */
  show(source, image, heatmap, size) {
    const [before, after] = ["before", "after"].map((id) => find(id).querySelector(".image"));
    drawn(source, size, before);
    drawn(canvasOf(image), size, after);
    before.setAttribute("aria-label", `The input, ${pixels(size.width, size.height)} pixels`);
    after.setAttribute("aria-label", `The translation, ${pixels(size.width, size.height)} pixels`);
    const widest = Math.max(360, ENLARGED * size.width);
    this.stage.style.setProperty("--ratio", size.width / size.height);
    this.stage.style.setProperty("--widest", `${widest}px`);
    find("attention_label").hidden = !heatmap;
    this.heatmap = heatmap;
    if (heatmap) {
      const colors = canvasOf(colored(heatmap));
      for (const heat of document.querySelectorAll(".heat")) drawn(colors, size, heat);
    }
    this.showHeatmap(find("attention").checked);
  }

  showHeatmap(wanted) {
    const shown = Boolean(wanted && this.heatmap);
    this.stage.classList.toggle("with-heat", shown);
    find("scale").hidden = !shown;
  }

  /** The translation as a canvas. */
  get translation() {
    return find("after").querySelector(".image");
  }

  #showSplit() {
    const value = Number(this.split.value);
    this.stage.style.setProperty("--split", `${value}%`);
    this.split.setAttribute("aria-valuetext", `${Math.round(value)} percent input`);
  }
}

function drawScale(canvas) {
  const { width, height } = canvas;
  const data = Array.from({ length: width * height }, (_, place) => (place % width) / (width - 1));
  canvas.getContext("2d").putImageData(colored({ data, width, height }), 0, 0);
}
