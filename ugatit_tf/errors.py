"""Errors that the user can solve, and the words of messages. Works without TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ugatit_tf import invocation


class OptionNames(Exception):  # noqa: N818
    """Base of errors whose messages name options, as whoever reads them knows these.

    Messages are written for the command line: `--lr`. Elsewhere, as in a notebook, that reads
    `lr`, but for whole commands.
    """

    on_command_line = False  # set by `main`

    def __str__(self) -> str:
        text = super().__str__()
        if OptionNames.on_command_line:
            return text
        commands = rf"((?:{re.escape(invocation.program())}|pip install) [^,;]*)"
        return "".join(
            piece if number % 2 else re.sub(r"--(?=[a-zA-Z])(\w+)", r"`\1`", piece)
            for number, piece in enumerate(re.split(commands, text))
        )


class Failure(OptionNames, RuntimeError):  # noqa: N818
    """An error that the user can solve. The message says what happened and what to do."""


def reason(error: BaseException) -> str:
    """The message of an error in one line, without names of graph nodes and of error classes."""
    text = getattr(error, "message", None) or str(error)
    frames = " ", "\t", "Graph execution error", "Detected at node", "Stack trace", "[["
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(frames)]
    line = (lines or [type(error).__name__])[0]
    line = re.sub(r"\[\[\{\{.*?\}\}\]\]|\{\{.*?\}\}|\[Op:\w+\]", "", line)
    return re.sub(r"^(UnreadableImage|Failure|\w*Error): ", "", line.strip())


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 image, 60 images."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first few names, and how many more there are.

    >>> listed(["a", "b", "c"], most=2)
    'a, b, and 1 more'
    """
    rest = len(names) - most
    return ", ".join(names[:most]) + (f", and {rest} more" if rest > 0 else "")
