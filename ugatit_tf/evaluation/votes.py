"""A study with people: which pictures they compare, and what their answers say."""

import collections
import csv
import glob
import json
import math
import os

from ugatit_tf.data import folders
from ugatit_tf.pictures import files
from ugatit_tf.runtime import Failure

Z = 1.959964  # of the normal distribution: 95% lie within


def questions(sources, methods):
    """Yields (name, source, dict method -> result) of all pictures that every method has.

    Args:
        sources: folder.
        methods: dict name -> folder; a result has the name of its source, in any format.

    Raises:
        Failure: there is no such picture.
    """
    found = {name: _by_stem(folder) for name, folder in methods.items()}
    paths = _by_stem(sources)
    common = [stem for stem in paths if all(stem in results for results in found.values())]
    if not common:
        raise Failure(
            f"No picture of {sources} has a result of the same name in all of "
            f"{', '.join(methods.values())}."
        )
    return (
        (stem, files.read(paths[stem]), {m: files.read(found[m][stem]) for m in methods})
        for stem in common
    )


def read(pattern) -> list:
    """The answers in the JSON and CSV files that a pattern names: dicts with person, picture,
    choice and shown, a list.

    Raises:
        Failure: there is no file, or one is something else.
    """
    paths = sorted(glob.glob(pattern))
    if not paths:
        raise Failure(f"--votes {pattern}: nothing is there. Expected files that the page saved.")
    found = []
    for path in paths:
        try:
            with open(path, encoding="utf-8", newline="") as file:
                rows = json.load(file) if path.endswith(".json") else list(csv.DictReader(file))
            for row in rows:
                shown = row["shown"]
                shown = shown.split("|") if isinstance(shown, str) else list(shown)
                vote = {name: str(row[name]) for name in ("person", "picture", "choice")}
                if vote["choice"] not in shown:
                    raise ValueError("a choice that was not shown")
                found.append({**vote, "shown": shown})
        except (ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
            raise Failure(f"{path} holds no answers of a study ({error}).") from None
    if not found:
        raise Failure(f"--votes {pattern}: no answers in it.")
    return found


def summary(votes) -> dict:
    """method -> {"chosen", "shown", "share", "low", "high"}, the most preferred first.

    The interval is Wilson's, 95%, as if all answers were independent; those of one person, and
    those on one picture, are not quite.
    """
    chosen = collections.Counter(vote["choice"] for vote in votes)
    shown = collections.Counter(method for vote in votes for method in vote["shown"])
    found = {}
    for method in sorted(shown, key=lambda method: -chosen[method] / shown[method]):
        low, high = wilson(chosen[method], shown[method])
        share = chosen[method] / shown[method]
        counts = {"chosen": chosen[method], "shown": shown[method]}
        found[method] = {**counts, "share": share, "low": low, "high": high}
    return found


def wilson(successes, count):
    """The ends of the 95% score interval of a share. Wilson, JASA 22, 1927."""
    share, square = successes / count, Z * Z / count
    centre = (share + square / 2) / (1 + square)
    half = Z / (1 + square) * math.sqrt(share * (1 - share) / count + square / (4 * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def table(votes) -> str:
    people, pictures = ({vote[name] for vote in votes} for name in ("person", "picture"))
    lines = [
        f"{len(votes)} answers of {len(people)} people on {len(pictures)} pictures",
        f"{'method':24} {'chosen':>7} {'share':>7}  95% interval",
    ]
    for method, row in summary(votes).items():
        lines.append(
            f"{method:24} {row['chosen']:7} {row['share']:7.1%}  "
            f"{row['low']:.1%} to {row['high']:.1%}"
        )
    return "\n".join(lines)


def _by_stem(folder):
    if not os.path.isdir(folder):
        raise Failure(f"No folder {folder}. Expected pictures.")
    paths = folders.pictures_in(folder)
    return {os.path.splitext(os.path.basename(path))[0]: path for path in paths}
