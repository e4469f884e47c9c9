"""Every option of a run, in one frozen dataclass. Field names are the official option names."""

import dataclasses
import functools
import json
import os
from typing import Optional

from ugatit_tf import atomic
from ugatit_tf.feature_options import FeatureOptions
from ugatit_tf.flavors import FLAVORS
from ugatit_tf.losses import ADVERSARIAL
from ugatit_tf.norms import DECODER_NORMS
from ugatit_tf.options import LARGEST_COUNT, ConfigError, names_of, option, rule_of
from ugatit_tf.sizes import problem_with, problem_with_crop

VERSION = "0.1.0"
PRECISIONS = ("float32", "bfloat16", "float16")
STRATEGIES = ("auto", "one", "mirrored", "multi_worker")
CACHES = ("none", "memory", "disk")
CONFIG_FILE = "config.json"
KID = "eval/kid"  # the metric of --eval_freq, mean of both directions
ABOUT = "about"  # the key of what is no option: versions, dataset, changes
architecture = functools.partial(option, kind="architecture")
training = functools.partial(option, kind="training")
execution = functools.partial(option, kind="execution")
logging = functools.partial(option, kind="logging")
location = functools.partial(option, kind="location", recorded=False)
COUNT = {"at_least": 1, "at_most": LARGEST_COUNT}


