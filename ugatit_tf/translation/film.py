"""A film in, a translated film of the same length, frame rate and sound out."""

import contextlib
import os
import time

import numpy as np
from tqdm import tqdm

from ugatit_tf.pictures import video
from ugatit_tf.runtime import Failure
from ugatit_tf.translation import convert, flow
from ugatit_tf.translation.model import BATCH
from ugatit_tf.translation.translate import DIRECTIONS


def is_film(request) -> bool:
    """Whether a request is for a film: one file, and not only its first frame."""
    suffix = os.path.splitext(request.output)[1].lower()
    return (
        os.path.isfile(request.input)
        and video.is_film(request.input)
        and (not suffix or suffix in video.WRITTEN)
    )


def target_of(request) -> str:
    """The path of the translated film.

    Raises:
        Failure: it exists, or would take the source's place.
    """
    target = request.output
    if not os.path.splitext(target)[1]:
        stem, suffix = os.path.splitext(os.path.basename(request.input))
        target = os.path.join(target, stem + (".gif" if suffix.lower() == ".gif" else ".mp4"))
    if os.path.exists(target) and os.path.samefile(target, request.input):
        raise Failure(f"{target} is the film to translate. Use another --output.")
    if os.path.lexists(target) and not (request.overwrite or request.resume_output):
        raise Failure(f"{target} is there already. Use another --output, or --overwrite True.")
    return target


def convert_film(model, request):
    """Translates a film. With --heatmap overlay its attention is a film of its own beside it.

    Returns:
        (path of the film, number of frames, seconds); no frames where the film was there already
        and `resume_output` left it.

    Raises:
        Failure: the result exists, or an option does not fit films.
        UnreadablePicture: the film cannot be read.
    """
    if request.heatmap in ("raw", "npy"):
        raise Failure("--heatmap of a film is none, overlay or side.")
    if request.report:
        raise Failure("--report True is for pictures; a film has no page.")
    target, began = target_of(request), time.monotonic()
    if request.resume_output and os.path.lexists(target):
        return target, 0, 0.0
    film, count = video.opened(request.input), 0
    with contextlib.ExitStack() as stack:
        writers = None
        for pictures in _translated(model, request, film, stack):
            if writers is None:
                writers = _writers(stack, target, film, pictures)
            for kind, picture in pictures.items():
                writers[kind](picture)
            count += 1
    if not count:
        raise Failure(f"{request.input} has no frames.")
    return target, count, time.monotonic() - began


def _translated(model, request, film, stack):
    """Yields kind -> uint8 picture of each frame: "film", and "attention" with --heatmap."""
    judged = request.heatmap == "side" and model.judges
    previous = None

    def load(frame):
        pixels = frame if model.channels == 3 else _grey(frame)
        return convert.prepared(model, request, None, pixels)

    def translate(batch):
        x = np.stack([item.x for item in batch])
        options = {"judged": judged, "tile_pixels": request.tile_pixels}
        outputs = model.outputs(x, request.direction, **options)
        return [(item, *output) for item, output in zip(batch, outputs)]

    frames = stack.enter_context(contextlib.closing(video.frames(film)))
    pool, worker = stack.enter_context(flow.threads(1)), stack.enter_context(flow.threads(1))
    loaded = flow.ahead(pool, load, frames, BATCH + 1)
    batches = flow.batches(loaded, BATCH, lambda item: item.x.shape)
    with tqdm(total=film.num_frames, unit="frame", desc=DIRECTIONS[request.direction][1]) as bar:
        for batch in flow.ahead(worker, translate, batches, 2):
            for item, image, looked in batch:
                shown, output, looked = convert.images_of(item, image, looked)
                if previous is not None and request.smooth:
                    blend = request.smooth * previous + (1 - request.smooth) * output
                    previous, output = blend, np.rint(blend).astype(np.uint8)
                else:
                    previous = np.float32(output)
                yield _shown(request, shown, output, looked)
                bar.update()


def _shown(request, shown, output, looked):
    found = {"film": np.ascontiguousarray(np.broadcast_to(output, (*output.shape[:2], 3)))}
    if request.heatmap == "none":
        return found
    heat = convert.heatmaps(request, shown, output, looked)
    if request.heatmap == "side":
        return {"film": heat["side"]}
    return {**found, "attention": heat["attention"]}


def _writers(stack, target, film, pictures):
    """kind -> function that appends a frame to that film."""
    stem, suffix = os.path.splitext(target)
    paths = {"film": target, "attention": f"{stem}_attention{suffix}"}
    found = {}
    for kind, picture in pictures.items():
        height, width = picture.shape[:2]
        sound = film.path if film.has_sound and suffix.lower() != ".gif" else None
        writing = video.writing(
            paths[kind], width=width, height=height, fps=film.fps, sound_of=sound
        )
        found[kind] = stack.enter_context(writing)
    return found


def _grey(frame):
    """uint8 [height, width, 3] to [height, width, 1], as Pillow converts to L."""
    weighed = np.float32(frame) @ np.float32([0.299, 0.587, 0.114])
    return np.rint(weighed).astype(np.uint8)[..., None]
