"""The report of the translate phase: a page and a contact sheet."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

import numpy as np

from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.images import image_array, image_file, panels
from ugatit_tf.images.report import Row, write_report
from ugatit_tf.translation import paths
from ugatit_tf.translation.options import TranslateOptions
from ugatit_tf.translation.summary import Summary, Translated, scale_text
from ugatit_tf.translation.translator import Translator

NAMES = "report.html", "contact_sheet.png"
MOST_ON_SHEET = 60  # images
THUMBNAIL = 192  # pixels; a page of a thousand photographs is then 57 MB


def write(
    translator: Translator,
    request: TranslateOptions,
    results: Iterable[Translated],
    summary: Summary,
) -> str:
    """Writes the page and the contact sheet; returns the path of the page.

    Args:
        results: each is written before the next one is made.
        summary: is complete when `results` ends; it stands below them.
    """
    folder = os.path.dirname(request.output) if paths.is_file(request) else request.output
    path, sheet_path = (
        _free_path(os.path.join(folder, _name_for_shard(name, request)), request) for name in NAMES
    )
    pairs, began, direction = [], time.monotonic(), DIRECTIONS[request.direction].title

    def rows():
        for result in results:
            if len(pairs) < MOST_ON_SHEET:
                pairs.append([_thumbnail(result.images[title]) for title in ("Input", "Output")])
            link = os.path.relpath(result.job.target, folder or ".")
            yield Row(result.job.name, direction, result.images, link)

    def closing():
        seconds = time.monotonic() - began
        failures = "".join(f" {name}: {reason}." for name, reason in summary.failures)
        rate = f"{summary.num_translated / seconds:.1f} images a second"
        scale = f", {scale_text(translator, request, summary.scales)}" if summary.scales else ""
        return f"{seconds:.1f} seconds, {rate}{scale}.{failures}"

    size = f"{translator.size} x {translator.size} pixels"
    facts = {"Model": translator.source, "Trained with": size}
    if request.shard:
        facts["Shard"] = " of ".join(map(str, request.part))
    title = f"{os.path.basename(os.path.abspath(request.input))}, {direction}"
    write_report(path, rows(), title=title, facts=facts, thumbnail=THUMBNAIL, closing=closing)
    if pairs:
        image_file.write(sheet_path, panels.contact_sheet(pairs))
    return path


def _name_for_shard(name, request):
    """report.html, or report_1_of_4.html."""
    stem, suffix = os.path.splitext(name)
    return f"{stem}_{'_of_'.join(map(str, request.part))}{suffix}" if request.shard else name


def _free_path(path, request):
    """`path`, with a number where it is an image's, or exists and must not be replaced."""
    jobs = paths.all_jobs(request)  # those of other shards, and those that are done, too
    used = {os.path.realpath(p) for job in jobs for p in (job.source, job.target)}
    return next(
        candidate
        for candidate in paths.numbered(path)
        if os.path.realpath(candidate) not in used
        and (request.overwrite or not os.path.lexists(candidate))
    )


def _thumbnail(image):
    image = image_array.to_pillow(image)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    return np.asarray(image)
