"""Which checkpoint of a run a phase uses: the option of all phases that use one."""

import dataclasses

from ugatit_tf import shipped
from ugatit_tf.options import Options, option


def which_option() -> str:
    """The option `which` of all phases that use a checkpoint."""
    text = (
        "the latest checkpoint, the best (see --best_by), or the mean of the generators' weights "
        "in all that the run has kept"
    )
    return option("latest", text, choices=("latest", "best", "mean"))


def model_option() -> str:
    """The option `model` of the phases that translate with a run or with something else."""
    text = (
        "an exported folder, a generator file, or the name of a model that comes with this program "
        f"({', '.join(shipped.names())}), instead of the run of --dataset or --run"
    )
    return option("", text, common=True)


@dataclasses.dataclass(frozen=True)
class CheckpointOptions(Options):
    """The options of a phase that uses a checkpoint."""

    which: str = which_option()
