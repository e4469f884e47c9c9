// Images to what the network takes, and back. The same arithmetic as the exported SavedModel has.

/** For each place of a longer side, which pixel of an image of `length` is reflected there. */
export function reflected(length, multiple, smallest) {
  const whole = Math.max(smallest, Math.ceil(length / multiple) * multiple);
  const period = Math.max(2 * (length - 1), 1);
  return Uint32Array.from({ length: whole }, (_, index) => {
    const place = index % period;
    return Math.min(place, period - place);
  });
}

/** ImageData -> {data, height, width}: float32 [height, width, channels] in [-1, 1]. */
export function toInput(image, { channels, multiple, smallest }) {
  const rows = reflected(image.height, multiple, smallest);
  const columns = reflected(image.width, multiple, smallest);
  const data = new Float32Array(rows.length * columns.length * channels);
  let place = 0;
  for (const row of rows) {
    for (const column of columns) {
      const at = 4 * (row * image.width + column);
      const [red, green, blue] = image.data.subarray(at, at + 3);
      if (channels === 1) {
        const gray = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
        data[place++] = gray / 127.5 - 1;
      } else {
        data[place++] = red / 127.5 - 1;
        data[place++] = green / 127.5 - 1;
        data[place++] = blue / 127.5 - 1;
      }
    }
  }
  return { data, height: rows.length, width: columns.length };
}

/** float32 [., stride, channels] in [-1, 1] -> ImageData of its first rows and columns. */
export function toImage(data, stride, channels, width, height) {
  const image = new ImageData(width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * stride + x) * channels;
      const to = 4 * (y * width + x);
      for (let channel = 0; channel < 3; channel++) {
        const value = data[from + (channels === 1 ? 0 : channel)];
        if (Number.isNaN(value)) throw new Error("the model gives numbers that are not finite");
        image.data[to + channel] = (value + 1) * 127.5; // rounded and clipped by the array
      }
      image.data[to + 3] = 255;
    }
  }
  return image;
}

/** A heatmap [rows, columns] of `scale` times as many pixels -> that of each pixel, in [0, 1]. */
export function toHeatmap(data, rows, columns, scale, width, height) {
  const [across, down] = [between(columns, scale, width), between(rows, scale, height)];
  const result = new Float32Array(width * height);
  let [lowest, highest] = [Infinity, -Infinity];
  for (let y = 0; y < height; y++) {
    const [above, below, weight] = down[y];
    for (let x = 0; x < width; x++) {
      const [left, right, part] = across[x];
      const value = (row) =>
        data[row * columns + left] * (1 - part) + data[row * columns + right] * part;
      const mixed = value(above) * (1 - weight) + value(below) * weight;
      lowest = Math.min(lowest, mixed);
      highest = Math.max(highest, mixed);
      result[y * width + x] = mixed;
    }
  }
  const range = highest - lowest;
  return { data: result.map((value) => (range > 0 ? (value - lowest) / range : 0)), width, height };
}

/** For each pixel the two cells that it lies between, and how near it is to the second. */
function between(cells, scale, length) {
  return Array.from({ length }, (_, index) => {
    const position = Math.min(Math.max((index + 0.5) / scale - 0.5, 0), cells - 1);
    const first = Math.floor(position);
    return [first, Math.min(first + 1, cells - 1), position - first];
  });
}
