"""The pages of `--help`: of the program on one screen, and of a phase with its options."""

from ugatit_tf import command_line, invocation, streams
from ugatit_tf.options import described
from ugatit_tf.phases import PHASES
from ugatit_tf.phases.phase import Phase

ABOUT = "Translates images of one kind into another; learns it from images without pairs."
FORM = "PHASE [--option value ...]; PHASE --help shows them"
DATA = "dataset/NAME holds trainA, trainB, testA and testB; fetch or prepare makes one."


def page(argv: list, width: int) -> str:
    """The page that `argv` asks for, in lines of `width` columns."""
    name = command_line.phase_in(argv)
    return of_phase(PHASES[name], width) if name else of_program(width)


def of_program(width: int) -> str:
    """What a new user needs; it fits a terminal of 80 x 24."""
    rows = [(phase.name, phase.help) for phase in PHASES.values()]
    return "\n".join(
        [
            streams.wrapped(ABOUT, width),
            "",
            invocation.command("train", "--dataset", "NAME", "--light", "True"),
            invocation.command("test", "--dataset", "NAME"),
            invocation.command(
                "translate", "--dataset", "NAME", "--input", "me.jpg", "--output", "new.png"
            ),
            "",
            streams.wrapped(DATA, width),
            "",
            streams.wrapped(f"usage: {invocation.program()} {FORM}", width),
            *(streams.definition(f"  {name}", text, width) for name, text in rows),
        ]
    )


def of_phase(phase: Phase, width: int) -> str:
    """What a phase does, and each option that has an effect on it, with its default."""
    needed = "".join(f"--{row.name} ... " for row in described(phase.options) if row.rule.needed)
    name = "" if phase.names is None else "NAME "
    command = f"{invocation.command(phase.name)} {name}{needed}[--option value ...]"
    lines = [streams.wrapped(f"usage: {command}", width), "", streams.wrapped(phase.help, width)]
    for heading, rows in sections(phase):
        lines += ["", f"{heading}:"] if rows else []
        lines += [streams.definition(f"--{row.name}", row.text, width) for row in rows]
    return "\n".join(lines)


def sections(phase: Phase) -> list:
    """(heading, its `options.Row`s) of a phase, the options that most people use first."""
    own, used, program = command_line.rows_of(phase)
    first = [row for row in own if row.rule.needed or row.rule.common]
    # A run that is there keeps its networks: nobody has to name them again.
    later = () if phase.makes_run(phase.options()) else ("architecture",)
    first += [row for row in used if row.rule.common and row.rule.kind not in later]
    return [
        ("most used", first),
        (f"options of {phase.name}", [row for row in own if row not in first]),
        *command_line.with_headings([row for row in used if row not in first]),
        ("the program", program),
    ]
