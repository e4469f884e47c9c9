// What goes wrong, in plain words.

const WORDS = {
  image:
    "This browser cannot open that image: it is damaged, too large, or of a kind that the browser " +
    "does not know. JPEG, PNG and WebP files work.",
  file: "That is no image file. JPEG, PNG and WebP files work.",
  "image-size": "This image is too large for this browser to open. Make it smaller first.",
  memory: "There is not enough memory for an image of this size. Choose a smaller size.",
  load:
    "The model cannot be loaded. Check the connection, and that the folder of this page is whole.",
  model: "This browser cannot run the model.",
  "model-size": "This device does not have enough memory for this model. Try another device.",
  config: "This page is not whole: its file config.json cannot be read.",
  wasm: "This browser has no WebAssembly, without which the model cannot run. Use a newer browser.",
  camera: "The camera cannot be used. Allow this page to use it, and close other programs that do.",
  work: "The image could not be translated.",
};

/** An error of a known kind: a key of `WORDS`, or other words of the backend's own. */
export class Problem extends Error {
  constructor(kind, detail = "") {
    super(detail || kind);
    this.kind = kind;
    this.detail = detail;
  }
}

/** One or two sentences for people. */
export function words(error) {
  const known = WORDS[error.kind];
  if (!known) return `Something went wrong: ${error.detail || error.message || error}`;
  const isOfRunning = ["model", "work"].includes(error.kind);
  return isOfRunning && error.detail ? `${known} The reason: ${error.detail}` : known;
}

export function megabytes(bytes) {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}

export function pixels(width, height) {
  return `${width} × ${height}`;
}
