"""The error that a person can set right. No TensorFlow, so that it can come in a second."""

import re


class Failure(RuntimeError):  # noqa: N818
    """Something that a person can set right. The message says what happened and what to do."""


def reason(error) -> str:
    """What an error says, in one line, without the names of graph nodes and of our own errors."""
    text = getattr(error, "message", None) or str(error)
    frames = " ", "\t", "Graph execution error", "Detected at node", "Stack trace", "[["
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(frames)]
    line = (lines or [type(error).__name__])[0]
    line = re.sub(r"\[\[\{\{.*?\}\}\]\]|\{\{.*?\}\}|\[Op:\w+\]", "", line)
    return re.sub(r"^(UnreadableImage|Failure|\w*Error): ", "", line.strip())


def counted(number, noun) -> str:
    """A number with its noun: 1 image, 60 images."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names, most=5) -> str:
    """The first few of many names.

    >>> listed(["a", "b", "c"], most=2)
    'a, b, and 1 more'
    """
    rest = len(names) - most
    return ", ".join(names[:most]) + (f", and {rest} more" if rest > 0 else "")
