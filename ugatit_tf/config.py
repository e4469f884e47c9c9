"""Every option of a run, in one frozen dataclass. Field names are the official option names."""

import dataclasses
import json
import math
import os
import reprlib
import shlex

from ugatit_tf import atomic
from ugatit_tf.jsonfile import JSONFileError, read_json
from ugatit_tf.limits import (
    RANGES,
    ConfigError,
    broken_bound,
    check_architecture,
    smallest_image,
    typed,
)

VERSION = "0.1.0"
PRECISIONS = ("float32", "bfloat16", "float16")
STRATEGIES = ("auto", "one", "mirrored", "multi_worker")
CACHES = ("none", "memory", "disk")
INCEPTIONS = ("keras", "graph", "random")
RESIZES = ("bilinear", "antialias")
GAN_TYPES = ("gan", "lsgan", "wgan-gp", "wgan-lp", "dragan", "hinge")
ADAPTIVE_NORMS = ("adalin", "adain")  # scale and shift come from the attention
DECODER_NORMS = (*ADAPTIVE_NORMS, "in", "ln", "gn")
CHOICES = {
    "decoder_norm": DECODER_NORMS,
    "gan_type": GAN_TYPES,
    "precision": PRECISIONS,
    "strategy": STRATEGIES,
    "cache": CACHES,
    "inception": INCEPTIONS,
    "inception_resize": RESIZES,
}
LOCATIONS = (
    "dataset_dir",
    "checkpoint_dir",
    "result_dir",
    "log_dir",
    "sample_dir",
    "export_dir",
)
OF_A_START = (*LOCATIONS, "strategy")  # not of the run: config.json does not have them
RUN = "run"  # nor this: a run is the one of its folder, also where that was copied or renamed
PRESETS = {  # loss weights for a kind of task; docs/training.md has the reasons
    "portrait": {"cycle_weight": 10.0, "identity_weight": 10.0, "cam_weight": 1000.0},
    "texture": {"cycle_weight": 20.0, "identity_weight": 10.0, "cam_weight": 100.0},
}
ABLATED = ("decoder_norm", "generator_cam", "discriminator_cam")  # the paper's ablation
CONFIG_FILE = "config.json"
ABOUT = "about"  # the key of what is no option: versions, dataset, changes


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything a run depends on.

    Raises:
        ConfigError: a value has the wrong type or range, or two options contradict each other.
    """

    dataset: str = "selfie2anime"  # the folder below dataset_dir; "demo" is drawn by the program
    run: str = ""  # name of the run's folders; empty means: as the dataset
    seed: int = 0  # of everything random: weights, order, flips, crops, penalties

    light: bool = False  # global average pool before the MLP: 134 instead of 670 million weights
    img_size: int = 256  # side of the square training image in pixels
    img_ch: int = 3  # 3 is RGB, 1 is grey
    ch: int = 64  # channels of the first layer; the bottleneck has 4 ch
    n_res: int = 4  # residual blocks in the encoder, and as many adaptive ones in the decoder
    n_dis: int = 6  # depth of the global discriminator; the local one has two layers less
    sn: bool = True  # spectral normalization in the discriminators
    smoothing: bool = True  # AdaLIN uses clip(rho - 0.1, 0, 1)
    decoder_norm: str = "adalin"  # one of DECODER_NORMS; the others repeat the paper's ablation
    generator_cam: bool = True  # attention and CAM loss of the generators
    discriminator_cam: bool = True  # attention and CAM logits of the discriminators

    epoch: int = 100  # the official meaning: an outer count ...
    iteration: int = 10_000  # ... times this many steps, whatever the number of images
    batch_size: int = 1  # on each device
    lr: float = 1e-4
    decay_flag: bool = True  # let the learning rate fall linearly to 0 ...
    decay_epoch: int = 50  # ... from this epoch on
    n_critic: int = 1  # discriminator updates for each generator update
    augment_flag: bool = True  # flip, enlarge, crop
    cache: str = "none"  # one of CACHES: where images are kept once they are decoded

    precision: str = "float32"  # one of PRECISIONS: the type of the networks' maps
    recompute: bool = False  # compute maps again for gradients rather than keep them in memory
    accumulate: int = 1  # batches whose gradients are averaged for one update
    xla: bool = False  # compile the networks with XLA
    strategy: str = "auto"  # one of STRATEGIES: which devices work together

    gan_type: str = "lsgan"  # one of GAN_TYPES
    ema: float = 0.0  # decay of the generators' moving average, e.g. 0.999; 0 keeps none
    GP_ld: float = 10.0  # gradient penalty, for wgan-gp, wgan-lp and dragan
    adv_weight: float = 1.0  # lambda_1 to lambda_4 of the paper, section 2.2
    cycle_weight: float = 10.0
    identity_weight: float = 10.0
    cam_weight: float = 1000.0

    print_freq: int = 1000  # steps between sample images
    save_freq: int = 1000  # steps between checkpoints
    summary_freq: int = 100  # steps between TensorBoard summaries
    eval_freq: int = 0  # steps between measurements of KID; 0 measures never
    inception: str = "keras"  # one of INCEPTIONS: the network for KID and FID
    inception_weights: str = ""  # a local file: .h5 for keras, .pb for graph
    inception_resize: str = "bilinear"  # one of RESIZES: how images become 299 x 299
    best_by: str = ""  # the tag whose smallest value decides which checkpoint is kept in best/

    dataset_dir: str = "dataset"
    checkpoint_dir: str = "checkpoint"
    result_dir: str = "results"
    log_dir: str = "logs"
    sample_dir: str = "samples"
    export_dir: str = "export"

    def __post_init__(self):
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, typed(field, getattr(self, field.name)))
        self._check_ranges()
        self._check_size()
        for name, value in (("dataset", self.dataset), ("run", self.run)):
            if os.path.basename(value) != value or value in (".", ".."):
                raise ConfigError(
                    f"--{name} is the name of a folder, not a path. Received: {value!r}. "
                    f"Use --dataset_dir or --checkpoint_dir to say where folders are."
                )
        if not self.dataset:
            raise ConfigError("--dataset must not be empty. Expected the name of a folder.")

    def _check_ranges(self):
        for name in RANGES:
            value = getattr(self, name)
            if broken_bound(name, value):
                raise ConfigError(
                    f"--{name} must be {broken_bound(name, value)}. Received: {reprlib.repr(value)}"
                )
        if not 0 < self.lr < math.inf:
            raise ConfigError(f"--lr must be above 0 and finite. Received: {self.lr}")
        if not 0 <= self.ema < 1:
            raise ConfigError(f"--ema must be at least 0 and below 1. Received: {self.ema}")
        if self.img_ch not in (1, 3):
            raise ConfigError(f"--img_ch must be 1 (grey) or 3 (RGB). Received: {self.img_ch}")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigError(
                    f"--{name} must be one of {', '.join(choices)}. "
                    f"Received: {getattr(self, name)!r}"
                )

    def _check_size(self):
        smallest = -(-smallest_image(self.n_dis) // 4) * 4  # the next multiple of 4
        if self.img_size < smallest:
            raise ConfigError(
                f"--img_size {self.img_size} is too small for --n_dis {self.n_dis}: the global "
                f"discriminator needs at least {smallest}. Use --img_size {smallest} or more, "
                f"or a smaller --n_dis."
            )
        if self.img_size % 4:
            near = max(smallest, round(self.img_size / 4) * 4)
            raise ConfigError(
                f"--img_size must be a multiple of 4. Received: {self.img_size}. "
                f"The nearest that works: {near}"
            )

    @property
    def total_steps(self) -> int:
        return self.epoch * self.iteration

    @property
    def samples_per_step(self) -> int:
        """Images of each domain that one step takes on each device."""
        return self.batch_size * self.accumulate

    @property
    def run_name(self) -> str:
        return self.run or self.dataset

    @property
    def run_folder(self) -> str:
        """Where the checkpoints and config.json of this run are."""
        return os.path.join(self.checkpoint_dir, self.run_name)

    @property
    def dataset_folder(self) -> str:
        return os.path.join(self.dataset_dir, self.dataset)

    @property
    def any_size(self) -> bool:
        """Whether the generators take any size: the full model's first dense layer knows its."""
        return self.light or self.decoder_norm not in ADAPTIVE_NORMS

    def architecture(self) -> dict:
        """The options that decide what a checkpoint holds and what the networks compute."""
        names = ["light", "ch", "img_ch", "n_res", "n_dis", "sn", "smoothing", *ABLATED]
        if not self.any_size:
            names.append("img_size")
        return {name: getattr(self, name) for name in names}

    def save(self, folder, about=None):
        """Writes config.json into `folder`, whole or not at all, without `OF_A_START` and `RUN`.

        Args:
            about: dict. What else is known of the run; see `training.history`.
        """
        options = {k: v for k, v in vars(self).items() if k not in (RUN, *OF_A_START)}
        if about:
            options[ABOUT] = about
        with atomic.replacing(os.path.join(folder, CONFIG_FILE)) as file:
            file.write((json.dumps(options, indent=2) + "\n").encode())


