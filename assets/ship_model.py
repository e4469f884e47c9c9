"""Makes a model that comes with the package, from a run, in one command:

    python -m assets.ship_model checkpoint/faces faces --prose faces.md --license MIT

writes ugatit_tf/models/faces: a generator file of each direction with float16 weights (the moving
average, if the run keeps one), card.md and model.json. All facts and numbers are those of the
run's config.json and history, or are measured here; the prose is what only people know: what the
data are, whose they are, and what the model does badly. Afterwards renew the names in the docs:
`python -m ugatit_tf.command_line > docs/options.md`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import shlex
import shutil
from collections.abc import Sequence

import numpy as np

from assets import model_card
from ugatit_tf import atomic, machine, shipped
from ugatit_tf.config import CONFIG_FILE, Config
from ugatit_tf.config_file import read_about, read_options
from ugatit_tf.data import demo, presence
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.errors import Failure
from ugatit_tf.images import image_file
from ugatit_tf.interchange import difference, generator_file
from ugatit_tf.interchange.formats.about import files_in
from ugatit_tf.jsonfile import read_json
from ugatit_tf.training import checkpoints, history
from ugatit_tf.translation import loading

CARD = "card.md"
EXAMPLES = 30  # images of each domain that are measured
OF_THE_COMPUTER = tuple(f.name for f in dataclasses.fields(Config) if f.name.endswith("_dir")) + (
    "inception_weights",
)
RECIPE = ("command", "options", "steps", "hours", "hardware", "versions", "dataset", "devices",
          "init_from", "changes", "mean_of_steps", "before")  # of model.json  # fmt: skip
PARTS = ("cycle", "identity")  # of the losses that are noted


def ship(
    run: str,
    name: str,
    *,
    prose: str,
    license: str,
    which: str = "latest",
    folder: str = "",
    examples: str = "",
    metrics: str = "",
    before: Sequence[str] = (),
) -> str:
    """Writes the model of the run folder `run` under `name`; returns the path of its folder.

    Args:
        prose: Markdown for the card.
        license: of the weights, one line.
        folder: of the models, if it is not that of the package.
        examples: a folder with images for people to translate, free to share. Those of the
            built-in dataset are drawn.
        metrics: the file with KID and FID that the evaluate phase wrote of the same checkpoint.
        before: the folder from which the run started (`--init_from`), then that from which that
            one started, and so on; each is a run's, the last may be that of a model that came with
            the package. The model then has their recipes too.

    Raises:
        Failure: there is a model of that name, the run cannot be used, a run did not start from
            what `before` says, or the metrics are those of another checkpoint.
    """
    target = os.path.join(folder or shipped.FOLDER, name)
    if os.path.exists(target):
        raise Failure(f"{target} exists. Remove it, or choose another name.")
    config = _config(run)
    original = loading.from_run(dataclasses.replace(config, precision="float32"), which)
    _, generators, checkpoint = loading.load_generators(config, which)
    measured = _metrics(metrics, checkpoint)
    with atomic.folder(target) as unfinished:
        for direction, generator in generators.items():
            path = os.path.join(unfinished, direction + generator_file.SUFFIX)
            generator_file.save(generator, config, direction, path, half=True)
        _write_examples(examples, config, os.path.join(unfinished, shipped.EXAMPLES))
        facts = {
            "name": name,
            "license": license,
            "directions": list(generators),
            **_recipe(run, _step(checkpoint)),
            **({"mean_of_steps": list(checkpoints.saved(run))} if which == "mean" else {}),
            **_recipe_before(run, before),
            "numbers": {**_numbers(config, run, unfinished, original), **measured},
        }
        card = model_card.text(facts, prose, files_in(unfinished))
        pathlib.Path(unfinished, CARD).write_text(card, encoding="utf-8")
        facts["files"] = files_in(unfinished)
        content = json.dumps(facts, indent=2) + "\n"
        pathlib.Path(unfinished, shipped.FACTS).write_text(content, encoding="utf-8")
    return target


def _write_examples(source, config, folder):
    if source:
        shutil.copytree(source, folder)
    elif config.dataset == presence.BUILT_IN:
        for number, face in enumerate(demo.examples(size=config.img_size), 1):
            image_file.write(os.path.join(folder, f"face_{number}.png"), face)


def _config(run):
    parent, name = os.path.split(os.path.abspath(run))
    options = read_options(os.path.join(run, CONFIG_FILE))
    options["init_from"] = _short(options["init_from"])
    return Config(**{**options, "checkpoint_dir": parent, "run": name})


def _short(path):
    """The last two parts of an absolute path, without the folders of this computer."""
    return os.path.join(*pathlib.Path(path).parts[-2:]) if os.path.isabs(path) else path


def _step(checkpoint):
    return int(checkpoints.NAME.match(os.path.basename(checkpoint)).group(1))


def _recipe(run, step):
    """How the networks of a step were trained, as their run tells it."""
    config, (_, about) = _config(run), read_about(run)
    ours = {name: about[name] for name in ("versions", "dataset", "devices", "init_from", "changes")
            if about.get(name)}  # fmt: skip
    if "init_from" in ours:
        ours["init_from"] = {**ours["init_from"], "from": _short(ours["init_from"]["from"])}
    return {
        "command": command(config),
        "options": {k: v for k, v in config.recorded().items() if k not in OF_THE_COMPUTER},
        "steps": step,
        "hours": hours(history.read(run), step),
        "hardware": about.get("devices", {}).get("hardware") or machine.hardware(),
        **ours,
    }


def _recipe_before(run, folders):
    """{"before": the recipe of the run that it started from, with what was before} or nothing."""
    if not folders:
        return {}
    folder, *others = folders
    start = read_about(run)[1].get("init_from", {})
    path = os.path.join(folder, shipped.FACTS)
    recipe = (
        _recipe_of_model(path, start) if os.path.isfile(path) else _recipe_of_run(folder, start)
    )
    if not recipe:
        raise Failure(f"{run} started from {start.get('from', 'nothing')}, not from {folder}.")
    return {"before": {**recipe, **_recipe_before(folder, others)}}


def _recipe_of_model(path, start):
    """That of a model.json; {} where the generators of `start` are not the model's."""
    facts, digests = read_json(path), start.get("sha256")
    files = facts["files"]
    if not digests or any(files.get(file, {}).get("sha256") != digests[file] for file in digests):
        return {}
    return {name: facts[name] for name in RECIPE if name in facts}


