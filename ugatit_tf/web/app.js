// The page: an image goes in, its translation comes out. The model is behind a backend, which
// config.json names: a module NAME_backend.js with the function `open` of onnx_backend.js.

import * as camera from "./camera.js";
import { decoded, pixelsOf, saved, sizes } from "./images.js";
import * as report from "./report.js";
import { Stage } from "./stage.js";
import { pixels, Problem } from "./words.js";

const find = (id) => document.getElementById(id);
const stage = new Stage();
let backend = null;
let model = null; // what the backend says of itself
let image = null; // {bitmap, name}
let working = false;
let again = false; // whether something changed during the work
let rate = 0; // seconds for each pixel, of the last translation

async function start() {
  find("stuck").remove();
  try {
    const config = await read("config.json");
    document.title = find("title").textContent = config.title;
    find("about").textContent = config.about;
    find("privacy").textContent = config.privacy ?? "";
    const { open } = await import(`./${config.backend}_backend.js`);
    backend = await open(config, report.progress);
    describe();
    report.idle();
    report.say("Ready.");
    await translate();
  } catch (error) {
    report.problem(error);
  }
}

async function read(file) {
  try {
    return await (await fetch(file)).json();
  } catch {
    throw new Problem("config");
  }
}

/** Shows what the backend says of itself. */
function describe() {
  const isFirst = !model;
  const sides = model?.sides; // fewer than at first where there was not enough memory
  model = backend.describe();
  model.sides = sides ?? model.sides;
  if (model.privacy) find("privacy").textContent = model.privacy;
  find("device").textContent = model.device;
  if (!isFirst) return;
  find("directions").hidden = model.directions.length < 2;
  model.directions.forEach(({ name, title }, index) => {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), {
      type: "radio", name: "direction", value: name, checked: index === 0, onchange: translate,
    });
    const text = Object.assign(document.createElement("span"), { textContent: title });
    label.append(input, text);
    find("directions").append(label);
  });
  find("size_label").hidden = !model.anySize;
  if (model.anySize) listSides(model.sides, model.side);
}

function listSides(sides, chosen) {
  const options = sides.map((side) => new Option(`${side} pixels`, side, false, side === chosen));
  find("size").replaceChildren(...options);
}

function direction() {
  return document.querySelector("[name=direction]:checked").value;
}

/** Takes an image from wherever it came. */
async function take(source, name) {
  report.noProblem();
  if (!working && model) report.say("Reading the image");
  try {
    const bitmap = source instanceof ImageBitmap ? source : await decoded(source);
    image?.bitmap.close();
    image = { bitmap, name: name.replace(/\.[^.]*$/, "") || "image" };
    if (!working) await translate();
    else again = true;
  } catch (error) {
    report.problem(error);
  }
}

/** Translates the image there is, and once more if another came in the meantime. */
async function translate() {
  if (!image || !model) return;
  if (working) {
    again = true;
    return;
  }
  working = true;
  do {
    again = false;
    report.noProblem();
    document.body.classList.add("busy", "has-image");
    report.say("Translating");
    try {
      await translateOnce();
    } catch (error) {
      report.problem(error);
    }
  } while (again);
  working = false;
}

async function translateOnce() {
  const { bitmap, name } = image;
  const way = direction();
  const { shown, network } = sizes(bitmap.width, bitmap.height, model, Number(find("size").value));
  const given = pixelsOf(bitmap, network);
  const area = network.width * network.height;
  let begin = performance.now();
  const onProgress = (step) => {
    if (step.step === "work") begin = performance.now();
    report.progress(step, rate * area);
  };
  let result;
  try {
    result = await backend.translate(given, way, onProgress);
  } catch (error) {
    if (error.kind !== "memory" || !smaller(network)) throw error;
    return translateOnce();
  }
  const seconds = (performance.now() - begin) / 1000;
  rate = seconds / area;
  describe();
  if (again) return undefined; // another image is waiting
  find("result").hidden = false;
  stage.show(bitmap, result.image, result.heatmap, shown);
  stage.fileName = `${name}_${way}.png`;
  report.idle();
  report.say(`Done in ${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s.`);
  report.note(sizeNote(bitmap, shown, network));
  find("result").scrollIntoView({ block: "nearest" });
  return undefined;
}

/** Lists only sizes below this one, for which there was not enough memory; false where none is. */
function smaller(network) {
  const longest = Math.max(network.width, network.height);
  const sides = model.anySize ? model.sides.filter((side) => side < longest) : [];
  if (!sides.length) return false;
  model.sides = sides;
  listSides(sides, sides[0]);
  report.say(`Not enough memory for that size. Trying ${sides[0]} pixels`);
  return true;
}

function sizeNote(bitmap, shown, network) {
  const own = pixels(bitmap.width, bitmap.height);
  const made = pixels(shown.width, shown.height);
  if (!model.anySize && own !== pixels(network.width, network.height)) {
    const square = pixels(network.width, network.height);
    return `This model takes ${square} pixels. Your image of ${own} was scaled to that for it.`;
  }
  if (own === made) return `The translation has the size of your image, ${own} pixels.`;
  return `Your image of ${own} pixels was scaled down to ${made}. A larger size takes longer.`;
}

function takeFirst(files) {
  if (files.length) take(files[0], files[0].name);
}

function listen() {
  find("file").addEventListener("change", ({ target }) => {
    takeFirst(target.files);
    target.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("paste", ({ clipboardData }) => {
    if (clipboardData.files.length) takeFirst(clipboardData.files);
    else report.problem(new Problem("file"));
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) document.body.classList.remove("dragging");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    if (event.dataTransfer.files.length) takeFirst(event.dataTransfer.files);
    else report.problem(new Problem("file"));
  });
  find("size").addEventListener("change", translate);
  find("camera_open").hidden = !camera.possible();
  find("camera_open").addEventListener("click", () =>
    camera.picture().then((taken) => taken && take(taken, "camera"), report.problem),
  );
  find("download").addEventListener("click", () =>
    saved(stage.translation, stage.fileName).catch(report.problem),
  );
}

listen();
start();
