"""The command line: every official option under its name, and ours. Flags to Config.

The official program takes a value for booleans too (`--light True`); absl's own boolean flags
would read `--decay_flag False` as True and leave a stray word, so they are value flags here.
"""

import dataclasses
from typing import Union

from absl import flags

from ugatit_tf.config import (
    ABLATED,
    DECODER_NORMS,
    GAN_TYPES,
    INCEPTIONS,
    PRESETS,
    RESIZES,
    STRATEGIES,
    Config,
    template,
)
from ugatit_tf.request import (
    DIRECTIONS,
    FITS,
    FORMATS,
    HEATMAPS,
    Evaluation,
    Packing,
    Request,
    Study,
)

PHASES = (
    "train", "test", "translate", "evaluate", "ablate", "study", "export", "import", "doctor",
    "pack",
)  # fmt: skip
WHICH = ("latest", "best")
HELP = {
    "dataset": "name of the folder below --dataset_dir with trainA, trainB, testA and testB; "
    "'demo' is drawn by the program",
    "run": "name of the run's folders, if not that of the dataset",
    "seed": "of everything random",
    "light": "the light model: any image size, a fifth of the weights",
    "img_size": "side of the training image in pixels, a multiple of 4",
    "img_ch": "1 for grey, 3 for RGB",
    "ch": "channels of the first layer",
    "n_res": "residual blocks",
    "n_dis": "depth of the global discriminator",
    "sn": "spectral normalization",
    "smoothing": "AdaLIN never is instance normalization alone",
    "decoder_norm": "normalization in the decoder, one of "
    + ", ".join(DECODER_NORMS)
    + "; all but "
    "but adalin repeat the paper's ablation",
    "generator_cam": "attention and CAM loss of the generators",
    "discriminator_cam": "attention and CAM loss of the discriminators",
    "epoch": "epochs; each is --iteration steps",
    "iteration": "steps of one epoch",
    "batch_size": "images of each domain in one step, on each device",
    "lr": "learning rate",
    "decay_flag": "let the learning rate fall to 0 from --decay_epoch on",
    "decay_epoch": "the epoch from which the learning rate falls",
    "n_critic": "discriminator updates for each generator update",
    "augment_flag": "flip, enlarge, crop",
    "cache": "where pictures are kept once they are decoded: none, memory or disk",
    "precision": "type of the networks' maps: float32, bfloat16 or float16; weights, statistics, "
    "losses and the optimizer stay float32",
    "recompute": "compute maps again for gradients: less memory, more time",
    "accumulate": "batches whose gradients are averaged for one update",
    "strategy": "devices that work together: one of "
    + ", ".join(STRATEGIES)
    + "; auto is all GPUs "
    "of this machine, or the machines of TF_CONFIG where it is set",
    "xla": "compile the networks with XLA",
    "ema": "decay of a moving average of the generators, e.g. 0.999, which all but training use",
    "gan_type": "one of " + ", ".join(GAN_TYPES),
    "GP_ld": "weight of the gradient penalty (wgan-gp, wgan-lp, dragan)",
    "adv_weight": "weight of the adversarial loss",
    "cycle_weight": "weight of the cycle loss",
    "identity_weight": "weight of the identity loss",
    "cam_weight": "weight of the class activation loss",
    "print_freq": "steps between sample pictures",
    "save_freq": "steps between checkpoints",
    "summary_freq": "steps between TensorBoard summaries",
    "eval_freq": "steps between measurements of KID on test pictures; 0 measures never",
    "inception": "the network for KID and FID: one of " + ", ".join(INCEPTIONS) + "; graph is the "
    "papers' of 2015, random rehearses without weights",
    "inception_weights": "its weights in a local file: .h5 for keras, .pb for graph",
    "inception_resize": "one of " + ", ".join(RESIZES) + "; bilinear is TensorFlow 1's",
    "best_by": "keep in best/ the checkpoint where this number of history.jsonl is smallest, "
    "e.g. a2b/cycle; with --eval_freq it is eval/kid where not given",
    "dataset_dir": "folder of the datasets",
    "checkpoint_dir": "folder of the runs with their checkpoints",
    "result_dir": "folder of the test results",
    "log_dir": "folder of the TensorBoard logs",
    "sample_dir": "folder of the sample pictures",
    "export_dir": "folder of the exported models",
}