def _recipe_of_run(folder, start):
    """That of a run; {} where `start` is not the run of this name."""
    if os.path.basename(start.get("from", "")) != os.path.basename(os.path.abspath(folder)):
        return {}
    return _recipe(folder, start["step"])


def command(config: Config) -> str:
    """The command that trains such a run, with every option that is not a default."""
    default = vars(Config(dataset=config.dataset))
    words = ["ugatit", "train", "--dataset", config.dataset]
    words += ["--run", config.run] if config.run != config.dataset else []
    for name, value in config.recorded().items():
        if value != default[name] and name not in OF_THE_COMPUTER:
            words += [f"--{name}", str(value)]
    return shlex.join(words)


def hours(lines: list, last_step: int) -> float | None:
    """The hours of training until `last_step`, with all that was written; None if not recorded.

    Args:
        lines: of the history; early versions of the program recorded no hours.
    """
    found = [line["hours"] for line in lines if "hours" in line and line["step"] <= last_step]
    return round(found[-1], 2) if found else None


def _metrics(path, checkpoint):
    """{"metrics": those of a file} or nothing."""
    if not path:
        return {}
    found = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    step, measured = os.path.basename(checkpoint), os.path.basename(found["about"]["pictures"])
    if step != measured:
        raise Failure(f"{path} is of {measured}, the model of {step}. Evaluate {step}.")
    found["about"]["pictures"] = step  # without the folders of this computer
    return {"metrics": found}


def _numbers(config, run, folder, original):
    """What is known of its quality."""
    lines = [line for line in history.read(run) if "a2b/cycle" in line]
    losses = [f"{direction}/{part}" for direction in DIRECTIONS for part in PARTS]
    measured = [line for line in history.read(run) if any(k.startswith("eval/") for k in line)]
    halves = loading.load(folder)
    numbers = {
        "losses": {name: lines[-1][name] for name in losses if name in lines[-1]} if lines else {},
        "float16": _difference(config, original, halves),
    }
    if measured:
        numbers["evaluation"] = measured[-1]
    if config.dataset == presence.BUILT_IN:
        numbers["faces"] = faces(config, halves)
    return numbers


def faces(config: Config, translator: object, count: int = EXAMPLES) -> dict:
    """How far test faces came, in percent of the way to the other domain; see `data.demo`."""
    images = {domain: _faces(config, domain, count) for domain in demo.PAINTERS}
    found = {}
    for direction in DIRECTIONS.values():
        before, target = images[direction.source], images[direction.target]
        after = translator.translate(list(before), direction.name)
        for measure in (demo.eye_area, demo.shading):
            percent = demo.percent_of_way(*map(measure, (before, after, target)))
            found[f"{direction.name}/{measure.__name__}_percent"] = round(percent, 1)
    return found


def _faces(config, domain, count):
    first = demo.FIRST_TEST_INDEX
    options = {"size": config.img_size, "seed": config.seed}
    return np.stack([demo.draw(domain, first + i, **options) for i in range(count)])


def _difference(config, original, halves):
    """How far float16 weights move a translation, in levels of 255."""
    images = _faces(config, "A", 4)
    if config.img_ch == 1:
        images = images[..., :1]
    pairs = [
        [np.asarray(one.translate(list(images), name), np.float32) for one in (original, halves)]
        for name in halves.directions
    ]
    worst = difference.worst(difference.between(*pair) for pair in pairs)
    return {"largest": float(worst.largest), "mean": round(float(worst.mean), 4)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Makes a model that comes with the package.")
    parser.add_argument("run", help="the run folder")
    parser.add_argument("name")
    parser.add_argument("--prose", required=True, help="a Markdown file for the card")
    parser.add_argument("--license", required=True, help="of the weights, one line")
    parser.add_argument("--examples", default="", help="a folder of images that may be shared")
    parser.add_argument("--metrics", default="", help="a metrics.json of the same checkpoint")
    parser.add_argument(
        "--before", nargs="+", default=(), help="what it started from, newest first"
    )
    parser.add_argument("--which", default="latest", choices=("latest", "best", "mean"))
    words = vars(parser.parse_args())
    words["prose"] = pathlib.Path(words["prose"]).read_text(encoding="utf-8")
    print(ship(words.pop("run"), words.pop("name"), **words))
