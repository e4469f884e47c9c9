"""`--phase ablate`: trains and measures the rows of the paper's ablation."""

import gc

from ugatit_tf import cluster
from ugatit_tf.config import Config
from ugatit_tf.data.presence import TRAIN
from ugatit_tf.lazy import tf
from ugatit_tf.phases.phase import (
    ALL,
    NoOptions,
    Phase,
    check_dataset,
    check_measurable,
    refuse_start,
)
from ugatit_tf.phases.train import devices_of, train

ABLATED = ("decoder_norm", "generator_cam", "discriminator_cam")  # each row sets its own


def check(config: Config, options: NoOptions) -> None:
    refuse_start(config.init_from, "ablate")
    if cluster.from_environment(config.strategy).is_chief:
        check_dataset(config, TRAIN)
    check_measurable(config)


def run(config: Config, options: NoOptions) -> None:
    from ugatit_tf.evaluation import ablation

    runs, results, page, quiet = ablation.configs(config), {}, "", False
    with devices_of(config) as replicas:
        for number, (row, row_config) in enumerate(runs.items(), 1):
            print(f"\nRow {number} of {len(runs)}: {row.title}", flush=True)
            if not ablation.is_trained(row_config):
                stopped = train(row_config, replicas, quiet=quiet)
                quiet = True  # the dataset of all rows is the same
                replicas.any(False)  # the chief has saved what it will
                if stopped:  # even in the row's last step
                    print("Stopped. The same command goes on.")
                    break
            if replicas.is_chief:
                results[row] = ablation.measure(row_config)
                page = ablation.write(config, runs, results)
            tf.keras.backend.clear_session()
            gc.collect()  # networks are circles of references
    if page:
        table = ablation.text(ablation.table(results))
        print("", table, *ablation.notes(config, results), sep="\n")
        print(f"Page: {page}")


ABLATE = Phase(
    "ablate",
    "train and measure the rows of the paper's ablation",
    check,
    run,
    uses=lambda options: tuple(name for name in ALL if name not in ABLATED),
)
