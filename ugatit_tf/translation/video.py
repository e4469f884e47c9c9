"""The translate phase for a video: its translation has the same length, frame rate and sound."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import time
from collections.abc import Iterator

import numpy as np

from ugatit_tf import atomic, threads
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.errors import Failure
from ugatit_tf.images import video_file
from ugatit_tf.progress import Progress
from ugatit_tf.translation import face
from ugatit_tf.translation.inputs import grey
from ugatit_tf.translation.options import TranslateOptions
from ugatit_tf.translation.source_image import compose, heatmap_images, prepare, tile_pixels
from ugatit_tf.translation.streaming import BATCH
from ugatit_tf.translation.summary import VideoSummary
from ugatit_tf.translation.translator import Translator
from ugatit_tf.translation.video_paths import video_paths

STEADY = 0.7  # weight of the face's last region in its next: detections jitter between frames


def translate_video(translator: Translator, request: TranslateOptions) -> VideoSummary:
    """Translates a video. With --heatmap overlay its heatmaps are a second video.

    Raises:
        Failure: the result exists, an option is not for videos, or the generator gives NaN.
        UnreadableImage: the video cannot be read.
    """
    direction = translator.known_direction(request.direction)
    request = dataclasses.replace(request, direction=direction)
    targets, began = video_paths(request), time.monotonic()
    if request.resume_output and all(map(os.path.lexists, targets.values())):
        return VideoSummary(targets["video"])
    atomic.remove_abandoned(*map(os.path.dirname, targets.values()))
    video, num_frames, scales = video_file.open_video(request.input), 0, set()
    if video.width * video.height > request.max_pixels:
        raise Failure(
            f"{video.path}: {video.width} x {video.height} pixels; --max_pixels is "
            f"{request.max_pixels}."
        )
    with contextlib.ExitStack() as stack:
        writers = None
        for images, scale in _translated_frames(translator, request, video, stack):
            if writers is None:
                writers = _open_writers(stack, targets, video, images)
            for kind, image in images.items():
                writers[kind](image)
            scales.add(scale)
            num_frames += 1
    if not num_frames:
        raise Failure(f"{request.input} has no frames.")
    return VideoSummary(targets["video"], num_frames, time.monotonic() - began, scales)


def _translated_frames(translator, request, video, stack) -> Iterator[tuple[dict, float]]:
    """Yields (kind -> uint8 image, scale) of each frame.

    The kinds are "video" and, with --heatmap overlay, "attention".
    """
    region = None

    def find_region(frame):  # one frame after the other: a region depends on the last one
        nonlocal region
        pixels = frame if translator.channels == 3 else grey(frame)
        if request.face:
            region = _next_region(region, face.find(pixels))
        return pixels, region

    def load(pixels_and_region):
        try:
            return prepare(translator, request, *pixels_and_region)
        except Failure as error:
            raise Failure(f"{video.path}: {error}") from None

    def finish(source, result):
        return compose(source, result), source.fit.scale

    frames = stack.enter_context(contextlib.closing(video_file.frames(video)))
    pool = stack.enter_context(threads.threads(1))
    results = translator.stream(
        threads.ahead(pool, find_region, frames, BATCH + 1),
        load,
        finish,
        direction=request.direction,
        heatmap=request.heatmap != "none",
        discriminator_heatmaps=request.heatmap == "side",
        tile_pixels=tile_pixels(translator, request),
    )
    stack.enter_context(contextlib.closing(results))
    label, previous = DIRECTIONS[request.direction].title, None
    with Progress(video.num_frames, unit="frame", label=label) as bar:
        for (source, output, heatmaps), scale in results:
            if previous is not None and request.smooth:
                previous = request.smooth * previous + (1 - request.smooth) * output
                output = np.rint(previous).astype(np.uint8)
            else:
                previous = np.float32(output)
            yield _images(request.heatmap, source, output, heatmaps), scale
            bar.update()


def _images(heatmap, source, output, heatmaps):
    """kind -> uint8 image of one frame."""
    video = np.ascontiguousarray(np.broadcast_to(output, (*output.shape[:2], 3)))
    if heatmap == "none":
        return {"video": video}
    images = heatmap_images(heatmap, source, output, heatmaps)
    if heatmap == "side":
        return {"video": images["side"]}
    return {"video": video, "attention": images["attention"]}


def _next_region(last, detected):
    """The face's region in the next frame: it moves slowly, and stays where no face is found."""
    if last is None or detected is None:
        return last if detected is None else detected
    # Rounded down, so that what lies inside the image stays there; 1e-6 is the sum's own error.
    mean = (STEADY * old + (1 - STEADY) * new for old, new in zip(last, detected))
    return tuple(math.floor(value + 1e-6) for value in mean)


def _open_writers(stack, targets, video, images):
    """kind -> function that appends a frame to that video."""
    writers = {}
    for kind, image in images.items():
        height, width = image.shape[:2]
        is_silent = not video.has_sound or targets[kind].lower().endswith(".gif")
        writer = video_file.writer(
            targets[kind],
            width=width,
            height=height,
            fps=video.fps,
            sound_of=None if is_silent else video.path,
        )
        writers[kind] = stack.enter_context(writer)
    return writers
