"""The translate phase for images: an image, a folder or a pattern in, translated images out.

One bad file never stops the others.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import time
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf
from PIL import Image

from ugatit_tf import atomic
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.errors import Failure, reason
from ugatit_tf.images import image_file, panels, video_file
from ugatit_tf.images.errors import UnreadableImage
from ugatit_tf.progress import Progress
from ugatit_tf.translation import face, pages, paths
from ugatit_tf.translation.options import TranslateOptions
from ugatit_tf.translation.source_image import compose, heatmap_images, prepare, tile_pixels
from ugatit_tf.translation.streaming import NO_MEMORY
from ugatit_tf.translation.summary import Failed, Summary, Translated
from ugatit_tf.translation.translator import Translator

OUT_OF_MEMORY = "out of memory; use --max_side or a smaller --tile_pixels"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # every next file would fail too


def translate_files(translator: Translator, request: TranslateOptions) -> Summary:
    """Translates all images of a request.

    Raises:
        Failure: the input or the output cannot be used; see `paths.jobs`.
        OSError: the disk is full.
    """
    direction = translator.known_direction(request.direction)
    request = dataclasses.replace(request, direction=direction)
    jobs = paths.jobs(request)
    atomic.remove_abandoned(request.output, *{os.path.dirname(job.target) for job in jobs})
    summary, began = Summary(failures=paths.unreadable_folders(request)), time.monotonic()
    with Progress(len(jobs), unit="image", label=DIRECTIONS[direction].title) as bar:
        results = _counted(_results(translator, request, jobs), summary, bar)
        if request.report and jobs:
            summary.report = pages.write(translator, request, results, summary)
        else:
            for _ in results:
                pass
    summary.count_removed(jobs)
    summary.seconds = time.monotonic() - began
    return summary


def _counted(results: Iterable, summary: Summary, bar: Progress) -> Iterator[Translated]:
    """Passes on the images that were translated; all are counted in `summary`."""
    for result in results:
        bar.update()
        summary.add(result)
        if isinstance(result, Translated):
            yield result


def _results(translator, request, jobs):
    """Yields `Translated` or `Failed` for each job, in their order."""
    most_pixels = tile_pixels(translator, request)

    def load(job):
        if job.source.lower().endswith(video_file.SUFFIXES):
            raise Failure("a video; give it as --input by itself")
        pixels, alpha = image_file.read_with_alpha(
            job.source, channels=translator.channels, max_pixels=request.max_pixels
        )
        region = face.find(pixels) if request.face else None
        is_animated = image_file.is_animated(job.source)
        return prepare(
            translator, request, pixels, region, job=job, alpha=alpha, is_animated=is_animated
        )

    def finish(source, result):
        images = _write(request, source, *compose(source, result))
        return Translated(
            source.job,
            images,
            lacks_face=request.face and source.region is None,
            is_tiled=0 < most_pixels < source.num_pixels,
            is_animated=source.is_animated,
            scale=source.fit.scale,
        )

    def failed(job, error):
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise error
        return Failed(job.name, _reason(error))

    return translator.stream(
        jobs,
        load,
        finish,
        direction=request.direction,
        heatmap=request.heatmap != "none" or request.report,
        discriminator_heatmaps=request.heatmap != "none",
        tile_pixels=most_pixels,
        on_error=failed,
    )


def _write(request, source, original, output, heatmaps) -> dict:
    """Writes the results of one image: last the translation, which completes them.

    Args:
        original: uint8 image, the source in the size of the output.

    Returns:
        dict title -> uint8 image, for the report.
    """
    job, alpha = source.job, source.alpha
    if alpha is not None and source.region is None:
        alpha = source.fit.untouched(alpha[..., None])[..., 0]
    if request.heatmap != "none":
        targets = paths.heatmap_paths(job, request)
        images = heatmap_images(request.heatmap, original, output, heatmaps)
        for kind, values in images.items():
            _write_heatmap(targets[kind], values)
    options = {} if _is_lossless(job.target) else {"quality": request.quality}
    image_file.write(job.target, output, alpha=alpha, **options)
    images = {"Input": original}
    if request.report and heatmaps.generator is not None:
        images["Heatmap"] = panels.overlay(original, heatmaps.generator)
    return {**images, "Output": output}


def _write_heatmap(path, values):
    if values.dtype == np.uint8:
        image_file.write(path, values)
        return
    with atomic.replacing(path, synced=False) as file:
        if path.endswith(".npy"):
            np.save(file, values)
        else:  # from the lowest value to the highest
            levels = np.rint(panels.normalized(values) * 65535).astype(np.uint16)
            Image.fromarray(levels).save(file, "PNG")


def _is_lossless(path):
    return os.path.splitext(path)[1].lower() not in (".jpg", ".jpeg", ".webp")


def _reason(error) -> str:
    """One line on why an image failed."""
    if isinstance(error, UnreadableImage):
        return error.reason
    if isinstance(error, NO_MEMORY):
        return OUT_OF_MEMORY
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, (Failure, tf.errors.OpError)):
        return reason(error)
    return " ".join(str(error).split()) or type(error).__name__
