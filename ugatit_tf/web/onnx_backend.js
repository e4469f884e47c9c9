// The model as an ONNX file, in a worker of this browser. app.js knows nothing of that.

import { Problem } from "./words.js";

const SIDES = [8192, 4096, 3072, 2048, 1536, 1024, 768, 512, 384, 256, 128];
const TYPICAL_MEMORY = 8; // GiB, of devices that do not say it
const SHARE = 1 / 4; // of the memory of the device that an image may take
const MOST = 3.2e9; // bytes: WebAssembly addresses 4 GiB, in which the model is too
const QUICK = { webgpu: 1024, threads: 512, thread: 384 }; // sides that take seconds

/**
 * Opens the model that config.json describes.
 *
 * Returns:
 *   describe(): what the page must know. translate(image, direction, onProgress): ImageData of
 *   any size, or of the model's square, to {image: ImageData, heatmap: {data, width, height} or
 *   null}. onProgress gets {step: "load", done, total}, {step: "prepare"} or {step: "work"}.
 */
export async function open(config, onProgress) {
  const device = new URLSearchParams(location.search).get("device") ?? "";
  const first = Object.keys(config.directions)[0];
  let about;
  let remote = null;

  async function started(direction, report) {
    if (remote) return;
    remote = new Remote();
    try {
      about = await remote.ask("open", { config, device, direction }, report);
    } catch (error) {
      stop();
      throw error;
    }
  }

  function stop() {
    remote?.worker.terminate();
    remote = null;
  }

  async function translate(image, direction, report) {
    await started(direction, report);
    try {
      const result = await remote.ask("translate", { image, direction }, report);
      about = result.about;
      return result;
    } catch (error) {
      stop(); // a runtime that had no memory is not used again
      throw error;
    }
  }

  await started(first, onProgress);
  return { describe: () => description(config, about), translate };
}

function description(config, about) {
  const directions = Object.entries(config.directions);
  const most = largest(config, about);
  const sides = SIDES.filter((side) => side <= Math.max(most, SIDES.at(-1)));
  const kind = about.device === "wasm" ? (about.threads > 1 ? "threads" : "thread") : "webgpu";
  return {
    directions: directions.map(([name, { title }]) => ({ name, title })),
    anySize: config.any_size,
    size: config.size,
    sides,
    side: Math.min(sides[0], QUICK[kind]),
    device: deviceWords(about),
  };
}

/** The longest side of a square that fits into the memory. */
function largest(config, about) {
  const memory = (about.memory || TYPICAL_MEMORY) * 2 ** 30;
  return Math.sqrt(Math.min(memory * SHARE, MOST) / config.bytes_per_pixel);
}

function deviceWords(about) {
  if (about.device === "webgpu") return "Runs on the graphics processor (WebGPU)";
  const count = about.threads > 1 ? `${about.threads} threads` : "one thread";
  const why = about.failed ? " WebGPU failed on this device." : "";
  return `Runs on the processor (WebAssembly, ${count}).${why}`;
}

/** A worker that is asked one thing at a time. */
class Remote {
  constructor() {
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.id = 0;
  }

  ask(task, given, report) {
    const id = ++this.id;
    return new Promise((done, failed) => {
      this.worker.onerror = () => failed(new Problem("load"));
      this.worker.onmessage = ({ data }) => {
        if (data.id !== id) return;
        if (data.progress) report(data.progress);
        else if (data.problem) failed(new Problem(data.problem.kind, data.problem.detail));
        else done(data.result);
      };
      this.worker.postMessage({ id, task, given });
    });
  }
}
