"""Progress of long work: a line that moves on a terminal, and elsewhere a new line now and then."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from tqdm import tqdm

from ugatit_tf import streams

Item = TypeVar("Item")

SECONDS_ON_TERMINAL = 0.5  # between two updates of the line; its clock ticks without progress
NARROW = 40  # columns of a terminal that was closed meanwhile
SECONDS_BETWEEN_LINES = 30  # where the output is not a terminal
NO_BAR = "{desc}{n_fmt}/{total_fmt} {elapsed}<{remaining}, {rate_fmt}{postfix}"
FORMS = (  # the first that fits the width of the terminal is used
    "{desc}{n_fmt}/{total_fmt} |{bar}| {elapsed}<{remaining}, {rate_fmt}{postfix}",
    NO_BAR,
    "{desc}{n_fmt}/{total_fmt} {elapsed}<{remaining}{postfix}",
    "{desc}{n_fmt}/{total_fmt} {elapsed}<{remaining}",
    "{n_fmt}/{total_fmt}",
)


class Progress:
    """Counts items, and shows the count from a thread of its own until it is closed.

    Rate and remaining time count from the second item on: during the first, graphs are built.

    Args:
        total: int. Number of items; None where it is not known.
        unit: str. What an item is.
        label: str. The first word of the line.
        done: int. Items that were done before.
        quiet: bool. Shows nothing.
        patience: float. Seconds before the line is first shown: short work shows none.
        scaled: bool. Whether large counts are shown as 12.3M, e.g. of bytes.
    """

    def __init__(
        self,
        total: int | None = None,
        *,
        unit: str,
        label: str = "",
        done: int = 0,
        quiet: bool = False,
        patience: float = 0.0,
        scaled: bool = False,
    ) -> None:
        self.total, self.unit, self.label, self.count = total, unit, label, done
        self.patience, self.scaled = patience, scaled
        self._values: Mapping[str, Any] = {}
        self._stream = None if quiet else sys.stderr
        self._terminal = streams.is_terminal(self._stream)
        self._began = time.monotonic()
        self._first = self._last = None  # (time, count) after an update
        self._length = 0  # of the line that stands on the terminal
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Progress:
        if self._stream is not None:
            self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, count: int = 1, **values: Any) -> None:
        """Counts `count` more items.

        Args:
            values: numbers to show, converted only when the line is shown; None is left out.
        """
        self.count += count
        self._values = values
        self._last = time.monotonic(), self.count
        self._first = self._first or self._last

    def end_in(self, seconds: float) -> None:
        """Sets the total to the items that the rate so far lets expect in `seconds` from now."""
        rate = self._rate()
        self.total = self.count + round(rate * seconds) if rate else None

    def close(self) -> None:
        """Shows the last state, once, and ends the line."""
        if self._closed.is_set():
            return
        self._closed.set()
        if self._watcher.is_alive():
            self._watcher.join()
        if time.monotonic() - self._began >= self.patience:
            self._show(last=True)

    def line(self, width: int | None = None) -> str:
        """The line of now, in at most `width` columns; None is any number."""
        facts = {
            "n": self.count,
            "total": self.total,
            "elapsed": time.monotonic() - self._began,
            "prefix": f"{self.label} " if self.label else "",
            "unit": self.unit,
            "unit_scale": self.scaled,
            "rate": self._rate(),
            "postfix": ", ".join(
                f"{name}={float(value):.3g}"
                for name, value in self._values.items()
                if value is not None
            ),
            "ascii": not str(getattr(self._stream, "encoding", "")).lower().startswith("utf"),
        }
        if width is None:
            return _formatted(NO_BAR, facts)
        texts = {form: _formatted(form, facts) for form in FORMS}
        form = next((form for form, text in texts.items() if len(text) <= width), FORMS[-1])
        return _formatted(form, facts, width).rstrip()  # the bar takes what is left

    def _rate(self) -> float:
        """Items per second; 0 is unknown."""
        if self._first is self._last:
            return 0
        (began, before), (ended, after) = self._first, self._last
        return (after - before) / max(ended - began, 1e-9)

    def _watch(self) -> None:
        if self._closed.wait(self.patience):
            return
        if self._terminal:
            self._show()
        while not self._closed.wait(
            SECONDS_ON_TERMINAL if self._terminal else SECONDS_BETWEEN_LINES
        ):
            self._show()

    def _show(self, last: bool = False) -> None:
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


def track(items: Iterable[Item], total: int | None = None, **options: Any) -> Iterator[Item]:
    """Yields `items`, and shows how many of them the caller is done with.

    Args:
        options: those of `Progress`.
    """
    with Progress(total, **options) as progress:
        for item in items:
            yield item
            progress.update()


def _formatted(form: str, facts: Mapping[str, Any], width: int | None = None) -> str:
    return tqdm.format_meter(**facts, bar_format=form, ncols=width)
