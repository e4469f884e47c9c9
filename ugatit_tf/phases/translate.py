"""`--phase translate`: an image, a folder, a pattern or a video, through a run or a model."""

from typing import Union

from ugatit_tf.config import Config
from ugatit_tf.data.presence import printable
from ugatit_tf.errors import Failure, counted, listed
from ugatit_tf.images import video_file
from ugatit_tf.options import ConfigError
from ugatit_tf.phases.phase import OF_A_RUN, Phase
from ugatit_tf.training import checkpoints
from ugatit_tf.translation import face, model_files, sources, video_targets
from ugatit_tf.translation import outcome as outcomes
from ugatit_tf.translation.options import TranslateOptions

OVERRIDES = ("precision", "xla", "strategy")  # of a model that is given by --model


def check(config: Union[Config, dict], options: TranslateOptions) -> None:
    if not options.model:
        checkpoints.chosen(config.run_folder, options.which)
    elif model_files.kind_of(options.model) == model_files.RUN:
        checkpoints.chosen(options.model, options.which)
    elif options.which != TranslateOptions.which:
        raise ConfigError(
            f"--which chooses a checkpoint of a run, and {options.model} has none. Leave it out."
        )
    if options.face:
        face.require()
    if video_targets.is_video(options):
        video_targets.targets_of(options)
        try:
            video_file.ffmpeg_path()
        except ImportError as error:
            raise Failure(f"{options.input}: {error}") from None
    else:
        if options.smooth:
            raise ConfigError("--smooth is for videos: images have no next frame. Leave it out.")
        sources.jobs(options)


def run(config: Union[Config, dict], options: TranslateOptions) -> None:
    from ugatit_tf.translation import convert, load, video

    if options.model:
        model = load.load(options.model, options.which, **config)
    else:
        model = load.of_run(config, options.which)
    try:
        heatmap = options.heatmap != "none"
        model.check(options.direction or None, options.fit, options.size, heatmap)
    except ValueError as error:
        raise Failure(str(error)) from None
    if video_targets.is_video(options):
        _report_video(model, options, video.convert_video(model, options))
    else:
        _report_images(model, options, convert.convert(model, options))


def _report_images(model, options, outcome):
    scale = f", {outcomes.scale_text(model, options, outcome.scales)}" if outcome.scales else ""
    print(
        f"Translated {counted(outcome.translated, 'image')} in {outcome.seconds:.1f} seconds "
        f"into {options.output}{scale}"
    )
    for names, sentence in (
        (outcome.without_face, "No face found, translated whole"),
        (outcome.tiled, "In tiles, whose tones may differ (--max_side avoids them)"),
        (outcome.stilled, "Animated, and only the first frame is translated"),
    ):
        if names:
            print(f"{sentence}: {listed([printable(name) for name in names])}")
    if outcome.report:
        print(f"Report: {outcome.report}")
    outcomes.raise_failures(outcome)


def _report_video(model, options, outcome):
    if outcome.num_frames:
        scale = outcomes.scale_text(model, options, outcome.scales)
        frames = counted(outcome.num_frames, "frame")
        print(f"{outcome.path}: {frames} in {outcome.seconds:.1f} seconds, {scale}")
    else:
        print(f"{outcome.path}: there already")


TRANSLATE = Phase(
    "translate",
    "translate images or a video",
    check,
    run,
    TranslateOptions,
    has_run=lambda options: not options.model,
    uses=lambda options: OVERRIDES if options.model else OF_A_RUN,
)
