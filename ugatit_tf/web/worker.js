// Runs the ONNX model, away from the page, which stays quick.

import { toHeatmap, toImage, toInput } from "./fit.js";
import { Problem } from "./words.js";

const KEPT = 256e6; // bytes of models below which one of each direction is kept
const CELL = 4; // pixels along each side of a cell of a heatmap
// How a runtime says that there is not enough memory, of 4 GiB that it can address at all.
const MEMORY = /alloc|memory|overflow|out of bounds|abort|too large|invalid array length/i;

const state = { config: null, device: "", runtime: null, sessions: new Map() };

self.onmessage = async ({ data: { id, task, given } }) => {
  const report = (progress) => self.postMessage({ id, progress });
  try {
    const result = await TASKS[task](given, report);
    const buffers = result.image ? [result.image.data.buffer] : [];
    self.postMessage({ id, result }, buffers);
  } catch (error) {
    self.postMessage({ id, problem: { kind: error.kind ?? "work", detail: error.message } });
  }
};

const TASKS = { open, translate };

/** Loads the runtime and the model of a direction. */
async function open({ config, device, direction }, report) {
  state.config = config;
  if (typeof WebAssembly !== "object") throw new Problem("wasm");
  const wanted = device || ((await hasWebGpu()) ? "webgpu" : "wasm");
  await withFallback(wanted, () => session(direction, report), report);
  return about();
}

/** ImageData -> {image, heatmap, about}. */
async function translate({ image, direction }, report) {
  const run = async () => computed(await session(direction, report), image, report);
  const result = await withFallback(state.device, run, report);
  return { ...result, about: about() };
}

/** Does `work` on a device, and on the processor where WebGPU fails at it. */
async function withFallback(device, work, report) {
  try {
    await start(device);
    return await work();
  } catch (error) {
    if (device !== "webgpu" || error.kind === "load") throw error;
    console.warn("WebGPU cannot be used:", error.message);
    report({ step: "fallback" });
    await forget();
    await start("wasm");
    state.failed = true;
    return work();
  }
}

/** Whether there is a graphics processor; one that the processor imitates is slower than itself. */
async function hasWebGpu() {
  try {
    const adapter = await navigator.gpu?.requestAdapter();
    return Boolean(adapter && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter));
  } catch {
    return false;
  }
}

function about() {
  return {
    device: state.device,
    threads: state.device === "wasm" ? threads() : 0,
    failed: Boolean(state.failed),
    memory: navigator.deviceMemory ?? 0,
  };
}

function threads() {
  return self.crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency || 1) : 1;
}

/** Chooses the build of the runtime; it is loaded with the first model. */
async function start(device) {
  if (state.device === device) return;
  Object.assign(state, { device, runtime: null });
}

async function forget() {
  for (const loaded of state.sessions.values()) await loaded.release().catch(() => {});
  state.sessions.clear();
}

/** The session of a direction, loaded where it is not yet. */
async function session(direction, report) {
  if (state.sessions.has(direction)) return state.sessions.get(direction);
  const { directions, runtime } = state.config;
  const files = Object.values(directions);
  if (files.reduce((sum, { bytes }) => sum + bytes, 0) > KEPT) await forget();
  const [model, build] = [directions[direction], runtime[state.device]];
  const total = model.bytes + (state.runtime ? 0 : build.bytes);
  let done = 0;
  const count = (bytes) => report({ step: "load", done: (done += bytes), total });
  if (!state.runtime) state.runtime = await loadedRuntime(build, count);
  const bytes = await fetched(model.file, count);
  report({ step: "prepare" });
  try {
    const made = await state.runtime.InferenceSession.create(bytes, {
      executionProviders: [state.device],
      enableCpuMemArena: false, // it would take twice the memory of a large image
    });
    state.sessions.set(direction, made);
    return made;
  } catch (error) {
    throw new Problem(MEMORY.test(error.message) ? "model-size" : "model", error.message);
  }
}

async function loadedRuntime(build, count) {
  const binary = await fetched(build.wasm, count);
  try {
    const runtime = await import(new URL(build.module, self.location).href);
    Object.assign(runtime.env.wasm, {
      numThreads: threads(),
      wasmBinary: binary.buffer,
      wasmPaths: { mjs: new URL(build.glue, self.location).href },
    });
    runtime.env.logLevel = "error";
    return runtime;
  } catch (error) {
    throw new Problem("model", error.message);
  }
}

/** The bytes of a file; `count` is told of each part that arrives. */
async function fetched(address, count) {
  try {
    const answer = await fetch(new URL(address, self.location));
    if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
    const parts = [];
    const reader = answer.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value);
      count(part.value.length);
    }
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  } catch (error) {
    throw new Problem("load", error.message);
  }
}

async function computed(model, image, report) {
  const { config, runtime } = state;
  const { channels, names } = config;
  report({ step: "work" });
  let outputs;
  try {
    const { data, height, width } = toInput(image, config);
    const input = new runtime.Tensor("float32", data, [1, height, width, channels]);
    outputs = await model.run({ [names.images]: input });
  } catch (error) {
    throw new Problem(MEMORY.test(error.message ?? error) ? "memory" : "work", error.message);
  }
  const { [names.translated]: translated, [names.heatmap]: heat } = outputs;
  const [, , stride] = translated.dims;
  const { width, height } = image;
  const result = {
    image: toImage(translated.data, stride, channels, width, height),
    heatmap: heat ? toHeatmap(heat.data, heat.dims[1], heat.dims[2], CELL, width, height) : null,
  };
  for (const output of Object.values(outputs)) output.dispose();
  return result;
}
