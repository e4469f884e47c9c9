"""`--phase evaluate`: KID and FID of both directions, or what people preferred in a study."""

import dataclasses
from typing import Union

from ugatit_tf.checkpoint_options import CheckpointOptions
from ugatit_tf.config import Config
from ugatit_tf.evaluation.fakes import fake_folders
from ugatit_tf.options import ConfigError, names_of, option
from ugatit_tf.phases.phase import (
    OF_A_RUN,
    Phase,
    check_measurable,
    draw_built_in,
    warn_of_unused_gpu,
)
from ugatit_tf.training import checkpoints


@dataclasses.dataclass(frozen=True)
class EvaluateOptions(CheckpointOptions):
    """What is measured."""

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
            if getattr(self, name) and self.which != CheckpointOptions.which:
                raise ConfigError(f"--which has no effect with --{name}. Leave it out.")
        if self.votes and self.fake_dir:
            raise ConfigError(
                "--votes and --fake_dir name two things to measure. Use one of them at a time."
            )


def check(config: Union[Config, dict], options: EvaluateOptions) -> None:
    if options.votes:
        return
    check_measurable(config)
    if options.fake_dir:
        fake_folders(options.fake_dir)
    else:
        checkpoints.chosen(config.run_folder, options.which)


def run(config: Union[Config, dict], options: EvaluateOptions) -> None:
    from ugatit_tf.evaluation import evaluate, votes

    if options.votes:
        print(votes.table(votes.read(options.votes)))
        return
    warn_of_unused_gpu()
    draw_built_in(config)
    metrics, path = evaluate.evaluate(config, fake_dir=options.fake_dir, which=options.which)
    print(evaluate.table(metrics))
    print(f"Written: {path}")


EVALUATE = Phase(
    "evaluate",
    "measure KID and FID of a run, or the answers of a study",
    check,
    run,
    EvaluateOptions,
    has_run=lambda options: not options.votes,
    uses=lambda options: () if options.votes else OF_A_RUN + names_of(Config, "evaluation"),
)
