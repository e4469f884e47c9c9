"""How an iteration's time and memory grow with size, width and batch, one process for each row.

    python -m benchmarks.cost

The rows vary one thing at a time. Every option of main.py is an option here and goes to all rows.
"""

import sys

from benchmarks import flops, measure
from ugatit_tf import doctor
from ugatit_tf.config import Config
from ugatit_tf.sizes import smallest_image

SIZES, WIDTHS, BATCHES, FULL = (64, 128, 256, 512), (16, 32, 64), (1, 2, 4), (64, 128)


def rows() -> list:
    """The options of each row: sizes, widths and batches of the light model, sizes of the full."""
    sizes = [{"img_size": size} for size in SIZES]
    widths = [{"img_size": 128, "ch": ch} for ch in WIDTHS]
    batches = [{"img_size": 128, "batch_size": batch} for batch in BATCHES]
    full = [{"img_size": size, "light": False} for size in FULL]
    found = []
    for row in (*sizes, *widths, *batches, *full):
        row = {"ch": 64, "batch_size": 1, "light": True, **row}
        if smallest_image(Config().n_dis) > row["img_size"]:
            row["n_dis"] = 5
        if row not in found:
            found.append(row)
    return found


def main(argv) -> int:
    _, given = measure.read(measure.parser("benchmarks.cost", __doc__.splitlines()[0]), argv)
    given.pop("light")
    titles = ("seconds", "GFLOP", "GFLOP/s", "peak GB", "estimated")
    print(f"{measure.described(Config(light=True)).split(';')[0]}; seconds by the median of three")
    print(f"{'':40} " + " ".join(f"{title:>8}" for title in titles))
    for row in rows():
        config = Config(**{**row, **given})
        argv = [f"--{name}={value}" for name, value in {**row, **given}.items()]
        told = measure.alone("benchmarks.train_step", [*argv, "--only", "ours"])
        operations = flops.iteration(config, ours=True).total / 1e9
        numbers = (
            f"{told['seconds']:8.2f} {operations:8.0f} {operations / told['seconds']:8.0f} "
            f"{told['peak'] / 1e9:8.2f} {doctor.memory_bytes(config) / 1e9:8.2f}"
        )
        print(f"{measure.described(config).split('; ')[1]:40} {numbers}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
