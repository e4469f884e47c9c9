"""Signals that end a process: Ctrl-C, SIGTERM, and SIGHUP of a terminal that closes.

Left alone, such a signal ends the process where it is, and half-written files stay behind. Here
it becomes an exception, or during training a request to stop after the step.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Callable


class Ended(BaseException):
    """A signal ended this process. `code` is the exit code that shells expect then."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.code: int = 128 + number


class StopRequest:
    """Whether a signal requested that training stops."""

    requested: bool = False


def ending() -> list[int]:
    """SIGTERM; and SIGHUP, unless `nohup` made the process ignore it."""
    hangup = getattr(signal, "SIGHUP", None)  # not on Windows
    is_ignored = hangup is None or signal.getsignal(hangup) is signal.SIG_IGN
    return [signal.SIGTERM, *([] if is_ignored else [hangup])]


@contextlib.contextmanager
def ending_raises() -> Iterator[None]:
    """Within it SIGTERM and SIGHUP raise `Ended`, so that half-written files are removed.

    A second signal has its usual effect.
    """

    def end(number: int, _: Any) -> None:
        restore()
        _discard_lost_output()
        raise Ended(number)

    with _handled(ending(), end) as restore:
        yield


@contextlib.contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Within it SIGINT, SIGTERM and SIGHUP request a stop, so that the step is finished and saved.

    A second signal has its usual effect.
    """
    stop = StopRequest()

    def request(*_: Any) -> None:
        stop.requested = True
        restore()
        _discard_lost_output()
        with contextlib.suppress(RuntimeError):  # the signal came in the middle of another line
            print("Finishing this step, then saving.", flush=True)

    with _handled([signal.SIGINT, *ending()], request) as restore:
        yield stop


@contextlib.contextmanager
def _handled(
    numbers: Sequence[int], handler: Callable[[int, Any], None]
) -> Iterator[Callable[[], None]]:
    """Yields a function that gives these signals back their handlers of before."""
    if threading.current_thread() is not threading.main_thread():  # Python's rule for handlers
        yield lambda: None
        return
    before = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        for number, old in before.items():
            signal.signal(number, old)

    for number in numbers:
        signal.signal(number, handler)
    try:
        yield restore
    finally:
        restore()


def _discard_lost_output() -> None:
    """Sends later output nowhere if the terminal is gone: an error would end the process."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.write("\n")
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        except (AttributeError, ValueError, RuntimeError):  # none, closed, or in use just now
            pass
