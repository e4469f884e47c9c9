// The color map of heatmaps, the same as that of the program: it only grows brighter.

const COLORS = [
  [2, 107, 197], [127, 103, 220], [202, 97, 205], [252, 97, 179], [255, 135, 154],
  [255, 165, 148], [254, 192, 153], [255, 218, 158], [247, 247, 107],
];

/** {data, width, height} with values in [0, 1] -> ImageData of its colors. */
export function colored(heatmap) {
  const image = new ImageData(heatmap.width, heatmap.height);
  heatmap.data.forEach((value, place) => {
    const position = Math.min(Math.max(value, 0), 1) * (COLORS.length - 1);
    const index = Math.min(Math.floor(position), COLORS.length - 2);
    for (let channel = 0; channel < 3; channel++) {
      const [low, high] = [COLORS[index][channel], COLORS[index + 1][channel]];
      image.data[4 * place + channel] = low + (high - low) * (position - index);
    }
    image.data[4 * place + 3] = 255;
  });
  return image;
}