TRANSLATE_HELP = {  # the options of --phase translate
    "input": "a picture, a folder, a pattern in quotes (e.g. 'in/*.jpg'), or a film",
    "output": "a folder or, for one picture or film, a file; its suffix says the format",
    "model": "an exported folder or a generator file, instead of the run of --dataset or --run",
    "direction": "one of " + ", ".join(DIRECTIONS) + "; without it a2b, or the model's only one",
    "recursive": "the folders in the input folder too",
    "overwrite": "replace results that exist",
    "resume_output": "leave results that exist, and make those that are missing",
    "shard": "I/N, e.g. 2/4: translate only each N-th picture, from the I-th on; N machines, each "
    "with its own I, share a folder",
    "fit": "one of " + ", ".join(FITS) + "; keep: the picture's own shape (light models); "
    "stretch: the official square; crop: the square in the middle; pad: a square with reflected "
    "borders; auto: keep if the model can, else stretch",
    "size": "side in pixels that the networks work with; 0: the training size, or with keep the "
    "picture's own (else its shorter side)",
    "max_side": "with keep: a longer side is scaled down to this for the networks; 0: never",
    "restore_size": "give results the size of their source",
    "tile_pixels": "with keep: pictures with more pixels are translated in overlapping tiles",
    "max_pixels": "pictures with more pixels are refused before they are decoded",
    "face": "find the face, translate it as a selfie, put it back (requirements-face.txt)",
    "format": "of the results: one of " + ", ".join(FORMATS),
    "quality": "of JPEG and WebP, 1 to 100",
    "heatmap": "where the networks looked: one of " + ", ".join(HEATMAPS) + "; overlay: beside the "
    "result as NAME_attention.png; side: input, result and attention in one picture; raw: 16-bit "
    "PNG; npy: NumPy",
    "report": "write report.html and contact_sheet.png into the output folder",
    "smooth": "of a film: part of the last picture in the next, against flicker, e.g. 0.3",
}
EVALUATE_HELP = {  # the options of --phase evaluate
    "fake_dir": "folder with a2b and b2a, or one of them, of translated test pictures, from any "
    "program; without it the run translates",
    "votes": "answers of a study, a file or a pattern in quotes: says what people preferred, and "
    "needs no run",
}
STUDY_HELP = {  # the options of --phase study
    "sources": "folder of the pictures that were translated",
    "methods": "NAME=FOLDER,NAME=FOLDER: the results of each method, under the sources' names",
    "page": "the page that is written",
    "question": "what people are asked",
}
PACK_HELP = {  # the options of --phase pack
    "pack_to": "name of the packed dataset below --dataset_dir; without it NAME_packed",
    "shards": "TFRecord files of each part; 0: as many as --shard_mb needs",
    "shard_mb": "megabytes of each, about",
}
OF_PHASE = {
    "translate": (Request, TRANSLATE_HELP),
    "evaluate": (Evaluation, EVALUATE_HELP),
    "study": (Study, STUDY_HELP),
    "pack": (Packing, PACK_HELP),
}
NEEDED = {"translate": ("input", "output"), "study": ("sources", "methods")}
WITH_CHECKPOINT = ("test", "translate", "evaluate", "export")
MORE = {  # not options of a run
    "--official_checkpoint": "for --phase import: the official checkpoint folder, or the PREFIX of "
    "one checkpoint in it",
    "--config": "a JSON file of options, e.g. another run's config.json, without names and "
    "folders; the command line wins",
    "--preset": "loss weights for a kind of task: " + " or ".join(PRESETS),
    "--which": "for " + ", ".join(WITH_CHECKPOINT) + ": the latest checkpoint (default), or the "
    "best (see --best_by)",
    "--dry_run": "True prints the options that a run would have, and stops",
}


class UsageError(ValueError):
    """The command line cannot be understood. The message is one line."""


@dataclasses.dataclass(frozen=True)
class Command:
    """What the command line says."""

    phase: str
    given: dict  # the options of Config that were named, here, in --config or by --preset
    official_checkpoint: str
    which: str  # checkpoint: "latest" or "best"
    dry_run: bool
    request: Union[Request, Evaluation, Study, Packing, None] = None  # of the phases that have one