def options(path) -> dict:
    """Reads the options in a config.json, but for the name of its run, where there is one.

    Raises:
        ConfigError: not JSON, or an option that this version does not know.
    """
    found = _read(path)
    for name in (ABOUT, RUN):
        found.pop(name, None)
    known = {field.name for field in dataclasses.fields(Config)}
    unknown = sorted(set(found) - known)
    if unknown:
        raise ConfigError(f"{path} holds options that do not exist: {', '.join(unknown)}")
    return found


def template(path, named) -> dict:
    """The options in the file of --config: how a run trains, never which one it is, or where.

    Raises:
        ConfigError: as `options`, or a place is in the file and not in `named` options.
    """
    found = options(path)
    for name in ("dataset", *LOCATIONS):
        value = found.pop(name, None)
        if name not in named and value not in (None, getattr(Config, name)):
            raise ConfigError(
                f"{path} says --{name} {value}, which --config takes from no file: it belongs to "
                f"one run. Add --{name} {shlex.quote(str(value))}, or what is right for this run."
            )
    return found


def about(run_folder) -> tuple:
    """(options, what else is known) of the run in `run_folder`; both empty if there is none."""
    path = os.path.join(run_folder, CONFIG_FILE)
    if not os.path.exists(path):
        return {}, {}
    known = _read(path).get(ABOUT, {})
    if not isinstance(known, dict):
        raise ConfigError(f"{path}: {ABOUT!r} must be an object, {{...}}. Received: {known!r:.80}")
    return options(path), known


def _read(path):
    try:
        return read_json(path)
    except JSONFileError as error:
        raise ConfigError(str(error)) from None


def resolve(given) -> Config:
    """The configuration of a run: what was `given`, else what its folder says, else the default.

    Which run it is, `given` alone says: a folder that was copied or renamed is a run of its own.

    Args:
        given: dict of the options that the user named.

    Raises:
        ConfigError: an architecture option was named that differs from the run's own.
    """
    place = {name: given[name] for name in ("dataset", RUN, "checkpoint_dir") if name in given}
    named = Config(**place)
    path = os.path.join(named.run_folder, CONFIG_FILE)
    if not os.path.exists(path):
        return Config(**given)
    recorded = options(path)
    check_architecture(given, Config(**recorded).architecture(), named.run_folder)
    found = Config(**{**recorded, **given})
    if found.run_name != named.run_name:  # named as the default dataset, and of another
        found = dataclasses.replace(found, run=named.run_name)
    return found
