"""Output streams as they may be: closed, of a notebook, no text, a narrow terminal."""

import errno
import io
import os
import subprocess
import sys

import pytest

import main
from ugatit_tf import streams

LONG = "error: There is no folder dataset/none/trainA. Training needs JPEG, PNG or WebP files."


class Notebook(io.TextIOBase):
    """As Jupyter's: it can be written to, and has neither a descriptor nor `reconfigure`."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text
        return len(text)


class Terminal(Notebook):
    def __init__(self, columns):
        super().__init__()
        self.columns = columns

    def isatty(self):
        return True


class OnlyWrite:
    """Less than a stream: what some programs replace one with."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


@pytest.fixture
def terminal(monkeypatch):
    """Function of a width to a stream that is a terminal of this width."""

    def made(columns):
        monkeypatch.setenv("COLUMNS", str(columns))  # used where there is no descriptor
        return Terminal(columns)

    return made


@pytest.mark.parametrize("stream", [None, Notebook(), OnlyWrite()], ids=["none", "text", "write"])
def test_the_program_answers_on_any_stream(stream, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    assert main.main(["--help"]) == 0
    assert main.main(["--nothing"]) == 2
    if stream is not None:
        assert "usage: " in stream.text and "error: " in stream.text
    assert sys.stdout is stream and sys.stderr is stream


def test_what_can_only_be_written_to_can_be_flushed(monkeypatch):
    stream = OnlyWrite()
    monkeypatch.setattr(sys, "stdout", stream)
    with streams.usable():
        print(LONG, flush=True)
    assert stream.text == f"{LONG}\n"


CLOSED = """
import os, sys
for number in (1, 2):
    os.close(number)
sys.stdout = sys.stderr = None  # as Python starts with them closed
import main
code = main.main(["--nothing"])
opened = os.open("of_the_program", os.O_WRONLY | os.O_CREAT)
os.write(1, b"of a library")  # must not get into the file
os.write(2, b"of a library")
sys.exit(10 * code + (opened > 2))
"""


def test_no_file_gets_the_number_of_a_closed_stream(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.abspath(main.__file__))}
    command = [sys.executable, "-c", CLOSED]
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 21
    assert (tmp_path / "of_the_program").read_bytes() == b""


def test_a_reader_that_stops_reading_gets_no_complaint():
    done = subprocess.run(
        f'"{sys.executable}" "{main.__file__}" --help | true',
        shell=True, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == ""


@pytest.mark.parametrize("columns", [40, 80])
def test_lines_on_a_terminal_break_between_words(columns, terminal, monkeypatch):
    stream = terminal(columns)
    monkeypatch.setattr(sys, "stderr", stream)
    with streams.usable():
        print(LONG, file=sys.stderr)
        print("  indented " + LONG, file=sys.stderr)
    lines = stream.text.splitlines()
    assert len(lines) > 2 and max(map(len, lines)) <= columns
    assert stream.text.split() == f"{LONG} indented {LONG}".split()
    assert lines[-1].startswith("  ")


def test_words_longer_than_a_line_and_commands_stay_whole(terminal, monkeypatch):
    stream = terminal(40)
    monkeypatch.setattr(sys, "stdout", stream)
    path, command = "a/" * 40, "python main.py " + "--option value " * 5
    with streams.usable():
        print(f"Report: {path}")
        print(command)
    assert stream.text.splitlines() == ["Report:", path, command]


def test_lines_elsewhere_stay_as_they_are(monkeypatch):
    stream = Notebook()
    monkeypatch.setattr(sys, "stdout", stream)
    with streams.usable():
        print(LONG)
    assert stream.text == f"{LONG}\n"


@pytest.mark.parametrize(("number", "is_error"), [(errno.EIO, False), (errno.ENOSPC, True)])
def test_what_is_printed_to_a_terminal_that_was_closed_goes_nowhere(number, is_error):
    class Closed(Terminal):
        def write(self, text):
            raise OSError(number, os.strerror(number))

    stream = streams.Wrapped(Closed(80))
    if is_error:
        with pytest.raises(OSError, match="No space"):
            print("saved", file=stream)
    else:
        print("saved", file=stream)
