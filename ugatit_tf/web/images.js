// Image files to pixels of the size that the model takes.

import { Problem } from "./words.js";

/** A file -> an ImageBitmap, turned as its EXIF says. */
export async function decoded(file) {
  if (file.type && !file.type.startsWith("image/")) throw new Problem("file");
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return drawnAsElement(file); // vector images, and what only <img> knows
  }
}

async function drawnAsElement(file) {
  const address = URL.createObjectURL(file);
  try {
    const element = new Image();
    element.src = address;
    await element.decode().catch(() => {
      throw new Problem(file.type ? "image" : "file");
    });
    try {
      return await createImageBitmap(element);
    } catch {
      throw new Problem("image-size");
    }
  } finally {
    URL.revokeObjectURL(address);
  }
}

/**
 * The sizes of an image of this width and height.
 *
 * Returns:
 *   shown: the size of the result. network: what the model is given.
 */
export function sizes(width, height, model, longest) {
  if (model.anySize) {
    const shown = scaled(width, height, Math.min(1, longest / Math.max(width, height)));
    return { shown, network: shown };
  }
  // The model takes one square. The result gets the shape of the image back.
  const factor = Math.min(model.size / Math.min(width, height), 2048 / Math.max(width, height));
  return {
    shown: scaled(width, height, factor),
    network: { width: model.size, height: model.size },
  };
}

function scaled(width, height, factor) {
  return {
    width: Math.max(1, Math.round(width * factor)),
    height: Math.max(1, Math.round(height * factor)),
  };
}

/** A canvas of this size with the image on white, which shows where the image is transparent. */
export function drawn(source, { width, height }, canvas = document.createElement("canvas")) {
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Problem("image-size");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, width, height);
  return canvas;
}

/** The ImageData of an image at this size. */
export function pixelsOf(source, size) {
  const context = drawn(source, size).getContext("2d");
  return context.getImageData(0, 0, size.width, size.height);
}

/** A canvas with the pixels of an ImageData. */
export function canvasOf(image) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: image.width, height: image.height });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** Saves a canvas as a PNG file of this name. */
export async function saved(canvas, name) {
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  if (!blob) throw new Problem("memory");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