@dataclasses.dataclass(frozen=True)
class Config(FeatureOptions):
    """Everything a run depends on.

    Raises:
        ConfigError: a value has the wrong type or range, or two options contradict each other.
    """

    dataset: str = option(
        "selfie2anime",
        "name of the folder below --dataset_dir with trainA, trainB, testA and testB; 'demo' is "
        "drawn by the program",
        kind="location",
        common=True,
    )
    run: str = location(
        "", "name of the run's folders, if it is not that of the dataset", common=True
    )
    seed: int = training(
        0,
        "seed of everything random: weights, order, augmentation, penalties",
        at_least=0,
        at_most=2**63 - 1,
    )

    flavor: str = architecture(
        "tensorflow",
        "the official program whose networks and training these are; docs/fidelity.md has the "
        "differences",
        choices=tuple(FLAVORS),
    )
    light: bool = architecture(
        False, "the light model: any image size, a fifth of the weights", common=True
    )
    img_size: int = architecture(
        256,
        "side of the training images in pixels, a multiple of 4",
        at_least=1,
        at_most=32 * 256,
        common=True,
    )
    img_ch: int = architecture(3, "channels of the images: 1 for gray, 3 for RGB", choices=(1, 3))
    ch: int = architecture(
        64,
        "channels of the first layer; the bottleneck has four times as many",
        at_least=1,
        at_most=64 * 64,
        common=True,
    )
    n_res: int = architecture(
        4, "residual blocks of the encoder, and as many of the decoder", at_least=1, at_most=64 * 4
    )
    n_dis: int = architecture(
        6,
        "depth of the global discriminator; the local one has two layers less",
        at_least=2,
        at_most=12,
    )
    sn: bool = architecture(True, "spectral normalization of the discriminators")
    smoothing: bool = architecture(
        None,
        "keep AdaLIN from being instance normalization alone: it mixes with clip(rho - 0.1, 0, 1) "
        "(default True; False with --flavor pytorch)",
    )
    decoder_norm: str = architecture(
        "adalin",
        "normalization in the decoder; all but adalin repeat the paper's ablation",
        choices=tuple(DECODER_NORMS),
    )
    generator_cam: bool = architecture(True, "attention and CAM loss of the generators")
    discriminator_cam: bool = architecture(True, "attention and CAM loss of the discriminators")

    epoch: int = training(
        100,
        "epochs; each is --iteration steps, whatever the number of images",
        common=True,
        **COUNT,
    )
    iteration: int = training(10_000, "steps of one epoch", common=True, **COUNT)
    minutes: float = training(
        0.0,
        "time limit in minutes, over all starts of the run and with all that it writes; the "
        "learning rate is constant for the part decay_epoch / epoch of that time, then falls to 0; "
        "0: no limit",
        at_least=0,
        common=True,
    )
    batch_size: int = training(
        1, "images of each domain in one step, on each device", common=True, **COUNT
    )
    lr: float = training(1e-4, "learning rate", above=0)
    discriminator_lr: float = training(
        0.0,
        "learning rate of the discriminators, which falls as --lr does; small ones may need more "
        "than the generators; 0: --lr",
        at_least=0,
    )
    decay_flag: bool = training(
        True, "let the learning rate fall linearly to 0 from --decay_epoch on"
    )
    decay_epoch: int = training(
        50, "epoch from which the learning rate falls", at_least=0, at_most=LARGEST_COUNT
    )
    init_from: str = training(
        "",
        "trained weights from which a new run starts: a run or exported folder, a generator file, "
        "an official checkpoint, or the name of a model that comes with this program",
    )
    n_critic: int = training(
        1, "updates of the discriminators for each update of the generators", **COUNT
    )
    augment_flag: bool = training(True, "augment training images: flip, enlarge, crop")
    crop_size: int = training(
        0,
        "side of the squares that light models are trained on, cut from images enlarged from "
        "img_size; smaller ones take less time and memory; 0: img_size",
        at_least=0,
    )
    gan_type: str = training("lsgan", "adversarial loss", choices=tuple(ADVERSARIAL))
    ema: float = training(
        0.0,
        "decay of a moving average of the generators' weights, e.g. 0.999, which all phases but "
        "train use; 0: none",
        at_least=0,
        below=1,
    )
    GP_ld: float = training(
        10.0, "weight of the gradient penalty (wgan-gp, wgan-lp, dragan)", at_least=0
    )
    adv_weight: float = training(1.0, "weight of the adversarial loss", at_least=0)
    cycle_weight: float = training(10.0, "weight of the cycle loss", at_least=0)
    identity_weight: float = training(10.0, "weight of the identity loss", at_least=0)
    cam_weight: float = training(1000.0, "weight of the class activation loss", at_least=0)
    accumulate: int = training(
        1, "micro-batches whose gradients are averaged for one update", **COUNT
    )

    precision: str = execution(
        "float32",
        "type of the networks' activations; weights, statistics, losses and the optimizer stay "
        "float32",
        choices=PRECISIONS,
        common=True,
    )
    recompute: bool = execution(
        False, "compute activations again for the gradients: less memory, more time"
    )
    xla: bool = execution(False, "compile the networks and whole training steps with XLA")
    steps_per_call: int = execution(1, "steps in one call, without Python in between", **COUNT)
    strategy: str = execution(
        "auto",
        "devices that work together; auto: all GPUs of this machine, or the machines that "
        "TF_CONFIG names",
        choices=STRATEGIES,
        recorded=False,
    )
    cache: str = execution("none", "where decoded training images are kept", choices=CACHES)

    print_freq: int = logging(1000, "steps between sample images", **COUNT)
    save_freq: int = logging(1000, "steps between checkpoints", **COUNT)
    summary_freq: int = logging(100, "steps between TensorBoard summaries", **COUNT)
    best_by: str = logging(
        "",
        "keep in best/ the checkpoint for which this metric of history.jsonl is smallest, e.g. "
        "a2b/cycle; with --eval_freq it is eval/kid unless named",
    )
    eval_freq: int = logging(
        0,
        "steps between measurements of KID on test images; 0: never",
        at_least=0,
        at_most=LARGEST_COUNT,
    )
    dataset_dir: str = location("dataset", "folder of the datasets")
    checkpoint_dir: str = location("checkpoint", "folder of the runs with their checkpoints")
    result_dir: str = location("results", "folder of the test results")
    log_dir: str = location("logs", "folder of the TensorBoard logs")
    sample_dir: str = location("samples", "folder of the sample images")
    export_dir: str = location("export", "folder of the exported models")

    def check_pairs(self) -> None:
        super().check_pairs()
        flavor = FLAVORS[self.flavor]
        if self.smoothing is None:
            object.__setattr__(self, "smoothing", flavor.smoothing)
        if flavor.gan_types and self.gan_type not in flavor.gan_types:
            raise ConfigError(
                f"--gan_type {self.gan_type} does not exist in the {self.flavor} program. Expected "
                f"{' or '.join(flavor.gan_types)}, or another --flavor."
            )
        sizes = self.img_size, self.n_dis
        able = {"any_size": self.any_size, "crops": self.augment_flag}
        problem = problem_with("img_size", *sizes)
        if problem := problem or problem_with_crop(self.crop_size, *sizes, **able):
            raise ConfigError(problem)
        for name, value in (("dataset", self.dataset), ("run", self.run)):
            if os.path.basename(value) != value or value in (".", ".."):
                raise ConfigError(
                    f"--{name} is the name of a folder, not a path. Received: {value!r}. "
                    f"Use --dataset_dir or --checkpoint_dir to say where folders are."
                )
        if not self.dataset:
            raise ConfigError("--dataset must not be empty. Expected the name of a folder.")
        if self.best_by.startswith("eval/") and not self.eval_freq:
            raise ConfigError(
                f"--best_by {self.best_by} needs --eval_freq: without it nothing is measured while "
                f"training."
            )

    @property
    def training_size(self) -> int:
        """Side in pixels of the squares that the networks are trained on."""
        return self.crop_size or self.img_size

    @property
    def total_steps(self) -> int:
        return self.epoch * self.iteration

    @property
    def samples_per_step(self) -> int:
        """Images of each domain that one step takes on each device."""
        return self.batch_size * self.accumulate

    @property
    def best_metric(self) -> str:
        """The metric whose smallest value decides which checkpoint is kept in best/; "" if none."""
        return self.best_by or (KID if self.eval_freq else "")

    @property
    def run_name(self) -> str:
        return self.run or self.dataset

    @property
    def run_folder(self) -> str:
        """The folder of this run's checkpoints and its config.json."""
        return os.path.join(self.checkpoint_dir, self.run_name)

    @property
    def dataset_folder(self) -> str:
        return os.path.join(self.dataset_dir, self.dataset)

    @property
    def any_size(self) -> bool:
        """Whether the generators take any size: the full model's first dense layer knows its."""
        return self.light or not DECODER_NORMS[self.decoder_norm].is_adaptive

    def architecture(self) -> dict:
        """The options that decide what a checkpoint holds and what the networks compute."""
        options = {name: getattr(self, name) for name in names_of(Config, "architecture")}
        if self.any_size:
            del options["img_size"]
        return options

    def recorded(self) -> dict:
        """The options that config.json keeps: all but those that may differ at each start."""
        return {name: x for name, x in vars(self).items() if name not in NOT_RECORDED}

    def save(self, folder: str, about: Optional[dict] = None) -> None:
        """Writes config.json into `folder`, whole or not at all.

        Args:
            about: what else is known of the run; see `training.history`.
        """
        content = {**self.recorded(), **({ABOUT: about} if about else {})}
        with atomic.replacing(os.path.join(folder, CONFIG_FILE)) as file:
            file.write((json.dumps(content, indent=2) + "\n").encode())


NOT_RECORDED = tuple(f.name for f in dataclasses.fields(Config) if not rule_of(f).recorded)
