"""`--phase translate`: images in, translated images of the same names out.

One bad file never stops the others. While the networks work on a batch, threads decode the next
images and encode the last; a few are on the way at any time, so memory does not grow.
"""

import dataclasses
import errno
import math
import os
import sys
import time
from typing import Optional

import numpy as np
import tensorflow as tf
from PIL import Image

from ugatit_tf import atomic, threads
from ugatit_tf.errors import Failure, reason
from ugatit_tf.images import image_array, image_file, panels, video_file
from ugatit_tf.images.errors import UnreadableImage
from ugatit_tf.progress import Progress
from ugatit_tf.translation import face, pages, sources
from ugatit_tf.translation.model import BATCH, Heatmaps, finished
from ugatit_tf.translation.outcome import Outcome, keeps, note_removed, widened
from ugatit_tf.translation.translate import DIRECTIONS

LARGE = 2**19  # pixels: what is larger fills the cores by itself, and goes alone
OUT_OF_MEMORY = "out of memory; use --max_side or a smaller --tile_pixels"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # every next file would fail too


@dataclasses.dataclass(frozen=True)
class Prepared:
    """An image on its way to the networks."""

    job: sources.Job
    pixels: np.ndarray  # uint8 [height, width, channels]
    alpha: Optional[np.ndarray]
    region: Optional[tuple]  # of the face: (top, left, side); None is the whole image
    how: object  # the `Fit` of the region
    x: Optional[np.ndarray]  # float32, as the networks take it
    stilled: bool = False  # it moves, and this is its first frame

    @property
    def num_pixels(self):
        return math.prod(self.how.shape)

    def without_x(self):
        """The same once the networks are done with it: most of the memory."""
        return dataclasses.replace(self, x=None)


class TooLarge(ValueError):  # noqa: N818
    """An image that would be scaled to more pixels than `--max_pixels` allows."""


@dataclasses.dataclass(frozen=True)
class Failed:
    """An image that could not be translated."""

    job: sources.Job
    reason: str


@dataclasses.dataclass(frozen=True)
class Done:
    """An image that was translated and written."""

    job: sources.Job
    images: dict  # title -> uint8 image, as the report shows them
    lacks_face: bool  # where one was asked for
    tiled: bool
    stilled: bool
    scale: float


def convert(model, request) -> Outcome:
    """Translates all images of a request.

    Raises:
        Failure: nothing could be begun; see `sources.jobs`.
        OSError: the disk is full.
    """
    request = dataclasses.replace(request, direction=model.known(request.direction))
    jobs = sources.jobs(request)
    atomic.remove_abandoned(request.output, *{os.path.dirname(job.target) for job in jobs})
    outcome, began = Outcome(failed=sources.unreadable(request)), time.monotonic()
    label = DIRECTIONS[request.direction][1]
    with Progress(len(jobs), unit="image", label=label) as bar:
        results = _counted(_results(model, request, jobs), outcome, bar)
        if request.report and jobs:
            outcome.report = pages.write(model, request, results, outcome)
        else:
            for _ in results:
                pass
    note_removed(outcome, jobs)
    outcome.seconds = time.monotonic() - began
    return outcome


def prepared(model, request, job, pixels, alpha=None, region=None) -> Prepared:
    """What the networks are given of an image, or of the `region` with its face.

    Raises:
        TooLarge: so many pixels are not allowed.
    """
    if region:
        part, mode, options = face.cut(pixels, region), "stretch", {}
    else:
        part, mode, options = pixels, request.fit, _options_of(model, request)
    how = model.fit_of(part.shape, mode, request.size, **options)
    if math.prod(how.shape) > request.max_pixels:
        height, width = how.shape
        raise TooLarge(
            f"it would be scaled to {width} x {height} pixels; --max_pixels is "
            f"{request.max_pixels}. Use a smaller --size, or a larger --max_pixels."
        )
    return Prepared(job, pixels, alpha, region, how, how.apply(image_array.to_float(part)))


def tile_pixels(model, request):
    """Above how many pixels images are done in tiles: only those that keep their shape."""
    return request.tile_pixels if keeps(model, request) else sys.maxsize


def images_of(source, image, looked):
    """What is written of a translated image.

    Args:
        image: `Prepared`.
        image, looked: what the networks made of it, without batch.

    Returns:
        (input, output: uint8 of one size; `Heatmaps` of that size).
    """
    output, looked = finished(source.how, image, looked)
    output = image_array.to_uint8(output)
    if source.region is None:
        return source.how.shown(source.pixels), output, looked
    height, width = source.pixels.shape[:2]
    heat = [None if h is None else face.placed(h, source.region, height, width) for h in looked]
    return source.pixels, face.paste(source.pixels, output, source.region), Heatmaps(*heat)


