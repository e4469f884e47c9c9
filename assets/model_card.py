"""The card of a model that comes with the package: what people wrote, then the facts as tables."""

from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.evaluation import table


def text(facts: dict, prose: str, files: dict) -> str:
    """The card in Markdown.

    Args:
        facts: the content of model.json.
        prose: Markdown that people wrote.
        files: name -> {"bytes", "sha256"}.
    """
    numbers = facts["numbers"]
    images = ", ".join(f"{k} {v['pictures']}" for k, v in facts.get("dataset", {}).items())
    rows = {
        "license of the weights": facts["license"],
        "training images": images,
        **_recipe_rows(facts),
        "versions": ", ".join(f"{k} {v}" for k, v in facts.get("versions", {}).items()),
        "moving average": facts["options"]["ema"] or "none",
        "mean of the weights after steps": ", ".join(map(str, facts.get("mean_of_steps", []))),
        **{f"`{name}`, last mean": f"{value:.4f}" for name, value in numbers["losses"].items()},
        **{f"`{k}`, last": f"{v:.4f}" for k, v in numbers.get("evaluation", {}).items()},
        **{f"{k}, of test faces": v for k, v in numbers.get("faces", {}).items()},
        **_metrics_rows(numbers.get("metrics", {})),
        "float16 weights move a pixel by at most": f"{numbers['float16']['largest']:g} of 255",
    }
    lines = [
        f"# {facts['name']}", "", prose.strip(), "", "## Facts", "",
        "Written by `python -m assets.ship_model` from the run.", "", "| | |", "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows.items() if value != ""), "",
        "The command that trained it:", "", "```", facts["command"], "```", "",
        *_before_lines(facts.get("before"), "## The run before", "It started"), "## Files", "",
        "| file | bytes | sha256 |", "|---|---|---|",
        *(f"| {name} | {file['bytes']} | `{file['sha256']}` |" for name, file in files.items()),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _recipe_rows(recipe):
    return {
        "steps": recipe["steps"],
        "hours": "not recorded" if recipe["hours"] is None else recipe["hours"],
        "trained on": recipe["hardware"],
        "seed": recipe["options"]["seed"],
        **{
            f"`{c['option']}`, changed after step {c['step']}": f"from {c['from']} to {c['to']}"
            for c in recipe.get("changes", [])
        },
    }


def _before_lines(recipe, title, started):
    """A section about the run that it started from, then one about the run before that."""
    if not recipe:
        return []
    rows = (f"| {name} | {value} |" for name, value in _recipe_rows(recipe).items())
    return [
        title, "", f"{started} from the last checkpoint of this run:", "",
        "```", recipe["command"], "```", "", "| | |", "|---|---|", *rows, "",
        *_before_lines(recipe.get("before"), "### And before that", "Which started"),
    ]  # fmt: skip


def _metrics_rows(metrics):
    """Name -> text, for each direction that was measured."""
    if not metrics:
        return {}
    about = metrics["about"]
    size = about.get("size", "that of training")
    rows = {"features of KID and FID": about["features"], "size of the translations": size}
    for direction in (name for name in DIRECTIONS if name in metrics):
        row = metrics[direction]
        counts = row["pictures"]
        images = f"{counts['fake']} test images against {counts['target']}"
        rows[f"{direction}, KID x 100"] = f"{table.kid_text(row['kid_target'])}; {images}"
        rows[f"{direction}, FID"] = f"{row['fid']:.4g}; {images}"
    return rows
