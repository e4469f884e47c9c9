// What the page says of what is going on.

import { megabytes, words } from "./words.js";

const find = (id) => document.getElementById(id);
const STEPS = { prepare: "Preparing the model", work: "Translating", fallback: "Starting anew" };
let clock = 0;

/** A sentence that screen readers read too. */
export function say(text) {
  if (find("status").textContent !== text) find("status").textContent = text;
}

/** A second sentence, about the size of an image; empty for none. */
export function note(text) {
  find("note").textContent = text;
  find("note").hidden = !text;
}

export function problem(error) {
  idle();
  say("");
  note("");
  console.warn(error);
  find("problem").textContent = words(error);
  find("problem").hidden = false;
}

export function noProblem() {
  find("problem").hidden = true;
}

/** Nothing goes on any more. */
export function idle() {
  clearInterval(clock);
  find("working").hidden = true;
  find("counter").textContent = "";
  document.body.classList.remove("busy");
}

/** Shows {step: "load", done, total} and other steps of a backend; `expected`: seconds, or 0. */
export function progress(step, expected = 0) {
  clearInterval(clock);
  find("working").hidden = false;
  if (step.step === "load") {
    say("Loading the model");
    const total = megabytes(step.total);
    find("counter").textContent = `${megabytes(Math.min(step.done, step.total))} of ${total} MB`;
    find("progress").value = Math.min(1, step.done / step.total);
    return;
  }
  say(STEPS[step.step] ?? step.step);
  find("counter").textContent = "";
  find("progress").removeAttribute("value");
  if (step.step === "work") clock = setInterval(tick, 200, performance.now(), expected);
}

function tick(start, expected) {
  const seconds = (performance.now() - start) / 1000;
  const about = expected ? ` of about ${Math.max(expected, seconds).toFixed(0)}` : "";
  find("counter").textContent = `${seconds.toFixed(0)}${about} s`;
  if (expected) find("progress").value = Math.min(0.97, seconds / expected);
}
