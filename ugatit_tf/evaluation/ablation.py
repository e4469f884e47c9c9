"""`--phase ablate`: the rows of the paper's ablation on one dataset, beside the paper's figures.

Each row is a run of its own, `NAME_ablation_ROW`, with the same seed and the same options but for
those that the row is about. What is there already is not made again, so that an interrupted
ablation goes on where it stopped.
"""

import contextlib
import dataclasses
import glob
import itertools
import json
import os

from ugatit_tf import atomic
from ugatit_tf.config import CONFIG_FILE
from ugatit_tf.config_file import read_options
from ugatit_tf.data import folders
from ugatit_tf.evaluation import evaluate
from ugatit_tf.images import comparison, image_file
from ugatit_tf.jsonfile import JSONFileError, read_json
from ugatit_tf.options import ConfigError
from ugatit_tf.training import checkpoints, history
from ugatit_tf.translation import sources, translate

PAPER_STEPS = 1_000_000
MEASUREMENTS = 10  # of KID while a row trains, where --eval_freq does not say
SHOWN = 4  # test images of each domain on the page
OPEN = {  # options that may change from start to start: they do not change the weights
    "print_freq", "save_freq", "summary_freq", "eval_freq", "best_by", "cache",
    "inception", "inception_weights", "inception_resize",
}  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One row of the table."""

    name: str  # of its run
    title: str
    options: dict  # that are not those of the whole model
    paper: tuple  # KID x 100 of selfie2anime and anime2selfie in the paper


WHOLE = {"decoder_norm": "adalin", "generator_cam": True, "discriminator_cam": True}
WITHOUT = {"generator_cam": False}, {"discriminator_cam": False}
ROWS = (
    Row("full", "U-GAT-IT", {}, (11.61, 11.52)),
    Row("in", "with IN", {"decoder_norm": "in"}, (13.64, 13.58)),
    Row("ln", "with LN", {"decoder_norm": "ln"}, (12.39, 13.17)),
    Row("adain", "with AdaIN", {"decoder_norm": "adain"}, (12.29, 11.81)),
    Row("gn", "with GN", {"decoder_norm": "gn"}, (12.76, 12.30)),
    Row("no_cam", "without CAM", {**WITHOUT[0], **WITHOUT[1]}, (12.85, 14.06)),
    Row("no_generator_cam", "without generator CAM", WITHOUT[0], (12.33, 13.86)),
    Row("no_discriminator_cam", "without discriminator CAM", WITHOUT[1], (12.49, 13.33)),
)


def configs(config) -> dict:
    """Row -> the Config of its run.

    Raises:
        ConfigError: a row was begun with other options; the message lists them.
    """
    frequency = config.eval_freq or max(1, config.total_steps // MEASUREMENTS)
    found = {
        row: dataclasses.replace(
            config,
            run=f"{config.run_name}_ablation_{row.name}",
            eval_freq=frequency,
            **{**WHOLE, **row.options},
        )
        for row in ROWS
    }
    for one in found.values():
        _check_begun(one)
    return found


def is_trained(config) -> bool:
    return max(checkpoints.saved(config.run_folder), default=-1) >= config.total_steps


def measured(config) -> tuple:
    """Translates and measures the test images of a trained row.

    Returns:
        (dict as `evaluate.evaluate` returns it, folder of the translations).
    """
    folder = _results(config) or os.path.dirname(translate.test(config))
    found, _ = evaluate.evaluate(config, fake_dir=folder)
    return found, folder


def write(config, runs, found) -> str:
    """Writes ablation.json and the page of the rows that are `found`; returns the page's path.

    Args:
        config: that of `configs`.
        runs: what `configs` returned.
        found: Row -> what `measured` returned.
    """
    about = {
        "dataset": config.dataset,
        "steps": config.total_steps,
        "seed": config.seed,
        "features": next(iter(found.values()))[0]["about"]["features"],
    }
    numbers = {row.name: {d: part[d] for d in evaluate.DOMAINS} for row, (part, _) in found.items()}
    content = json.dumps({"about": about, "rows": numbers}, indent=2) + "\n"
    folder = _place(os.path.join(config.result_dir, f"{config.run_name}_ablation"), about)
    with atomic.replacing(os.path.join(folder, "ablation.json")) as file:
        file.write(content.encode())
    path = os.path.join(folder, "index.html")
    comparison.write_comparison(
        path,
        title=f"Ablation on {config.dataset}",
        facts={name.capitalize(): fact for name, fact in about.items()},
        table=table(found),
        charts=_charts({row: runs[row] for row in found}),
        images=_images(config, {row: folder for row, (_, folder) in found.items()}),
        notes=notes(config, found),
    )
    return path


def table(found) -> comparison.Table:
    """All numbers, KID times 100, in the paper's order."""
    header = [
        *("", "paper's estimate, A to B", "paper's estimate, B to A"),
        *("in the paper, selfie2anime", "in the paper, anime2selfie"),
        *("KID to target, A to B", "KID to target, B to A", "FID, A to B", "FID, B to A"),
    ]
    rows = []
    for row in ROWS:
        cells = [row.title]
        numbers = [found[row][0][d] for d in evaluate.DOMAINS] if row in found else []
        cells += [_shown(n["paper"]["figure"], n["paper"]["error"]) for n in numbers] or ["", ""]
        cells += [f"{figure:.2f}" for figure in row.paper]
        cells += [_shown(*n["kid_target"].values()) for n in numbers] or ["", ""]
        cells += [f"{n['fid']:.4g}" for n in numbers] or ["", ""]
        rows.append(cells)
    return comparison.Table(header, rows)


