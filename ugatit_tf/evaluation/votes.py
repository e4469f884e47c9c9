"""A study with people: the images that they compare, and what their answers say."""

from __future__ import annotations

import collections
import csv
import math
import os
import reprlib
from collections.abc import Iterator
from typing import Any

from ugatit_tf.data import folders, storage
from ugatit_tf.data.presence import printable
from ugatit_tf.errors import Failure
from ugatit_tf.images import image_file
from ugatit_tf.jsonfile import parse_json, read_json

Z = 1.959964  # 95% of the normal distribution lie within as many standard deviations


def questions(sources: str, methods: dict[str, str]) -> Iterator[tuple]:
    """Yields (name, source, dict method -> result) of all images that every method has.

    Args:
        sources: folder of the images that were translated.
        methods: dict method -> folder. A result has the name of its source, in any format.

    Raises:
        Failure: there is no such image.
    """
    source_paths = _paths_by_stem(sources)
    result_paths = {method: _paths_by_stem(folder) for method, folder in methods.items()}
    common = [s for s in source_paths if all(s in paths for paths in result_paths.values())]
    if not common:
        raise Failure(
            f"No image of {sources} has a result of the same name in all of "
            f"{', '.join(methods.values())}."
        )

    def images(stem):
        results = {method: image_file.read(paths[stem]) for method, paths in result_paths.items()}
        return printable(stem), image_file.read(source_paths[stem]), results

    return map(images, common)


def read(pattern: str) -> list[dict]:
    """Reads the answers in the JSON and CSV files that a pattern matches.

    The JSON and the CSV file of one person hold the same answers, which count once.

    Returns:
        Dicts with "person", "picture", "choice" and "shown", a list of methods.

    Raises:
        Failure: there is no file, a file holds something else, or two contradict each other.
    """
    _, paths = storage.matching(pattern)
    if not paths:
        raise Failure(f"--votes {pattern}: no such file. Expected files that the page saved.")
    known = {}  # person -> (file, image -> vote)
    for path in paths:
        try:
            people = _by_person(_rows(path))
        except (ValueError, LookupError, TypeError, csv.Error) as error:
            raise Failure(f"{path} holds no answers of a study ({error}).") from None
        for person, answers in people.items():
            first, earlier = known.setdefault(person, (path, answers))
            if answers != earlier:  # each time the page is opened, this is a new person
                raise Failure(
                    f"{first} and {path} hold different answers of one person, {person}. Keep the "
                    f"right one of these files."
                )
    if not known:
        raise Failure(f"--votes {pattern}: no answers in it.")
    return [vote for _, answers in known.values() for vote in answers.values()]


def _rows(path):
    """The rows of a file: dicts, or in a JSON file anything."""
    if path.lower().endswith(".json"):
        return read_json(path, list)
    with open(path, encoding="utf-8-sig", newline="") as file:  # spreadsheets write a BOM
        lines = list(file)
    separator = max(",;\t", key=lines[0].count) if lines else ","  # differs by country
    rows = list(csv.DictReader(lines, delimiter=separator, strict=True))
    if not rows:
        raise ValueError("it is empty")
    return [row for row in rows if any(row.values())]


def _by_person(rows) -> dict:
    """person -> image -> vote."""
    people = {}
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise ValueError(f"answer {number} is not an object")
        vote = {name: _text(row[name]) for name in ("person", "picture", "choice")}
        vote["shown"] = _methods(row["shown"])
        if vote["choice"] not in vote["shown"]:
            raise ValueError(f"a choice that was not shown in answer {number}")
        earlier = people.setdefault(vote["person"], {}).setdefault(vote["picture"], vote)
        if earlier != vote:
            raise ValueError(f"two answers of {vote['person']} to the image {vote['picture']}")
    return people


def _text(value):
    if not isinstance(value, (str, int, float)):
        raise ValueError(f"a text was expected, not {reprlib.repr(value)}")
    return str(value)


def _methods(shown) -> list[str]:
    """The methods that were shown: a list; in a CSV file its JSON, or names separated by |."""
    if isinstance(shown, str):
        shown = parse_json(shown, "shown", list) if shown.startswith("[") else shown.split("|")
    if not isinstance(shown, list):
        raise ValueError(f"a list of methods was expected, not {reprlib.repr(shown)}")
    return [_text(method) for method in shown]


def summary(votes: list[dict]) -> dict[str, dict[str, Any]]:
    """method -> {"chosen", "shown", "share", "low", "high"}, the most preferred first.

    "low" and "high" are Wilson's 95% interval, as if all answers were independent; those of one
    person or on one image are not quite.
    """
    chosen = collections.Counter(vote["choice"] for vote in votes)
    shown = collections.Counter(method for vote in votes for method in vote["shown"])
    rows = {}
    for method in sorted(shown, key=lambda method: -chosen[method] / shown[method]):
        low, high = wilson(chosen[method], shown[method])
        share = chosen[method] / shown[method]
        counts = {"chosen": chosen[method], "shown": shown[method]}
        rows[method] = {**counts, "share": share, "low": low, "high": high}
    return rows


def wilson(successes: int, count: int) -> tuple[float, float]:
    """The ends of the 95% score interval of a share. Wilson, JASA 22, 1927."""
    share, square = successes / count, Z * Z / count
    centre = (share + square / 2) / (1 + square)
    half = Z / (1 + square) * math.sqrt(share * (1 - share) / count + square / (4 * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def table(votes: list[dict]) -> str:
    """The summary for people."""
    people, images = ({vote[name] for vote in votes} for name in ("person", "picture"))
    lines = [
        f"{len(votes)} answers of {len(people)} people on {len(images)} images",
        f"{'method':24} {'chosen':>7} {'share':>7}  95% interval",
    ]
    for method, row in summary(votes).items():
        lines.append(
            f"{method:24} {row['chosen']:7} {row['share']:7.1%}  "
            f"{row['low']:.1%} to {row['high']:.1%}"
        )
    return "\n".join(lines)


def _paths_by_stem(folder):
    if not os.path.isdir(folder):
        raise Failure(f"No folder {folder}. Expected images.")
    paths = folders.images_in(folder)
    return {os.path.splitext(os.path.basename(path))[0]: path for path in paths}
