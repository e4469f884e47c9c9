"""The command line: every official option under its name, and ours. Flags to Config.

The official program takes a value for booleans too (`--light True`); absl's own boolean flags
would read `--decay_flag False` as True and leave a stray word, so they are value flags here.
"""

import dataclasses
from typing import Union

from absl import flags

from ugatit_tf import streams
from ugatit_tf.config import ABLATED, PRESETS, Config, template
from ugatit_tf.help import (
    EVALUATE_HELP,
    HELP,
    MORE,
    PACK_HELP,
    STUDY_HELP,
    TRANSLATE_HELP,
    WITH_CHECKPOINT,
)
from ugatit_tf.request import NATIVE, Evaluation, Packing, Request, Study

PHASES = (
    "train", "test", "translate", "evaluate", "ablate", "study", "export", "import", "doctor",
    "pack",
)  # fmt: skip
WHICH = ("latest", "best")
OF_PHASE = {
    "translate": (Request, TRANSLATE_HELP),
    "evaluate": (Evaluation, EVALUATE_HELP),
    "study": (Study, STUDY_HELP),
    "pack": (Packing, PACK_HELP),
}
NEEDED = {"translate": ("input", "output"), "study": ("sources", "methods")}


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


def usage(width=100) -> str:
    """The help page: every option with its default, in lines of `width` columns."""
    rows = [("--phase", f"one of {', '.join(PHASES)} (default train)")]
    rows += [*_explained(Config, HELP), *MORE.items()]
    lines = [
        streams.wrapped("usage: python main.py --dataset NAME [--option value ...]", width),
        "",
    ]
    lines += [streams.definition(*row, width) for row in rows]
    for phase, (kind, texts) in OF_PHASE.items():
        lines += ["", f"options of --phase {phase}:"]
        lines += [streams.definition(*row, width) for row in _explained(kind, texts)]
    return "\n".join(lines)


def _explained(options, texts):
    for field in dataclasses.fields(options):
        default = f" (default {field.default})" if field.default != "" else ""
        yield f"--{field.name}", f"{texts[field.name]}{default}"


def wants_help(argv) -> bool:
    return any(word in ("-h", "-help", "--help") for word in argv)


class _Boolean(flags.BooleanParser):
    """absl's own, with a message for people."""

    def parse(self, argument):
        try:
            return super().parse(argument)
        except ValueError:
            raise ValueError("expected True or False") from None


class _Size(flags.ArgumentParser):
    """A number of pixels, or NATIVE."""

    def parse(self, argument):
        try:
            return argument if argument == NATIVE else int(argument)
        except ValueError:
            raise ValueError(f"expected a number of pixels or {NATIVE}") from None


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
        parser = _Size() if field.name == "size" else parser
        flags.DEFINE(parser, field.name, field.default, field.name, values, serializer=serializer)
    return values
