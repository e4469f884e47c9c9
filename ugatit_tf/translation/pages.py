"""The report page and the contact sheet of what was translated."""

import os
import time

import numpy as np

from ugatit_tf.images import image_array, image_file, panels
from ugatit_tf.images.report import Row, write_report
from ugatit_tf.translation import sources
from ugatit_tf.translation.outcome import scale_text
from ugatit_tf.translation.translate import DIRECTIONS

NAMES = "report.html", "contact_sheet.png"
ON_SHEET = 60  # the first images
THUMBNAIL = 192  # pixels; a page of a thousand photographs is then 57 MB


def write(model, request, results, outcome) -> str:
    """Writes the page and the contact sheet; returns the path of the page."""
    folder = os.path.dirname(request.output) if sources.is_file(request) else request.output
    path, sheet = (_free(os.path.join(folder, _of_shard(name, request)), request) for name in NAMES)
    pairs, began, direction = [], time.monotonic(), DIRECTIONS[request.direction][1]

    def rows():
        for done in results:
            if len(pairs) < ON_SHEET:
                pairs.append([_small(done.images[title]) for title in ("Input", "Output")])
            link = os.path.relpath(done.job.target, folder or ".")
            yield Row(done.job.name, direction, done.images, link)

    def closing():
        seconds = time.monotonic() - began
        failed = "".join(f" {name}: {reason}." for name, reason in outcome.failed)
        rate = f"{outcome.translated / seconds:.1f} images a second"
        scale = f", {scale_text(model, request, outcome.scales)}" if outcome.scales else ""
        return f"{seconds:.1f} seconds, {rate}{scale}.{failed}"

    facts = {"Model": model.source, "Trained with": f"{model.size} x {model.size} pixels"}
    if request.shard:
        facts["Shard"] = " of ".join(map(str, request.part))
    title = f"{os.path.basename(os.path.abspath(request.input))}, {direction}"
    write_report(path, rows(), title=title, facts=facts, thumbnail=THUMBNAIL, closing=closing)
    if pairs:
        image_file.write(sheet, panels.contact_sheet(pairs))
    return path


def _of_shard(name, request):
    """report.html, or report_1_of_4.html."""
    stem, suffix = os.path.splitext(name)
    return f"{stem}_{'_of_'.join(map(str, request.part))}{suffix}" if request.shard else name


def _free(path, request):
    """`path`, or with a number where that is an image's, or is there and not to be replaced."""
    jobs = sources.planned(request)  # those of other shards and those that are done too
    taken = {os.path.realpath(place) for job in jobs for place in (job.source, job.target)}
    return next(
        one
        for one in sources.numbered(path)
        if os.path.realpath(one) not in taken and (request.overwrite or not os.path.lexists(one))
    )


def _small(image):
    image = image_array.to_pillow(image)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    return np.asarray(image)
