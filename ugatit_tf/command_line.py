"""The command line: `--option value` words to a `Command`; the tables of all options.

The official program takes a value for booleans too (`--light True`); absl's own boolean flags
would read `--decay_flag False` as True and leave a stray word, so they are value flags here.
"""

import dataclasses
from typing import Optional, Union

from absl import flags

from ugatit_tf.config import Config
from ugatit_tf.config_file import read_recorded, read_template, resolve
from ugatit_tf.options import ConfigError, Options, described, option, rule_of, types_of
from ugatit_tf.phases import PHASES, init_from
from ugatit_tf.phases.phase import Phase
from ugatit_tf.training.start import Start

PRESETS = {  # loss weights for a kind of task; docs/training.md has the reasons
    "portrait": {"cycle_weight": 10.0, "identity_weight": 10.0, "cam_weight": 1000.0},
    "texture": {"cycle_weight": 20.0, "identity_weight": 10.0, "cam_weight": 100.0},
}
HEADINGS = {
    "location": "dataset and folders",
    "architecture": "networks (a run keeps these)",
    "training": "training",
    "execution": "how it is computed",
    "logging": "what is written while training",
    "evaluation": "KID and FID",
}
HELP = ("-h", "-help", "--help")
SHELLS = ("bash", "zsh", "fish")


@dataclasses.dataclass(frozen=True)
class ProgramOptions(Options):
    """The options of the command line itself."""

    phase: str = option("train", "what to do", choices=tuple(PHASES))
    config: str = option(
        "",
        "a JSON file of options, e.g. another run's config.json, without names and folders; the "
        "command line wins",
    )
    preset: str = option("", "loss weights for a kind of task", choices=("", *PRESETS))
    dry_run: bool = option(False, "print the options that would be used, and stop")
    completion: str = option(
        "",
        "print a script that completes words with the Tab key, and stop; for bash: "
        'eval "$(ugatit --completion bash)"',
        choices=("", *SHELLS),
    )


@dataclasses.dataclass(frozen=True)
class Command:
    """What the command line says.

    Attributes:
        config: the `Config` of the run; for a phase without a run a dict of the named options.
        options: of the phase.
        named: the options of `Config` that were named, here, in --config or by --preset.
    """

    phase: Phase
    config: Union[Config, dict]
    options: Options
    named: dict
    dry_run: bool

    def shown(self) -> dict:
        """name -> value of all options that would be used."""
        config = self.config if isinstance(self.config, dict) else dataclasses.asdict(self.config)
        return {**config, **dataclasses.asdict(self.options)}

    def start(self) -> Optional[Start]:
        """The trained weights from which the run starts, if it does."""
        return init_from.of_new_run(self.config) if isinstance(self.config, Config) else None

    def refuse_unused(self) -> None:
        """Refuses options that have no effect, unless they repeat what the run was trained with.

        Raises:
            ConfigError: names one of them.
        """
        uses = self.phase.uses(self.options)
        recorded = {}
        if isinstance(self.config, Config):
            recorded = read_recorded(self.config.run_folder)
        for name, value in self.named.items():
            if name not in uses and recorded.get(name) != value:
                raise ConfigError(
                    f"--{name} has no effect in this use of --phase {self.phase.name}. "
                    f"Leave it out."
                )


def parse(argv: list) -> Command:
    """Reads `argv`, the words after the program's name.

    The first word may be the name of a phase: `train` is `--phase train`. A phase may take a bare
    word as the dataset: `fetch horse2zebra` is `--phase fetch --dataset horse2zebra`.

    Raises:
        ConfigError: an option is unknown, has a value that cannot work, or belongs to another
            phase; a word is no option; the file of --config holds something else.
        OSError: a file of options cannot be read.
    """
    values = _values(argv)
    program = ProgramOptions(**_named(values, ProgramOptions))
    phase = PHASES[program.phase]
    options = _phase_options(values, phase)
    named = _run_options(values, program)
    config = resolve(named, _taken_from_weights) if phase.has_run(options) else named
    return Command(phase, config, options, named, program.dry_run)


def wanted_completion(argv: list) -> str:
    """The shell that --completion names; "" without it. Raises ConfigError as `parse`."""
    return ProgramOptions(**_named(_values(argv), ProgramOptions)).completion


def wants_help(argv: list) -> bool:
    return any(word in HELP for word in argv)


def phase_in(argv: list) -> str:
    """The phase that `argv` names, even if it cannot be understood otherwise; "" if none."""
    words = [word for word in argv if word not in HELP]
    found = words[:1]
    for word, following in zip(words, [*words[1:], ""]):
        name, equals, value = word.partition("=")
        if name in ("--phase", "-phase"):
            found = [value if equals else following]
    return found[0] if found and found[0] in PHASES else ""


