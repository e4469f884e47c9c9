"""A study with people: which images they compare, and what their answers say."""

import collections
import csv
import math
import os
import reprlib

from ugatit_tf.data import folders, presence, storage
from ugatit_tf.errors import Failure
from ugatit_tf.images import image_file
from ugatit_tf.jsonfile import parse_json, read_json

Z = 1.959964  # of the normal distribution: 95% lie within


def questions(sources, methods):
    """Yields (name, source, dict method -> result) of all images that every method has.

    Args:
        sources: folder.
        methods: dict name -> folder; a result has the name of its source, in any format.

    Raises:
        Failure: there is no such image.
    """
    found = {name: _by_stem(folder) for name, folder in methods.items()}
    paths = _by_stem(sources)
    common = [stem for stem in paths if all(stem in results for results in found.values())]
    if not common:
        raise Failure(
            f"No image of {sources} has a result of the same name in all of "
            f"{', '.join(methods.values())}."
        )
    return (
        (
            presence.printable(stem),
            image_file.read(paths[stem]),
            {method: image_file.read(found[method][stem]) for method in methods},
        )
        for stem in common
    )


def read(pattern) -> list:
    """The answers in the JSON and CSV files that a pattern names: dicts with person, image,
    choice and shown, a list.

    Answers that are there twice, as in the JSON and the CSV file of one person, count once.

    Raises:
        Failure: there is no file, one is something else, or two contradict each other.
    """
    _, paths = storage.matching(pattern)
    if not paths:
        raise Failure(f"--votes {pattern}: nothing is there. Expected files that the page saved.")
    known = {}  # person -> (file, image -> vote)
    for path in paths:
        try:
            people = _by_person(_rows(path))
        except (ValueError, LookupError, TypeError, csv.Error) as error:
            raise Failure(f"{path} holds no answers of a study ({error}).") from None
        for person, answers in people.items():
            first, same = known.setdefault(person, (path, answers))
            if answers != same:  # who looks at the page is a new person each time
                raise Failure(
                    f"{first} and {path} hold different answers of one person, {person}. Keep the "
                    f"right one of these files."
                )
    if not known:
        raise Failure(f"--votes {pattern}: no answers in it.")
    return [vote for _, answers in known.values() for vote in answers.values()]


def _rows(path):
    """The rows of a file as dicts, or whatever else a JSON file has in their place."""
    if path.lower().endswith(".json"):
        return read_json(path, list)
    with open(path, encoding="utf-8-sig", newline="") as file:  # a spreadsheet begins with a BOM
        lines = list(file)
    separator = max(",;\t", key=lines[0].count) if lines else ","  # its own in many countries
    rows = list(csv.DictReader(lines, delimiter=separator, strict=True))
    if not rows:
        raise ValueError("it is empty")
    return [row for row in rows if any(row.values())]


def _by_person(rows) -> dict:
    """person -> image -> vote."""
    people = {}
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise ValueError(f"answer {number} is no object")
        vote = {name: _text(row[name]) for name in ("person", "picture", "choice")}
        vote["shown"] = _methods(row["shown"])
        if vote["choice"] not in vote["shown"]:
            raise ValueError(f"a choice that was not shown in answer {number}")
        same = people.setdefault(vote["person"], {}).setdefault(vote["picture"], vote)
        if same != vote:
            raise ValueError(f"two answers of {vote['person']} to the image {vote['image']}")
    return people


def _text(value):
    if not isinstance(value, (str, int, float)):
        raise ValueError(f"a text was expected, not {reprlib.repr(value)}")
    return str(value)


def _methods(shown) -> list:
    """The methods that were shown: a list, or in a CSV file its JSON, or with | between them."""
    if isinstance(shown, str):
        shown = parse_json(shown, "shown", list) if shown.startswith("[") else shown.split("|")
    if not isinstance(shown, list):
        raise ValueError(f"a list of methods was expected, not {reprlib.repr(shown)}")
    return [_text(method) for method in shown]


def summary(votes) -> dict:
    """method -> {"chosen", "shown", "share", "low", "high"}, the most preferred first.

    The interval is Wilson's, 95%, as if all answers were independent; those of one person, and
    those on one image, are not quite.
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


def _by_stem(folder):
    if not os.path.isdir(folder):
        raise Failure(f"No folder {folder}. Expected images.")
    paths = folders.images_in(folder)
    return {os.path.splitext(os.path.basename(path))[0]: path for path in paths}
