"""How the program was started and installed, for messages with a command that can be typed."""

import os
import shlex
import sys

SCRIPT, MODULE = "ugatit", "python -m ugatit_tf"  # of the installed package
FILE = "python main.py"  # of the repository
PACKAGE = os.path.dirname(os.path.abspath(__file__))


def program() -> str:
    """The words that start the program as it was started.

    In other programs, such as a notebook, these are the words that work: those of the repository
    if the package lies in it.
    """
    folder, name = os.path.split(sys.argv[0])
    if name == "__main__.py" and os.path.basename(folder) == os.path.basename(PACKAGE):
        return MODULE
    return FILE if name != SCRIPT and _is_in_repository() else SCRIPT


def command(phase: str, *words: str) -> str:
    """The command for a phase, with further words; quoted for a shell."""
    start = ["--phase", phase] if program() == FILE else [phase]
    return f"{program()} {shlex.join([*start, *words])}"


def is_command(line: str) -> bool:
    """Whether a line is such a command."""
    return line.lstrip().startswith(f"{program()} ")


def install(extra: str) -> str:
    """The command that installs what is in requirements-EXTRA.txt."""
    if _is_in_repository():
        return f"pip install -r requirements-{extra}.txt"
    return f"pip install 'ugatit-tf[{extra}]'"


def _is_in_repository():
    return os.path.isfile(os.path.join(os.path.dirname(PACKAGE), "main.py"))
