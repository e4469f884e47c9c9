"""The progress line: whole lines in files, a ticking clock, and a rate without the first item."""

import contextlib
import os
import re
import sys
import time

import pytest

from tests.clock import Clock
from tests.test_streams import Notebook, terminal  # noqa: F401
from ugatit_tf import progress
from ugatit_tf.progress import Progress, track


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_rate_and_remaining_time_count_from_the_second_item_on(clock):
    bar = Progress(104, unit="step", label="step", done=3)
    clock.now += 60  # the graph is built
    assert bar.line() == "step 3/104 01:00<?, ?step/s"
    bar.update()
    assert bar.line() == "step 4/104 01:00<?, ?step/s"
    for _ in range(4):
        clock.now += 0.5
        bar.update()
    assert bar.line() == "step 8/104 01:02<00:48,  2.00step/s"
    clock.now += 10  # a sample is written: what was measured stays
    assert "2.00step/s" in bar.line()


def test_a_file_gets_whole_lines_and_few_of_them(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.2)
    with Progress(1000, unit="image", label="A to B") as bar:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            bar.update()
            time.sleep(0.001)
    lines = capsys.readouterr().err.splitlines(keepends=True)
    assert 2 <= len(lines) <= 4
    for line in lines:
        assert re.fullmatch(r"A to B \d+/1000 00:0\d<\S+, .*image/s\n", line), line
    assert progress.SECONDS_BETWEEN_LINES <= 30


def test_the_seconds_between_lines_are_half_a_minute():
    assert progress.SECONDS_BETWEEN_LINES == 30


def test_a_file_gets_its_last_line_where_work_ends_early(capsys):
    with pytest.raises(ValueError), Progress(3, unit="image") as bar:
        bar.update()
        raise ValueError
    assert capsys.readouterr().err == "1/3 00:00<?, ?image/s\n"


def test_the_clock_ticks_on_a_terminal_before_the_first_item(terminal, monkeypatch):  # noqa: F811
    stream = terminal(80)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "SECONDS_ON_TERMINAL", 0.1)
    with Progress(5, unit="step"):
        time.sleep(1.3)
    lines = stream.text.split("\r")
    assert any("00:00<?" in line for line in lines) and any("00:01<?" in line for line in lines)
    assert stream.text.count("\n") == 1


@pytest.mark.parametrize("columns", [24, 40, 80, 200])
def test_a_line_fits_its_terminal_and_has_no_broken_words(columns, clock):
    bar = Progress(1_000_000, unit="step", label="step")
    for _ in range(9):
        clock.now += 3
        bar.update(D=1.5, G=2345.0, other=None)
    line = bar.line(columns - 1)
    assert len(line) < columns
    whole = bar.line()
    assert whole == "step 9/1000000 00:27<833:19:33,  3.00s/step, D=1.5, G=2.34e+03"
    words = [word for word in line.replace(",", " ").split() if "|" not in word and "#" not in word]
    assert set(words) <= set(whole.replace(",", " ").split())
    assert ("|" in line) == (columns >= 80)


def test_items_pass_through_and_are_counted(capsys):
    assert list(track(iter("abc"), 3, unit="file", label="some")) == ["a", "b", "c"]
    assert re.fullmatch(r"some 3/3 .*file/s\n", capsys.readouterr().err)


def test_what_is_done_soon_or_quiet_shows_nothing(capsys):
    list(track("abc", 3, unit="file", patience=5.0))
    list(track("abc", 3, unit="file", quiet=True))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [None, BrokenPipeError(), ValueError("closed file")])
def test_work_goes_on_where_nothing_can_be_written(error, monkeypatch):
    class Broken(Notebook):
        def write(self, text):
            raise error

    monkeypatch.setattr(sys, "stderr", Broken() if error else None)
    assert list(track("abc", 3, unit="file")) == ["a", "b", "c"]


def test_a_terminal_that_is_closed_meanwhile_ends_nothing(monkeypatch):
    ours, theirs = os.openpty()
    stream = os.fdopen(theirs, "w")
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress(2, unit="step", label="step") as bar:
        bar.update()
        os.close(ours)
        bar.update()
    with contextlib.suppress(OSError):  # what is left in its buffer
        stream.close()


def test_a_bar_that_ends_at_a_time_shows_that_time_and_the_steps_to_expect(clock):
    bar = Progress(1000, unit="step", label="step")
    bar.end_in(60)
    assert bar.line() == "step 0/? 00:00<?, ?step/s"
    for _ in range(3):
        clock.now += 0.5
        bar.update()
    bar.end_in(60)
    assert bar.line() == "step 3/123 00:01<01:00,  2.00step/s"
