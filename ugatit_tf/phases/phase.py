"""What a phase is, and the options that several phases share."""

import dataclasses
import importlib.util
import logging
import os
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from ugatit_tf import gpu_diagnosis, invocation
from ugatit_tf.config import Config
from ugatit_tf.data import presence, storage
from ugatit_tf.errors import Failure
from ugatit_tf.options import ConfigError, Options, names_of
from ugatit_tf.training import checkpoints
from ugatit_tf.translation import model_files

if TYPE_CHECKING:
    from ugatit_tf import doctor
    from ugatit_tf.translation.translator import Translator

LOG = logging.getLogger(__name__)
ALL = tuple(field.name for field in dataclasses.fields(Config))
OVERRIDES = ("precision", "xla", "strategy")  # of a model that is given by --model
OF_A_RUN = names_of(Config, "location", "architecture", "execution")  # that is there already


@dataclasses.dataclass(frozen=True)
class NoOptions(Options):
    """The options of a phase that has none of its own."""


@dataclasses.dataclass(frozen=True)
class Phase:
    """What `--phase NAME` does.

    Its functions take (config, options): the `Config` of the run and the `Options` of the phase.
    Where `has_run` says that there is no run, `config` is a dict of the options of `Config` that
    were named.

    Attributes:
        name: of `--phase`.
        help: one line for `--help`.
        check: refuses what a look at the disk can refuse, in a second: no TensorFlow is imported,
            nothing is written, no image is read. Raises `Failure`, `ConfigError` or OSError.
        run: does the work, prints its results and writes files.
        options: the class of its own options.
        has_run: function of the options: whether the phase works on a run.
        uses: function of the options: the options of `Config` that have an effect.
        names: of a phase to which a bare word names the dataset, `fetch horse2zebra`, the names
            that are known beforehand; None where a bare word is a mistake.
        needs_tensorflow: whether TensorFlow is imported before `run`; otherwise it starts at once.
    """

    name: str
    help: str
    check: Callable[[Union[Config, dict], Any], None]
    run: Callable[[Union[Config, dict], Any], None]
    options: type = NoOptions
    has_run: Callable[[Any], bool] = lambda options: True
    uses: Callable[[Any], tuple] = lambda options: ALL
    names: Optional[tuple] = None
    needs_tensorflow: bool = True

    def makes_run(self, options: Options) -> bool:
        """Whether the options of training have an effect, which those of a made run have not."""
        return set(names_of(Config, "training")) <= set(self.uses(options))


def refuse_start(init_from: Optional[str], phase: str) -> None:
    """Refuses weights from which a phase lets no run start, though it takes all other options."""
    if init_from:
        raise ConfigError(f"--init_from has no effect in --phase {phase}. Leave it out.")


def check_dataset(config: Config, splits: tuple, expected: str = presence.FOR_TRAINING) -> None:
    """Refuses a dataset without one of its `splits`; the built-in one is drawn where it misses."""
    if not presence.is_drawn(config):
        presence.require(config.dataset_folder, splits, expected)


def check_folder(name: str, path: str) -> None:
    """Refuses `path` where it neither is nor can become a folder that can be written to.

    Args:
        name: the option that names it.
    """
    folder = storage.nearest(path)
    if not os.path.isdir(folder):
        raise Failure(f"--{name}: {folder} is a file. Expected a folder for {path}.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Failure(f"--{name}: no right to write into {folder}.")


def check_generators(run_folder: str, which: str) -> None:
    """Refuses a run that has neither the checkpoint that is wanted nor lone generators."""
    if which != "latest" or not checkpoints.lone_generators(run_folder):
        checkpoints.chosen(run_folder, which)


def check_model(config: Union[Config, dict], model: str, which: str) -> None:
    """Refuses where neither `model`, of `--model`, nor without it the run can translate."""
    if not model:
        check_generators(config.run_folder, which)
    elif model_files.kind_of(model) == model_files.RUN:
        check_generators(model, which)
    elif which != "latest":
        raise ConfigError(
            f"--which chooses a checkpoint of a run, and {model} has none. Leave it out."
        )


def load_translator(config: Union[Config, dict], model: str, which: str) -> "Translator":
    """The translator of `--model`, or without it of the run."""
    from ugatit_tf.translation import loading

    warn_of_unused_gpu()
    if not model:
        return loading.from_run(config, which)
    overrides = {name: value for name, value in config.items() if name in OVERRIDES}
    return loading.load(model, which, **overrides)


def check_translation(translator: "Translator", *args, **options) -> None:
    """Refuses what the model cannot do; the arguments are those of `Translator.check`."""
    try:
        translator.check(*args, **options)
    except ValueError as error:
        raise Failure(str(error)) from None


def check_measurable(config: Config) -> None:
    """Refuses where KID has no test images, or no file of the weights that its network needs."""
    check_dataset(config, presence.TEST, presence.FOR_MEASURING)
    if config.features:
        if not os.path.isfile(config.features):
            raise Failure(f"--features {config.features}: there is no such file.")
        if importlib.util.find_spec("onnxruntime") is None:
            raise Failure(f"--features needs onnxruntime: {invocation.install('evaluate')}")
        return
    weights = config.inception_weights
    if weights and not os.path.isfile(weights):
        raise Failure(f"--inception_weights {weights}: there is no such file.")
    if config.inception == "graph" and not weights:
        raise Failure(
            "--inception graph needs --inception_weights FILE: the frozen graph of 2015, "
            "classify_image_graph_def.pb from inception-2015-12-05.tgz."
        )


def refuse_errors(report: "doctor.Report") -> None:
    """Raises a `Failure` with the first error of a `doctor.Report`, if it has any."""
    if report.errors:
        raise Failure(report.errors[0])


def warn_of_unused_gpu() -> None:
    """Warns if this computer has a GPU that TensorFlow does not use against the user's will."""
    warning = gpu_diagnosis.diagnosis().warning
    if warning:
        LOG.warning(warning)


def draw_built_in(config: Config) -> None:
    """Draws the built-in dataset where the config names it and it is missing."""
    if not presence.is_drawn(config):
        return
    from ugatit_tf.data import demo

    if storage.is_remote(config.dataset_folder):
        raise Failure(
            f"{presence.BUILT_IN} is drawn on this computer; copy it to {config.dataset_dir}."
        )
    print(f"Drawing the built-in faces into {config.dataset_folder}", flush=True)
    demo.write_dataset(config.dataset_folder, size=config.img_size, seed=config.seed)
