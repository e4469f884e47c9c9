"""A video in, a translated video of the same length, frame rate and sound out."""

import contextlib
import dataclasses
import math
import os
import time
from typing import NamedTuple

import numpy as np

from ugatit_tf import atomic, threads
from ugatit_tf.errors import Failure
from ugatit_tf.images import video_file
from ugatit_tf.progress import Progress
from ugatit_tf.translation import convert, face
from ugatit_tf.translation.inputs import grey
from ugatit_tf.translation.model import BATCH
from ugatit_tf.translation.outcome import widened
from ugatit_tf.translation.translate import DIRECTIONS
from ugatit_tf.translation.video_targets import is_video, targets_of  # noqa: F401

STEADY = 0.7  # part of a face's last place in its next: found boxes jitter from frame to frame


class Outcome(NamedTuple):
    """What became of a video."""

    path: str
    num_frames: int = 0  # none where it was there already and `resume_output` left it
    seconds: float = 0.0
    scales: tuple = ()  # as in `outcome.Outcome`


def convert_video(model, request):
    """Translates a video. With --heatmap overlay its attention is a video of its own beside it.

    Returns:
        `Outcome`.

    Raises:
        Failure: the result exists, an option does not fit videos, or the generator gives NaN.
        UnreadableImage: the video cannot be read.
    """
    request = dataclasses.replace(request, direction=model.known(request.direction))
    targets, began = targets_of(request), time.monotonic()
    if request.resume_output and all(map(os.path.lexists, targets.values())):
        return Outcome(targets["video"])
    atomic.remove_abandoned(*map(os.path.dirname, targets.values()))
    video, count, scales = video_file.open_video(request.input), 0, ()
    if video.width * video.height > request.max_pixels:
        raise Failure(
            f"{video.path}: {video.width} x {video.height} pixels; --max_pixels is "
            f"{request.max_pixels}."
        )
    with contextlib.ExitStack() as stack:
        writers = None
        for images, scale in _translated(model, request, video, stack):
            scales = widened(scales, scale)
            if writers is None:
                writers = _writers(stack, targets, video, images)
            for kind, image in images.items():
                writers[kind](image)
            count += 1
    if not count:
        raise Failure(f"{request.input} has no frames.")
    return Outcome(targets["video"], count, time.monotonic() - began, scales)


def _translated(model, request, video, stack):
    """Yields (kind -> uint8 image, scale) of each frame.

    The kinds are "video" and, with --heatmap, "attention".
    """
    judged = request.heatmap == "side" and model.judges
    previous, region = None, None

    def look(frame):  # one after the other: a face's place depends on its last one
        nonlocal region
        pixels = frame if model.channels == 3 else grey(frame)
        if request.face:
            region = _steady(region, face.find(pixels))
        return pixels, region

    def load(seen):
        pixels, region = seen
        try:
            return convert.prepared(model, request, None, pixels, region=region)
        except convert.TooLarge as error:
            raise Failure(f"{video.path}: {error}") from None

    def translate(batch):
        x = np.stack([item.x for item in batch])
        options = {"judged": judged, "tile_pixels": convert.tile_pixels(model, request)}
        outputs = model.outputs(x, request.direction, **options)
        return [(item.without_x(), *output) for item, output in zip(batch, outputs)]

    def finish(item):
        return convert.images_of(*item), item[0].how.scale

    frames = stack.enter_context(contextlib.closing(video_file.frames(video)))
    seen = threads.ahead(stack.enter_context(threads.threads(1)), look, frames, BATCH + 1)
    options = {"key": lambda item: item.x.shape, "limit": BATCH + 1, "devices": model.num_devices}
    results = threads.staged(seen, load, translate, finish, size=BATCH, **options)
    stack.enter_context(contextlib.closing(results))
    label = DIRECTIONS[request.direction][1]
    with Progress(video.num_frames, unit="frame", label=label) as bar:
        for (shown, output, looked), scale in results:
            if previous is not None and request.smooth:
                blend = request.smooth * previous + (1 - request.smooth) * output
                previous, output = blend, np.rint(blend).astype(np.uint8)
            else:
                previous = np.float32(output)
            yield _shown(request, shown, output, looked), scale
            bar.update()


def _shown(request, shown, output, looked):
    found = {"video": np.ascontiguousarray(np.broadcast_to(output, (*output.shape[:2], 3)))}
    if request.heatmap == "none":
        return found
    heat = convert.heatmaps(request, shown, output, looked)
    if request.heatmap == "side":
        return {"video": heat["side"]}
    return {**found, "attention": heat["attention"]}


def _steady(last, found):
    """The face's region in the next frame: moving with it, but slowly, and where it was if lost."""
    if last is None or found is None:
        return last if found is None else found
    # Rounded down, so that what lies inside the image stays there; 1e-6 is the sum's own error.
    mean = (STEADY * old + (1 - STEADY) * new for old, new in zip(last, found))
    return tuple(math.floor(value + 1e-6) for value in mean)


def _writers(stack, targets, video, images):
    """kind -> function that appends a frame to that video."""
    found = {}
    for kind, image in images.items():
        height, width = image.shape[:2]
        silent = not video.has_sound or targets[kind].lower().endswith(".gif")
        sound = None if silent else video.path
        writing = video_file.writer(
            targets[kind], width=width, height=height, fps=video.fps, sound_of=sound
        )
        found[kind] = stack.enter_context(writing)
    return found
