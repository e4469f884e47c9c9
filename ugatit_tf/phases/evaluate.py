"""`--phase evaluate`: KID and FID of a run, a model or images, or what people preferred."""

import dataclasses
from typing import Union

from ugatit_tf.checkpoint_options import CheckpointOptions, model_option
from ugatit_tf.config import Config
from ugatit_tf.evaluation.fakes import fake_folders
from ugatit_tf.options import ConfigError, names_of, option
from ugatit_tf.phases.phase import (
    OF_A_RUN,
    OVERRIDES,
    Phase,
    check_measurable,
    check_model,
    check_translation,
    draw_built_in,
    load_translator,
    warn_of_unused_gpu,
)
from ugatit_tf.translation.options import size_option

MEASURED = names_of(Config, "location")  # of a model that is given by --model: the test images


@dataclasses.dataclass(frozen=True)
class EvaluateOptions(CheckpointOptions):
    """What is measured."""

    model: str = model_option()
    size: Union[int, str] = size_option(
        "side in pixels with which the test images are translated, then scaled back, as in --phase "
        "translate; native: their own; 0: as squares of the training size, as the official test"
    )
    fake_dir: str = option(
        "",
        "folder with a2b and b2a, or one of them, of translated test images, from any program; "
        "without it the run translates",
    )
    votes: str = option(
        "",
        "answers of a study, a file or a pattern in quotes: says what people preferred, and needs "
        "no run",
    )

    def check_pairs(self) -> None:
        for name in ("fake_dir", "votes"):
            for useless in ("which", "model", "size"):
                is_named = getattr(self, useless) != getattr(EvaluateOptions, useless)
                if getattr(self, name) and is_named:
                    raise ConfigError(f"--{useless} has no effect with --{name}. Leave it out.")
        if self.votes and self.fake_dir:
            raise ConfigError(
                "--votes and --fake_dir name two things to measure. Use one of them at a time."
            )


def check(config: Union[Config, dict], options: EvaluateOptions) -> None:
    if options.votes:
        return
    check_measurable(_config(config))
    if options.fake_dir:
        fake_folders(options.fake_dir)
    else:
        check_model(config, options.model, options.which)


def run(config: Union[Config, dict], options: EvaluateOptions) -> None:
    from ugatit_tf.evaluation import evaluate, table, votes

    if options.votes:
        print(votes.table(votes.read(options.votes)))
        return
    draw_built_in(_config(config))
    translator = None
    if options.fake_dir:
        warn_of_unused_gpu()
    else:
        translator = load_translator(config, options.model, options.which)
        check_translation(translator, size=options.size)
    metrics, path = evaluate.evaluate(
        _config(config), fake_dir=options.fake_dir, translator=translator, size=options.size
    )
    print(table.text(metrics))
    print(f"Written: {path}")


def _config(config):
    """The dataset and the features; with --model there is no run, and the rest has no effect."""
    return config if isinstance(config, Config) else Config(**config)


def _uses(options):
    if options.votes:
        return ()
    used = MEASURED + OVERRIDES if options.model else OF_A_RUN
    return used + names_of(Config, "evaluation")


EVALUATE = Phase(
    "evaluate",
    "measure KID and FID, or the answers of a study",
    check,
    run,
    EvaluateOptions,
    has_run=lambda options: not (options.votes or options.model),
    uses=_uses,
)
