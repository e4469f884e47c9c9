"""The rows of the paper's ablation on one dataset, compared with the paper's figures.

Each row is a run of its own, `NAME_ablation_ROW`, with the same seed and the same options except
those of the row. Rows that exist are not made again, so an interrupted ablation continues where it
stopped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import itertools
import json
import os
from collections.abc import Iterator

from ugatit_tf import atomic
from ugatit_tf.config import CONFIG_FILE, KID, Config
from ugatit_tf.config_file import read_options
from ugatit_tf.data import folders
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.evaluation import feature_file
from ugatit_tf.evaluation.evaluate import evaluate
from ugatit_tf.images import comparison, image_file, trend
from ugatit_tf.jsonfile import JSONFileError, read_json
from ugatit_tf.options import ConfigError, names_of
from ugatit_tf.training import checkpoints, history
from ugatit_tf.translation import paths, testing

PAPER_STEPS = 1_000_000
MEASUREMENTS = 10  # of KID while a row trains, if --eval_freq is 0
MOST_IMAGES = 4  # of each domain on the page
MAY_CHANGE = {  # options that do not change the weights
    "print_freq", "save_freq", "summary_freq", "eval_freq", "best_by", "cache",
    *names_of(Config, "evaluation"),
}  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One row of the table.

    Attributes:
        name: the ending of its run's name.
        title: as in the paper.
        options: those that differ from the whole model.
        paper: KID x 100 of selfie2anime and anime2selfie in the paper.
    """

    name: str
    title: str
    options: dict
    paper: tuple


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


