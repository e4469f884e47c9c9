// The page's translations by the program that serves it (--phase serve).

const WHITE = 255;

/**
 * Opens the backend.
 *
 * @param {(fraction: number, text: string) => void} [onProgress] told while it opens.
 * @returns {Promise<{describe: () => object, translate: Function}>}
 */
export async function open(onProgress = () => {}) {
  onProgress(0, "Asking the server");
  const description = await answerOf(await send("config.json"));
  onProgress(1, "Ready");
  return {
    /** What the server says of its model: names, directions, sizes and limits. */
    describe: () => description,

    /**
     * Translates one image.
     *
     * @param {ImageData | Blob} image a Blob is sent as it is; the server turns it upright.
     * @param {string} direction "a2b" or "b2a".
     * @param {(fraction: number, text: string) => void} [onProgress]
     * @returns {Promise<{image: ImageData, heatmap: {data: Float32Array, width: number,
     *   height: number} | null}>} the heatmap has values from 0 to 1, row by row.
     * @throws {Error} whose message is for people.
     */
    translate: (image, direction, onProgress = () => {}) =>
      translate(description, image, direction, onProgress),
  };
}

async function translate(description, image, direction, onProgress) {
  onProgress(0, "Sending the image");
  const file = image instanceof Blob ? image : await fileOf(image);
  if (file.size > description.max_upload_bytes) {
    const most = Math.floor(description.max_upload_bytes / 2 ** 20);
    throw new Error(`The image file has more than ${most} megabytes.`);
  }
  const query = new URLSearchParams({ direction, heatmap: String(description.heatmap) });
  const request = {
    method: "POST",
    headers: { Accept: "application/json", "Content-Type": typeOf(file) },
    body: file,
  };
  onProgress(0.1, "Translating");
  const answer = await answerOf(await send(`api/translate?${query}`, request));
  onProgress(0.9, "Reading the result");
  const result = await pixelsOf(answer.image);
  const heatmap = answer.heatmap ? heatmapOf(await pixelsOf(answer.heatmap)) : null;
  onProgress(1, "Done");
  return { image: result, heatmap };
}

async function send(path, request) {
  try {
    return await fetch(path, { cache: "no-store", ...request });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
}

async function answerOf(response) {
  let answer = {};
  try {
    answer = await response.json();
  } catch {
    // Not from our server, but from one in front of it.
  }
  if (!response.ok) {
    throw new Error(answer.error || `The server refused this (${response.status}).`);
  }
  return answer;
}

// The server looks at the content; a file without a type is sent as if it were a PNG.
function typeOf(file) {
  return file.type.startsWith("image/") ? file.type : "image/png";
}

function canvasOf(width, height) {
  if (typeof OffscreenCanvas !== "undefined") {
    return new OffscreenCanvas(width, height);
  }
  return Object.assign(document.createElement("canvas"), { width, height });
}

function fileOf(imageData) {
  const canvas = canvasOf(imageData.width, imageData.height);
  canvas.getContext("2d").putImageData(imageData, 0, 0);
  if (canvas.convertToBlob) {
    return canvas.convertToBlob({ type: "image/png" });
  }
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

async function pixelsOf(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const context = canvasOf(bitmap.width, bitmap.height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, bitmap.width, bitmap.height);
  bitmap.close();
  return pixels;
}

function heatmapOf({ data, width, height }) {
  const values = Float32Array.from({ length: width * height }, (_, i) => data[4 * i] / WHITE);
  return { data: values, width, height };
}