def _values(argv):
    """The flags with the values that `argv` gives them."""
    phase = argv[0] if argv and argv[0] in PHASES else ""
    values = _flags()
    try:
        words = values(["ugatit", *([f"--phase={phase}", *argv[1:]] if phase else argv)])[1:]
        if len(words) == 1 and _takes_name(values):
            values["dataset"].parse(words.pop())
    except flags.Error as error:
        raise ConfigError(" ".join(str(error).split())) from None
    if words:
        raise ConfigError(
            f"Unexpected: {' '.join(words)}. Every option has the form --name value; before them "
            f"there may be the name of a phase: {', '.join(PHASES)}."
        )
    if phase and values["phase"].value != phase:
        raise ConfigError(
            f"The first word says {phase}, and --phase says {values['phase'].value}. Use one of "
            f"them."
        )
    return values


def _takes_name(values):
    """Whether a bare word names the dataset, which no option has named."""
    phase = PHASES.get(values["phase"].value)
    return phase is not None and phase.names is not None and not values["dataset"].present


def _named(values, options) -> dict:
    """name -> value of the `options` on the command line."""
    names = (field.name for field in dataclasses.fields(options))
    return {name: values[name].value for name in names if values[name].present}


def _phase_options(values, phase):
    owners = {}
    for one in PHASES.values():
        for field in dataclasses.fields(one.options):
            owners.setdefault(field.name, []).append(one.name)
    named = _named(values, phase.options)
    for name, phases in owners.items():
        if values[name].present and phase.name not in phases:
            raise ConfigError(f"--{name} belongs to --phase {', '.join(phases)}.")
    for field in dataclasses.fields(phase.options):
        if rule_of(field).needed and not named.get(field.name):
            raise ConfigError(f"--phase {phase.name} needs --{field.name}.")
    return phase.options(**named)


def _run_options(values, program):
    named = _named(values, Config)
    preset = PRESETS[program.preset] if program.preset else {}
    template = read_template(program.config, named) if program.config else {}
    return {**preset, **template, **named}  # the command line wins


def _taken_from_weights(name, named):
    """The options of the weights that --init_from names, which `named` must not contradict."""
    start = init_from.find(name)
    init_from.refuse_differing(start, named)
    return start.options


def options_page() -> str:
    """docs/options.md, which `python -m ugatit_tf.command_line > docs/options.md` renews."""
    lines = ["# All options", "", "Made from their declarations, as `--help` is."]
    for heading, rows in sections():
        lines += ["", f"## {heading[0].upper()}{heading[1:]}", "", "| option | meaning |"]
        lines += ["|---|---|", *(f"| `--{row.name}` | {row.text} |" for row in rows)]
    return "\n".join(lines) + "\n"


def sections() -> list:
    """(heading, its `options.Row`s) of all options."""
    return [
        ("the program", described(ProgramOptions)),
        *with_headings(described(Config)),
        *(
            (f"options of --phase {phase.name}", described(phase.options))
            for phase in PHASES.values()
            if dataclasses.fields(phase.options)
        ),
    ]


def with_headings(rows: list) -> list:
    """(heading, its `options.Row`s) of `rows` of `Config`."""
    return [(text, [r for r in rows if r.rule.kind == kind]) for kind, text in HEADINGS.items()]


def rows_of(phase: Phase) -> tuple:
    """Lists of the `options.Row`s that have an effect on a phase: its own, the run's, the rest."""
    options = phase.options()
    unused = {"phase"} if phase.makes_run(options) else {"phase", "preset"}
    return (
        described(phase.options),
        [row for row in described(Config) if row.name in phase.uses(options)],
        [row for row in described(ProgramOptions) if row.name not in unused],
    )


class _Boolean(flags.BooleanParser):
    """absl's own, with a message for people."""

    def parse(self, argument):
        try:
            return super().parse(argument)
        except ValueError:
            raise ValueError("expected True or False") from None


class _NumberOrWord(flags.ArgumentParser):
    """A whole number, or one of a few words."""

    def __init__(self, words):
        self.words = words

    def parse(self, argument):
        try:
            return argument if argument in self.words else int(argument)
        except ValueError:
            raise ValueError(f"expected a whole number or {' or '.join(self.words)}") from None


PARSERS = {
    bool: _Boolean,
    int: flags.IntegerParser,
    float: flags.FloatParser,
    str: flags.ArgumentParser,
}


def _flags():
    values = flags.FlagValues()
    values.set_gnu_getopt(True)  # options may follow a stray word, which is then named
    serializer = flags.ArgumentSerializer()
    for options in (ProgramOptions, Config, *(phase.options for phase in PHASES.values())):
        for field in dataclasses.fields(options):
            if field.name in values:
                continue  # an option of several phases
            words = rule_of(field).words
            parser = _NumberOrWord(words) if words else PARSERS[types_of(field)[0]]()
            flags.DEFINE(parser, field.name, field.default, "", values, serializer=serializer)
    return values


if __name__ == "__main__":
    print(options_page(), end="")
