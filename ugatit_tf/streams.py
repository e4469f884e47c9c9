"""Standard output and error, which may be closed, a notebook's, or a narrow terminal."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from ugatit_tf import invocation

NARROWEST = 20  # columns; a terminal that reports less does not know its width
COLUMN, WIDE = 18, 60  # width of the names; width from which `definition` has two columns


@contextlib.contextmanager
def usable() -> Iterator[None]:
    """Within it both streams accept any text; on a terminal, lines break between words.

    A closed descriptor is opened on the null device. Otherwise the next file that the program
    opens would get its number, and messages of libraries would be written into that file.
    """
    _open_closed()
    before = sys.stdout, sys.stderr
    with contextlib.ExitStack() as stack:
        sys.stdout, sys.stderr = (_usable(stream, stack) for stream in before)
        try:
            yield
        finally:
            flush(sys.stdout)
            sys.stdout, sys.stderr = before


def is_terminal(stream: Any) -> bool:
    """Whether a stream, which may lack any method, is a terminal."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # ValueError: it is closed
        return False


def columns(stream: Any) -> int | None:
    """The width of a terminal; None for any other stream."""
    if not is_terminal(stream):
        return None
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, ValueError):
        width = shutil.get_terminal_size().columns
    return width if width >= NARROWEST else 80


def wrapped(text: str, width: int) -> str:
    """`text` with its lines broken between words; the indentation stays.

    Words that are longer than a line, such as paths, stay whole.
    """
    return "\n".join(_wrapped_line(line, width) for line in text.split("\n"))


def definition(name: str, text: str, width: int) -> str:
    """A name and its meaning, in two columns if the width allows it."""
    is_wide = width >= WIDE
    return textwrap.fill(
        f"{name:{COLUMN}} {text}" if is_wide else f"{name} {text}",
        width,
        subsequent_indent=" " * (COLUMN + 1) if is_wide else "    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def flush(stream: Any) -> None:
    """Writes out the buffer; if nobody reads the stream any more, the text is discarded."""
    with contextlib.suppress(AttributeError, ValueError, OSError):
        try:
            stream.flush()
        except BrokenPipeError:  # Python would try again at its end, and complain
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


class Wrapped:
    """A stream that breaks long lines between words, and that can be flushed.

    A terminal may be closed while the program finishes its work. What is written to it then goes
    nowhere: the work must not fail because of it.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Writes `text`, with its lines broken if the stream is a terminal."""
        width = columns(self.stream)
        if width is not None and "\r" not in text:  # a progress line knows the width
            text = wrapped(text, width)
        try:
            return self.stream.write(text)
        except OSError as error:
            if error.errno != errno.EIO:  # that is a terminal that was closed
                raise
            return len(text)

    def flush(self) -> None:
        """As the function `flush`."""
        flush(self.stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _wrapped_line(line: str, width: int) -> str:
    if len(line) <= width or invocation.is_command(line):
        return line  # so that a command can be copied
    indent = line[: len(line) - len(line.lstrip())]
    return "\n".join(
        textwrap.wrap(
            line,
            width,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _usable(stream: Any, stack: contextlib.ExitStack) -> Any:
    if stream is None:  # closed, or a Windows program without a console
        return stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
    with contextlib.suppress(AttributeError):  # a notebook's stream
        stream.reconfigure(errors="backslashreplace")  # names can hold what a terminal cannot
    return Wrapped(stream) if is_terminal(stream) or not hasattr(stream, "flush") else stream


def _open_closed() -> None:
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            descriptor = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            if descriptor == number:
                os.set_inheritable(descriptor, True)
            else:
                os.dup2(descriptor, number)
                os.close(descriptor)
