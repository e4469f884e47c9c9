"""Whether a request is for a film, and which files it becomes."""

import os

from ugatit_tf.errors import Failure
from ugatit_tf.pictures import files, video
from ugatit_tf.translation import sources


def is_film(request) -> bool:
    """Whether a request is for a film: one file, and not only the first frame of a GIF."""
    if not os.path.isfile(request.input) or not video.is_film(request.input):
        return False
    suffix = os.path.splitext(request.output)[1].lower()
    as_picture = suffix in files.WRITERS and suffix != ".gif" or request.format != "same"
    return not (request.input.lower().endswith(".gif") and as_picture)


def targets_of(request) -> dict:
    """kind -> path: of the translated "film" and, with --heatmap overlay, of its "attention".

    Raises:
        Failure: one exists, would take the source's place, or cannot be written; or an option
            does not fit films.
    """
    if request.heatmap in ("raw", "npy"):
        raise Failure("--heatmap of a film is none, overlay or side.")
    if request.report:
        raise Failure("--report True is for pictures; a film has no page.")
    if request.shard:
        raise Failure("--shard is for folders of pictures; a film is translated in one piece.")
    target = request.output
    if not sources.is_file(request):
        stem, suffix = os.path.splitext(os.path.basename(request.input))
        target = os.path.join(target, stem + (".gif" if suffix.lower() == ".gif" else ".mp4"))
    stem, suffix = os.path.splitext(target)
    if suffix.lower() not in video.WRITTEN:
        raise Failure(
            f"--output {target}: films are not written as {suffix}. Expected one of "
            f"{', '.join(video.WRITTEN)}, or a folder."
        )
    found = {"film": target}
    if request.heatmap == "overlay":
        found["attention"] = f"{stem}_attention{suffix}"
    for path in found.values():
        if os.path.exists(path) and os.path.samefile(path, request.input):
            raise Failure(f"{path} is the film to translate. Use another --output.")
        if os.path.lexists(path) and not (request.overwrite or request.resume_output):
            raise Failure(f"{path} is there already. Use another --output, or --overwrite True.")
    return found
