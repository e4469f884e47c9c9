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
    return re.sub(r"^(UnreadablePicture|Failure|\w*Error): ", "", line.strip())


def counted(number, noun) -> str:
    """A number with its noun: 1 picture, 60 pictures."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
