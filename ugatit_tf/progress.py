"""How far work is: a line that moves on a terminal, and elsewhere a new line now and then."""

import contextlib
import sys
import threading
import time

from tqdm import tqdm

from ugatit_tf import streams

SECONDS_ON_TERMINAL = 0.5  # between two looks of the line; the clock ticks without any progress
NARROW = 40  # columns; of a terminal that was closed meanwhile
SECONDS_BETWEEN_LINES = 30  # where the output is not a terminal
NO_BAR = "{desc}{n_fmt}/{total_fmt} {elapsed}<{remaining}, {rate_fmt}{postfix}"
FORMS = (  # the first that fits between the edges of the terminal is shown
    "{desc}{n_fmt}/{total_fmt} |{bar}| {elapsed}<{remaining}, {rate_fmt}{postfix}",
    NO_BAR,
    "{desc}{n_fmt}/{total_fmt} {elapsed}<{remaining}{postfix}",
    "{desc}{n_fmt}/{total_fmt} {elapsed}<{remaining}",
    "{n_fmt}/{total_fmt}",
)


class Progress:
    """Counts what is done, and shows it from a thread of its own until it is closed.

    Rate and remaining time count from the second item on: with the first, graphs are built.

    Args:
        total: int. Items in all; None where it is not known.
        unit: str. What an item is.
        label: str. The first word of the line.
        done: int. Items that were done before.
        quiet: bool. Shows nothing.
        patience: seconds in which nothing is shown, as the work may be done by then.
    """

    def __init__(self, total=None, *, unit, label="", done=0, quiet=False, patience=0.0):
        self.total, self.unit, self.label, self.count = total, unit, label, done
        self.patience, self.postfix = patience, ""
        self._stream = None if quiet else sys.stderr
        self._terminal = streams.is_terminal(self._stream)
        self._began = time.monotonic()
        self._first = self._last = None  # (time, count) after an update
        self._length = 0  # of the line that stands on the terminal
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        if self._stream is not None:
            self._watcher.start()
        return self

    def __exit__(self, *_):
        self.close()

    def update(self, count=1):
        """Notes that `count` more items are done."""
        self.count += count
        self._last = time.monotonic(), self.count
        self._first = self._first or self._last

    def close(self):
        """Shows the last state, once, and ends the line."""
        if self._closed.is_set():
            return
        self._closed.set()
        if self._watcher.is_alive():
            self._watcher.join()
        if time.monotonic() - self._began >= self.patience:
            self._show(last=True)

    def line(self, width=None) -> str:
        """The state in words, in `width` columns at most; None is any number."""
        facts = {
            "n": self.count,
            "total": self.total,
            "elapsed": time.monotonic() - self._began,
            "prefix": f"{self.label} " if self.label else "",
            "unit": self.unit,
            "rate": self._rate(),
            "postfix": self.postfix,
            "ascii": not str(getattr(self._stream, "encoding", "")).lower().startswith("utf"),
        }
        if width is None:
            return _formatted(NO_BAR, facts)
        texts = {form: _formatted(form, facts) for form in FORMS}
        form = next((form for form, text in texts.items() if len(text) <= width), FORMS[-1])
        return _formatted(form, facts, width).rstrip()  # the bar takes what is left

    def _rate(self):
        """Items a second; 0 is unknown."""
        if self._first is self._last:
            return 0
        (began, before), (ended, after) = self._first, self._last
        return (after - before) / max(ended - began, 1e-9)

    def _watch(self):
        if self._closed.wait(self.patience):
            return
        if self._terminal:
            self._show()
        while not self._closed.wait(
            SECONDS_ON_TERMINAL if self._terminal else SECONDS_BETWEEN_LINES
        ):
            self._show()

    def _show(self, last=False):
        with self._lock, contextlib.suppress(AttributeError, OSError, ValueError):
            if self._closed.is_set() and not last:
                return
            if self._terminal:
                width = (streams.columns(self._stream) or NARROW) - 1
                text = self.line(width)
                self._stream.write(f"\r{text:{min(self._length, width)}}" + "\n" * last)
                self._length = len(text)
            else:
                self._stream.write(f"{self.line()}\n")
            self._stream.flush()


def track(items, total=None, **options):
    """Passes on `items`, and shows how many have been worked on.

    Args:
        options: of `Progress`.
    """
    with Progress(total, **options) as progress:
        for item in items:
            yield item
            progress.update()


def _formatted(form, facts, width=None):
    return tqdm.format_meter(**facts, bar_format=form, ncols=width)