def parse(argv) -> Command:
    """Reads `argv`, the words after the program's name.

    Raises:
        UsageError: an unknown option, a value that does not fit, or a word without an option.
        ConfigError: the file of --config does not hold options.
        OSError: it cannot be read.
    """
    values = _defined()
    try:
        rest = values(["main.py", *argv])
    except flags.Error as error:
        raise UsageError(" ".join(str(error).split())) from None
    if rest[1:]:
        words = " ".join(rest[1:])
        raise UsageError(f"Unexpected: {words}. Every option has the form --name value.")
    if values.phase == "import" and not values.official_checkpoint:
        raise UsageError("--phase import needs --official_checkpoint PATH.")
    if values.phase == "import" and values.dry_run:
        raise UsageError("--dry_run has nothing to show for --phase import.")
    if values.phase != "import" and values.official_checkpoint:
        raise UsageError("--official_checkpoint belongs to --phase import.")
    if values["which"].present and values.phase not in WITH_CHECKPOINT:
        raise UsageError(f"--which belongs to --phase {', '.join(WITH_CHECKPOINT)}.")
    request = _request(values)
    named = {name: values[name].value for name in HELP if values[name].present}
    fixed = [name for name in ABLATED if name in named]
    if values.phase == "ablate" and fixed:
        raise UsageError(f"--phase ablate sets --{fixed[0]} itself: each of its rows has its own.")
    preset = PRESETS[values.preset] if values.preset else {}
    in_file = template(values.config, named) if values.config else {}
    given = {**preset, **in_file, **named}  # the command line wins
    official = values.official_checkpoint or ""
    return Command(values.phase, given, official, values.which, values.dry_run, request)


def _request(values):
    """What --phase translate or evaluate is asked for; None for another phase."""
    found = None
    for phase, (kind, texts) in OF_PHASE.items():
        asked = {name: values[name].value for name in texts if values[name].present}
        if phase == values.phase:
            for name in NEEDED.get(phase, ()):
                if not asked.get(name):
                    raise UsageError(f"--phase {phase} needs --{name}.")
            found = kind(**asked)
            if asked.get("model") and any(values[name].present for name in HELP):
                raise UsageError("--model has its own options: leave out those of a run.")
        elif asked:
            raise UsageError(f"--{min(asked)} belongs to --phase {phase}.")
    return found


def usage() -> str:
    """The help page: every option with its default."""
    lines = [f"--phase {{{','.join(PHASES)}}}  (default train)"]
    lines += _explained(Config, HELP)
    lines += [f"{name:18} {text}" for name, text in MORE.items()]
    for phase, (kind, texts) in OF_PHASE.items():
        lines += ["", f"options of --phase {phase}:", *_explained(kind, texts)]
    return "usage: python main.py --dataset NAME [--option value ...]\n\n" + "\n".join(lines)


def _explained(options, texts):
    for field in dataclasses.fields(options):
        default = f" (default {field.default})" if field.default != "" else ""
        yield f"--{field.name:16} {texts[field.name]}{default}"


def wants_help(argv) -> bool:
    return any(word in ("-h", "-help", "--help") for word in argv)


class _Boolean(flags.BooleanParser):
    """absl's own, with a message for people."""

    def parse(self, argument):
        try:
            return super().parse(argument)
        except ValueError:
            raise ValueError("expected True or False") from None


def _defined():
    values = flags.FlagValues()
    values.set_gnu_getopt(True)  # options may follow a stray word, which is then named
    flags.DEFINE_enum("phase", "train", PHASES, "what to do", flag_values=values)
    flags.DEFINE_string("official_checkpoint", None, "prefix to import", flag_values=values)
    flags.DEFINE_string("config", None, "JSON file of options", flag_values=values)
    flags.DEFINE_enum("which", "latest", WHICH, "which checkpoint", flag_values=values)
    flags.DEFINE_enum("preset", None, list(PRESETS), "loss weights", flag_values=values)
    serializer = flags.ArgumentSerializer()
    flags.DEFINE(_Boolean(), "dry_run", False, "only print", values, serializer=serializer)
    kinds = (Config, *(kind for kind, _ in OF_PHASE.values()))
    for field in (field for kind in kinds for field in dataclasses.fields(kind)):
        parser = {
            bool: _Boolean,
            int: flags.IntegerParser,
            float: flags.FloatParser,
            str: flags.ArgumentParser,
        }[type(field.default)]()
        flags.DEFINE(parser, field.name, field.default, field.name, values, serializer=serializer)
    return values
