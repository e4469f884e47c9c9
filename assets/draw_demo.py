"""Draws translations of the built-in faces side by side, for the README.

    python -m assets.draw_demo dataset/demo results/demo/step_NNNNNNN

writes assets/demo.png from what `make demo` left: its faces, and the results of its test phase. How
many steps it trains depends on the computer.
"""

import pathlib
import sys

from ugatit_tf.images import image_file, panels

HERE = pathlib.Path(__file__).parent
EXAMPLES = {  # direction -> (domain of the input, numbers of test images)
    "a2b": ("A", (2, 5, 8, 11)),
    "b2a": ("B", (1, 3, 6, 9)),
}


def draw(dataset: str, results: str, path: pathlib.Path) -> None:
    """Writes a grid of inputs, heatmaps and outputs."""
    dataset, results = pathlib.Path(dataset), pathlib.Path(results)
    columns = []
    for direction, (domain, numbers) in EXAMPLES.items():
        for number in numbers:
            name = f"face_{number:05d}.png"
            folders = (
                dataset / f"test{domain}",
                results / f"{direction}_attention",
                results / direction,
            )
            columns.append([image_file.read(folder / name) for folder in folders])
    rows = [list(row) for row in zip(*columns)]
    titles = ["A to B"] * len(EXAMPLES["a2b"][1]) + ["B to A"] * len(EXAMPLES["b2a"][1])
    sheet = panels.grid(rows, column_titles=titles, row_titles=["Input", "Attention", "Output"])
    image_file.write(path, sheet)


if __name__ == "__main__":
    draw(*sys.argv[1:3], HERE / "demo.png")