def heatmaps(request, shown, output, looked) -> dict:
    """kind -> uint8 image or float32 array [height, width] of where the networks looked."""
    heat = {"attention": looked.generator, "local": looked.local, "global": looked.global_}
    heat = {kind: values for kind, values in heat.items() if values is not None}
    if request.heatmap in ("raw", "npy"):
        return heat
    found = {
        kind: panels.overlay(shown if kind == "attention" else output, values)
        for kind, values in heat.items()
    }
    if request.heatmap == "side":
        beside = (np.broadcast_to(image, (*image.shape[:2], 3)) for image in (shown, output))
        return {"side": np.concatenate([*beside, *found.values()], 1)}
    return found


def _results(model, request, jobs):
    """Yields `Done` or `Failed` for each job, in their order."""
    judged, most = request.heatmap != "none" and model.judges, tile_pixels(model, request)

    def load(job):
        if job.source.lower().endswith(video_file.SUFFIXES):
            return Failed(job, "a video; give it as --input by itself")
        try:
            pixels, alpha = image_file.read_with_alpha(
                job.source, channels=model.channels, max_pixels=request.max_pixels
            )
            region = face.find(pixels) if request.face else None
            source = prepared(model, request, job, pixels, alpha, region)
            return dataclasses.replace(source, stilled=image_file.is_animated(job.source))
        except UnreadableImage as error:
            return Failed(job, error.reason)
        except Failure:  # not of this image: a package is missing
            raise
        except Exception as error:  # one image must not stop the others, whatever it is
            return Failed(job, _told(error))

    def size_of(item):
        """Those of one size are translated together, but not the large ones."""
        if isinstance(item, Failed) or item.num_pixels > LARGE:
            return item.job
        return item.x.shape

    def translate(batch):
        if isinstance(batch[0], Failed):
            return batch
        x = np.stack([item.x for item in batch])
        options = {"judged": judged, "tile_pixels": most}
        try:
            outputs = model.outputs(x, request.direction, **options)
        except (MemoryError, tf.errors.ResourceExhaustedError):
            return [Failed(item.job, OUT_OF_MEMORY) for item in batch]
        except Failure as error:  # NaN, of one of them or of all
            if len(batch) == 1:
                return [Failed(batch[0].job, reason(error))]
            return [result for item in batch for result in translate([item])]
        return [(item.without_x(), *output) for item, output in zip(batch, outputs)]

    def finish(item):
        if isinstance(item, Failed):
            return item
        source, image, looked = item
        try:
            tiled = source.num_pixels > most
            return _written(request, source, tiled, *images_of(source, image, looked))
        except Exception as error:  # as in `load`
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise
            return Failed(source.job, _told(error))

    options = {"key": size_of, "limit": BATCH + 1, "devices": model.num_devices}
    yield from threads.staged(jobs, load, translate, finish, size=BATCH, **options)


def _written(request, source, tiled, shown, output, looked):
    """Writes the results of one image: last the translation, which says that all is there."""
    job, alpha, extras = source.job, source.alpha, sources.extras(source.job, request)
    if alpha is not None and source.region is None:
        alpha = source.how.shown(alpha[..., None])[..., 0]
    if extras:
        for kind, values in heatmaps(request, shown, output, looked).items():
            _write_heatmap(extras[kind], values)
    options = {} if _is_lossless(job.target) else {"quality": request.quality}
    image_file.write(job.target, output, alpha=alpha, **options)
    images = {"Input": shown}
    if request.report and looked.generator is not None:
        images["Attention"] = panels.overlay(shown, looked.generator)
    images["Output"] = output
    lacks_face = request.face and source.region is None
    return Done(job, images, lacks_face, tiled, source.stilled, source.how.scale)


def _write_heatmap(path, values):
    if values.dtype == np.uint8:
        image_file.write(path, values)
        return
    with atomic.replacing(path, synced=False) as file:
        if path.endswith(".npy"):
            np.save(file, values)
        else:  # from its least to its most
            levels = np.rint(panels.normalized(values) * 65535).astype(np.uint16)
            Image.fromarray(levels).save(file, "PNG")


def _is_lossless(path):
    return os.path.splitext(path)[1].lower() not in (".jpg", ".jpeg", ".webp")


def _options_of(model, request):
    options = {"restore": request.restore_size}
    return {**options, "max_side": request.max_side} if keeps(model, request) else options


def _told(error):
    """One line on why an image failed."""
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, tf.errors.OpError):
        return reason(error)
    return " ".join(str(error).split()) or type(error).__name__


def _counted(results, outcome, bar):
    """Passes on what was translated, and takes note of the rest."""
    for result in results:
        bar.update()
        if isinstance(result, Failed):
            outcome.failed.append((result.job.name, result.reason))
            continue
        outcome.translated += 1
        outcome.scales = widened(outcome.scales, result.scale)
        if result.lacks_face:
            outcome.without_face.append(result.job.name)
        if result.tiled:
            outcome.tiled.append(result.job.name)
        if result.stilled:
            outcome.stilled.append(result.job.name)
        yield result
