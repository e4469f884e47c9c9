"""`--phase translate`: an image, a folder, a pattern or a video, through a run or a model."""

from typing import Union

from ugatit_tf import shipped
from ugatit_tf.config import Config
from ugatit_tf.errors import Failure
from ugatit_tf.images import video_file
from ugatit_tf.options import ConfigError
from ugatit_tf.phases.phase import (
    OF_A_RUN,
    OVERRIDES,
    Phase,
    check_model,
    check_translation,
    load_translator,
)
from ugatit_tf.translation import face, paths, video_paths
from ugatit_tf.translation.options import TranslateOptions


def check(config: Union[Config, dict], options: TranslateOptions) -> None:
    check_model(config, options.model, options.which)
    if not options.input:
        raise ConfigError(
            f"--phase translate needs --input. Of all models, only "
            f"{', '.join(shipped.with_examples())} of this program comes with images."
        )
    if options.face:
        face.require()
    if video_paths.is_video(options):
        video_paths.video_paths(options)
        try:
            video_file.ffmpeg_path()
        except ImportError as error:
            raise Failure(f"{options.input}: {error}") from None
    else:
        if options.smooth:
            raise ConfigError("--smooth is for videos: images have no next frame. Leave it out.")
        paths.jobs(options)


def run(config: Union[Config, dict], options: TranslateOptions) -> None:
    from ugatit_tf.translation import image_files, video

    translator = load_translator(config, options.model, options.which)
    check_translation(
        translator,
        options.direction or None,
        options.fit,
        options.size,
        heatmap=options.heatmap != "none",
        max_side=options.max_side,
    )
    if video_paths.is_video(options):
        print(video.translate_video(translator, options).line(translator, options))
        return
    summary = image_files.translate_files(translator, options)
    print(*summary.lines(translator, options), sep="\n")
    summary.raise_failures()


TRANSLATE = Phase(
    "translate",
    "translate images or a video",
    check,
    run,
    TranslateOptions,
    has_run=lambda options: not options.model,
    uses=lambda options: OVERRIDES if options.model else OF_A_RUN,
)
