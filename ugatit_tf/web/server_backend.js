// The model in the program that serves this page (--phase serve). app.js knows nothing of that.

import { Problem } from "./words.js";

const SIDES = [8192, 4096, 3072, 2048, 1536, 1024, 768, 512, 384, 256, 128];
const QUICK = 1024; // a side that takes seconds
const WHITE = 255;

/**
 * Opens the model that config.json describes; the same interface as that of onnx_backend.js.
 *
 * Returns:
 *   describe(): what the page must know. translate(image, direction, onProgress): ImageData, or
 *   the Blob of an image file, to {image: ImageData, heatmap: {data, width, height} or null}.
 *   onProgress gets {step: "work"}.
 */
export async function open(config) {
  return {
    describe: () => description(config),
    translate: (image, direction, onProgress) => translate(config, image, direction, onProgress),
  };
}

function description(config) {
  const most = Math.sqrt(config.max_pixels);
  const sides = SIDES.filter((side) => side <= Math.max(most, SIDES.at(-1)));
  return {
    directions: Object.entries(config.directions).map(([name, { title }]) => ({ name, title })),
    anySize: config.any_size,
    size: config.size,
    sides,
    side: Math.min(sides[0], QUICK),
    device: `Runs in the program at ${location.host}`,
    privacy: "Images go to the program that serves this page, which does not keep them.",
  };
}

async function translate(config, image, direction, onProgress = () => {}) {
  onProgress({ step: "work" });
  const file = image instanceof Blob ? image : await fileOf(image);
  if (file.size > config.max_upload_bytes) {
    // Asked here: a server that refuses closes the connection, and its answer may be lost.
    const most = Math.floor(config.max_upload_bytes / 2 ** 20);
    throw new Problem("work", `The image file has more than ${most} megabytes.`);
  }
  const query = new URLSearchParams({ direction, heatmap: config.heatmap });
  const answer = await send(`api/translate?${query}`, file);
  const heatmap = answer.heatmap && heatmapOf(await pixelsOf(answer.heatmap));
  return { image: await pixelsOf(answer.image), heatmap };
}

/** The JSON that the server answers. */
async function send(address, file) {
  // The server looks at the content, so any type of an image does.
  const type = file.type.startsWith("image/") ? file.type : "image/png";
  const headers = { Accept: "application/json", "Content-Type": type };
  let response;
  try {
    response = await fetch(address, { method: "POST", headers, body: file });
  } catch {
    throw new Problem("work", "The program that serves this page does not answer.");
  }
  const answer = await response.json().catch(() => ({})); // not ours, but of a server before ours
  if (response.ok && answer.image) return answer;
  throw new Problem("work", answer.error || `The server answered ${response.status}.`);
}

async function fileOf(image) {
  const canvas = canvasOf(image);
  canvas.getContext("2d").putImageData(image, 0, 0);
  const file = await new Promise((done) => canvas.toBlob(done, "image/png"));
  if (!file) throw new Problem("memory");
  return file;
}

/** A PNG file in base64 -> ImageData. */
async function pixelsOf(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const context = canvasOf(bitmap).getContext("2d", { willReadFrequently: true });
  if (!context) throw new Problem("memory");
  context.drawImage(bitmap, 0, 0);
  const image = context.getImageData(0, 0, bitmap.width, bitmap.height);
  bitmap.close();
  return image;
}

function canvasOf({ width, height }) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/** The gray image of a heatmap -> its values in [0, 1], row by row. */
function heatmapOf({ data, width, height }) {
  const values = Float32Array.from({ length: width * height }, (_, i) => data[4 * i] / WHITE);
  return { data: values, width, height };
}