def notes(config, found) -> list:
    """What must be known to read the table."""
    told = [
        "KID is times 100; lower is better. The paper's estimate is nearly all the distance to "
        "the source, and +- its standard error over blocks; of KID to the target +- is the "
        "standard deviation over subsets."
    ]
    if config.total_steps < PAPER_STEPS / 10:
        told.append(
            f"A rehearsal: {config.total_steps:,} of the paper's {PAPER_STEPS:,} steps show that "
            f"every row trains, not which is better."
        )
    if len(found) < len(ROWS):
        told.append(f"{len(found)} of {len(ROWS)} rows are done.")
    return told


def text(table) -> str:
    """The table for a terminal, its header in two lines."""
    rows = [*zip(*(name.partition(", ")[::2] for name in table.header)), *table.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    )


def _check_begun(config):
    path = os.path.join(config.run_folder, CONFIG_FILE)
    if not os.path.exists(path):
        return
    recorded = read_options(path)
    differing = [
        f"--{name} is {value} there, {getattr(config, name)} now"
        for name, value in recorded.items()
        if name not in OPEN and getattr(config, name) != value
    ]
    if differing:
        raise ConfigError(
            f"{config.run_folder} was begun with other options: {'; '.join(differing)}. Repeat "
            f"those, or begin another ablation with --run NAME."
        )


def _results(config):
    """The folder with all translations of the newest checkpoint; None if there is none."""
    checkpoint = checkpoints.newest(config.run_folder)
    place = os.path.join(config.result_dir, config.run_name, os.path.basename(checkpoint))
    pages = glob.glob(os.path.join(f"{glob.escape(place)}*", "index.html"))
    pages = [page for page in pages if os.path.getmtime(page) >= os.path.getmtime(checkpoint)]
    return os.path.dirname(max(pages, key=os.path.getmtime)) if pages else None


def _place(path, about):
    """The folder of what is told of `about`: the next number where another is told there."""
    for folder in sources.numbered(path):
        told = os.path.join(folder, "ablation.json")
        if not os.path.exists(told):
            return folder
        with contextlib.suppress(JSONFileError):
            if read_json(told).get("about") == about:
                return folder
    return path


def _charts(runs):
    titles = {
        "eval/kid": "KID to the target while training, mean of both directions",
        "a2b/cycle": "Cycle loss, A to B to A",
        "b2a/cycle": "Cycle loss, B to A to B",
        "Discriminator_loss": "Loss of the discriminators",
    }
    lines = {row.title: history.read(run.run_folder) for row, run in runs.items()}
    return {
        title: {
            name: [(line["step"], line[tag]) for line in told if tag in line]
            for name, told in lines.items()
        }
        for tag, title in titles.items()
    }


def _images(config, translated):
    """The first test images through all rows."""
    for direction, (part, title) in translate.DIRECTIONS.items():
        paths = folders.images_in(os.path.join(config.dataset_folder, part))
        names = translate.output_names(paths)
        rows = [
            [
                image_file.read(path),
                *(image_file.read(os.path.join(f, direction, name)) for f in translated.values()),
            ]
            for path, name in itertools.islice(zip(paths, names), SHOWN)
        ]
        yield comparison.Images(title, ["Input", *(row.title for row in translated)], rows)


def _shown(mean, spread):
    return f"{100 * mean:.4g}" + ("" if spread is None else f" +- {100 * spread:.2g}")
