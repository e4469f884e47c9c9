"""Whether a request is for a video, and the paths of its results."""

from __future__ import annotations

import os

from ugatit_tf.errors import Failure
from ugatit_tf.images import image_file, video_file
from ugatit_tf.translation import paths
from ugatit_tf.translation.options import TranslateOptions


def is_video(request: TranslateOptions) -> bool:
    """Whether the input is a video; not an animated GIF of which the output is an image."""
    if not os.path.isfile(request.input) or not video_file.is_video(request.input):
        return False
    suffix = os.path.splitext(request.output)[1].lower()
    to_image = suffix in image_file.WRITERS and suffix != ".gif" or request.format != "same"
    return not (request.input.lower().endswith(".gif") and to_image)


def video_paths(request: TranslateOptions) -> dict[str, str]:
    """kind -> path: of the translated "video" and, with --heatmap overlay, of its "attention".

    Raises:
        Failure: a path exists, is the source, or cannot be written; or an option is not for
            videos.
    """
    if request.heatmap in ("raw", "npy"):
        raise Failure("--heatmap of a video is none, overlay or side.")
    if request.report:
        raise Failure("--report True is for images; a video has no report.")
    if request.shard:
        raise Failure("--shard is for folders of images; a video is translated in one piece.")
    target = request.output
    if not paths.is_file(request):
        stem, suffix = os.path.splitext(os.path.basename(request.input))
        target = os.path.join(target, stem + (".gif" if suffix.lower() == ".gif" else ".mp4"))
    stem, suffix = os.path.splitext(target)
    if suffix.lower() not in video_file.WRITTEN:
        raise Failure(
            f"--output {target}: videos are not written as {suffix}. Expected one of "
            f"{', '.join(video_file.WRITTEN)}, or a folder."
        )
    targets = {"video": target}
    if request.heatmap == "overlay":
        targets["attention"] = f"{stem}_attention{suffix}"
    for path in targets.values():
        if os.path.exists(path) and os.path.samefile(path, request.input):
            raise Failure(f"{path} is the video to translate. Use another --output.")
        if os.path.lexists(path) and not (request.overwrite or request.resume_output):
            raise Failure(f"{path} already exists. Use another --output, or --overwrite True.")
    return targets
