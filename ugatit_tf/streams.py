"""Standard output and error as they may be: closed, of a notebook, or a narrow terminal."""

import contextlib
import os
import shutil
import sys
import textwrap

NARROWEST = 20  # columns; a terminal that says less does not know its width
COLUMN, WIDE = 18, 60  # characters of a name; columns from which its meaning stands beside it
COMMAND = "python main.py"  # a line with a command stays one line, so that it can be copied


@contextlib.contextmanager
def usable():
    """Within it both can be written to, in any characters; on a terminal lines end between words.

    A closed descriptor is opened on nothing. Else the next file that the program opens would get
    its number, and what a library says would be written into that file.
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


def is_terminal(stream) -> bool:
    """Whether a stream, which may lack any method, is a terminal."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # ValueError: it is closed
        return False


def columns(stream):
    """The width of a terminal; None for any other stream."""
    if not is_terminal(stream):
        return None
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, ValueError):
        width = shutil.get_terminal_size().columns
    return width if width >= NARROWEST else 80


def wrapped(text, width) -> str:
    """`text` with its lines broken between words, and indented as they were.

    Words that are longer than a line, such as paths, stay whole.
    """
    return "\n".join(_wrapped_line(line, width) for line in text.split("\n"))


def definition(name, text, width) -> str:
    """A name and what it means, in two columns where there is room."""
    wide = width >= WIDE
    return textwrap.fill(
        f"{name:{COLUMN}} {text}" if wide else f"{name} {text}",
        width,
        subsequent_indent=" " * (COLUMN + 1) if wide else "    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def flush(stream):
    """Writes out what is buffered; where nobody reads it any more, it goes nowhere."""
    with contextlib.suppress(AttributeError, ValueError, OSError):
        try:
            stream.flush()
        except BrokenPipeError:  # Python would try again at its end, and complain
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


class Wrapped:
    """A stream whose long lines end between words, and which can be flushed."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, text):
        width = columns(self.stream)
        if width is None or "\r" in text:  # a progress line knows the width
            return self.stream.write(text)
        return self.stream.write(wrapped(text, width))

    def flush(self):
        flush(self.stream)

    def __getattr__(self, name):
        return getattr(self.stream, name)


def _wrapped_line(line, width):
    if len(line) <= width or line.lstrip().startswith(COMMAND):
        return line
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


def _usable(stream, stack):
    if stream is None:  # closed, or a Windows program without a console
        return stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
    with contextlib.suppress(AttributeError):  # of a notebook
        stream.reconfigure(errors="backslashreplace")  # names can hold what a terminal cannot
    return Wrapped(stream) if is_terminal(stream) or not hasattr(stream, "flush") else stream


def _open_closed():
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            if opened == number:
                os.set_inheritable(opened, True)
            else:
                os.dup2(opened, number)
                os.close(opened)