def configs(config: Config) -> dict[Row, Config]:
    """Row -> the Config of its run.

    Raises:
        ConfigError: a row was begun with other options; the message lists them.
    """
    frequency = config.eval_freq or max(1, config.total_steps // MEASUREMENTS)
    results = {
        row: dataclasses.replace(
            config,
            run=f"{config.run_name}_ablation_{row.name}",
            eval_freq=frequency,
            **{**WHOLE, **row.options},
        )
        for row in ROWS
    }
    for row_config in results.values():
        _refuse_other_options(row_config)
    return results


def is_trained(config: Config) -> bool:
    """Whether the run of a row has all its steps."""
    return max(checkpoints.saved(config.run_folder), default=-1) >= config.total_steps


def measure(config: Config) -> tuple[dict, str]:
    """Translates and measures the test images of a trained row.

    Returns:
        (metrics as `evaluate` returns them, folder of the translations).
    """
    folder = _results_folder(config) or os.path.dirname(testing.run_test(config))
    metrics, _ = evaluate(config, fake_dir=folder)
    return metrics, folder


def write(config: Config, runs: dict[Row, Config], measured: dict[Row, tuple]) -> str:
    """Writes ablation.json and the page of the rows that were measured; returns the page's path.

    Args:
        config: that of `configs`.
        runs: what `configs` returned.
        measured: Row -> what `measure` returned.
    """
    about = {
        "dataset": config.dataset,
        "steps": config.total_steps,
        "seed": config.seed,
        "features": next(iter(measured.values()))[0]["about"]["features"],
    }
    rows = {
        row.name: {name: metrics[name] for name in DIRECTIONS}
        for row, (metrics, _) in measured.items()
    }
    content = json.dumps({"about": about, "rows": rows}, indent=2) + "\n"
    folder = _page_folder(os.path.join(config.result_dir, f"{config.run_name}_ablation"), about)
    with atomic.replacing(os.path.join(folder, "ablation.json")) as file:
        file.write(content.encode())
    path = os.path.join(folder, "index.html")
    comparison.write_comparison(
        path,
        title=f"Ablation on {config.dataset}",
        facts={name.capitalize(): fact for name, fact in about.items()},
        table=table(measured),
        charts=_charts({row: runs[row] for row in measured}),
        images=_images(config, {row: folder for row, (_, folder) in measured.items()}),
        notes=notes(config, measured),
    )
    return path


def table(measured: dict[Row, tuple]) -> comparison.Table:
    """All metrics, KID times 100, in the paper's order."""
    header = [
        *("", "paper's estimate, A to B", "paper's estimate, B to A"),
        *("in the paper, selfie2anime", "in the paper, anime2selfie"),
        *("KID to target, A to B", "KID to target, B to A", "FID, A to B", "FID, B to A"),
    ]
    rows = []
    for row in ROWS:
        metrics = [measured[row][0][name] for name in DIRECTIONS] if row in measured else []
        estimates = [_percent(m["paper"]["figure"], m["paper"]["error"]) for m in metrics]
        kids = [_percent(*m["kid_target"].values()) for m in metrics]
        fids = [f"{m['fid']:.4g}" for m in metrics]
        paper = [f"{figure:.2f}" for figure in row.paper]
        cells = (group or ["", ""] for group in (estimates, paper, kids, fids))
        rows.append([row.title, *itertools.chain.from_iterable(cells)])
    return comparison.Table(header, rows)


def notes(config: Config, measured: dict[Row, tuple]) -> list[str]:
    """What one must know to read the table."""
    sentences = [
        "KID is times 100; lower is better. The paper's estimate is nearly all the distance to "
        "the source, and +- its standard error over blocks; of KID to the target +- is the "
        "standard deviation over subsets."
    ]
    if config.features:
        sentences.append(feature_file.COMPARABLE)
    if config.total_steps < PAPER_STEPS / 10:
        sentences.append(
            f"A rehearsal: {config.total_steps:,} of the paper's {PAPER_STEPS:,} steps show that "
            f"every row trains, not which is better."
        )
    if len(measured) < len(ROWS):
        sentences.append(f"{len(measured)} of {len(ROWS)} rows are done.")
    return sentences


def text(table: comparison.Table) -> str:
    """The table for a terminal, its header in two lines."""
    rows = [*zip(*(name.partition(", ")[::2] for name in table.header)), *table.rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    )


def _refuse_other_options(config):
    """Raises ConfigError where the run was begun with other options than now."""
    path = os.path.join(config.run_folder, CONFIG_FILE)
    if not os.path.exists(path):
        return
    differing = [
        f"--{name} is {value} there, {getattr(config, name)} now"
        for name, value in read_options(path).items()
        if name not in MAY_CHANGE and getattr(config, name) != value
    ]
    if differing:
        raise ConfigError(
            f"{config.run_folder} was begun with other options: {'; '.join(differing)}. Repeat "
            f"those, or begin another ablation with --run NAME."
        )


def _results_folder(config):
    """The folder with all translations of the newest checkpoint; None if there is none."""
    checkpoint = checkpoints.newest(config.run_folder)
    path = os.path.join(config.result_dir, config.run_name, os.path.basename(checkpoint))
    pages = glob.glob(os.path.join(f"{glob.escape(path)}*", "index.html"))
    pages = [page for page in pages if os.path.getmtime(page) >= os.path.getmtime(checkpoint)]
    return os.path.dirname(max(pages, key=os.path.getmtime)) if pages else None


def _page_folder(path, about):
    """`path`, or with a number where a page about something else exists."""
    for folder in paths.numbered(path):
        file = os.path.join(folder, "ablation.json")
        if not os.path.exists(file):
            return folder
        with contextlib.suppress(JSONFileError):
            if read_json(file).get("about") == about:
                return folder
    return path


def _charts(runs) -> dict:
    titles = {
        KID: "KID to the target while training, mean of both directions",
        "a2b/cycle": "Cycle loss, A to B to A",
        "b2a/cycle": "Cycle loss, B to A to B",
        "Discriminator_loss": "Loss of the discriminators",
    }
    histories = {row.title: history.read(config.run_folder) for row, config in runs.items()}
    return {
        title: {
            name: trend.of([(line["step"], line[tag]) for line in lines if tag in line])[0]
            for name, lines in histories.items()
        }
        for tag, title in titles.items()
    }


def _images(config, translated) -> Iterator[comparison.Images]:
    """The first test images through all rows."""
    for name, direction in DIRECTIONS.items():
        sources = folders.images_in(os.path.join(config.dataset_folder, direction.source_folder))
        rows = []
        for path, result in zip(sources[:MOST_IMAGES], testing.output_names(sources)):
            results = (os.path.join(folder, name, result) for folder in translated.values())
            rows.append([image_file.read(path), *map(image_file.read, results)])
        header = ["Input", *(row.title for row in translated)]
        yield comparison.Images(direction.title, header, rows)


def _percent(mean, spread):
    return f"{100 * mean:.4g}" + ("" if spread is None else f" +- {100 * spread:.2g}")
