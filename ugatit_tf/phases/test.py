"""`--phase test`: translates the test images of a run in both directions, with a report."""

import os

from ugatit_tf.checkpoint_options import CheckpointOptions
from ugatit_tf.config import Config
from ugatit_tf.data import presence, storage
from ugatit_tf.phases.phase import (
    OF_A_RUN,
    Phase,
    check_folder,
    draw_built_in,
    warn_of_unused_gpu,
)
from ugatit_tf.training import checkpoints


def check(config: Config, options: CheckpointOptions) -> None:
    checkpoints.refuse_lone_generators(config.run_folder)
    if not presence.is_drawn(config) and not storage.is_remote(config.dataset_folder):
        presence.test_folders(config.dataset_folder)
    checkpoints.chosen(config.run_folder, options.which)
    check_folder("result_dir", os.path.join(config.result_dir, config.run_name))


def run(config: Config, options: CheckpointOptions) -> None:
    from ugatit_tf.data import demo
    from ugatit_tf.translation import testing

    warn_of_unused_gpu()
    draw_built_in(config)
    report = testing.run_test(config, options.which)
    print(f"Report: {report}")
    if config.dataset == presence.BUILT_IN:
        print(*demo.summarize_results(config.dataset_folder, os.path.dirname(report)), sep="\n")


TEST = Phase(
    "test",
    "translate the test images of a run in both directions",
    check,
    run,
    CheckpointOptions,
    uses=lambda options: OF_A_RUN,
)
