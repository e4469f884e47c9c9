"""What ends a process from outside: Ctrl-C, SIGTERM, and SIGHUP of a terminal that closes.

By itself such a signal ends the process where it is, and what it was writing stays behind half
finished. Here it becomes an exception, or a mark in the middle of training.
"""

import contextlib
import os
import signal
import sys
import threading


class Ended(BaseException):
    """A signal asked this process to end; `code` is the exit code that shells expect then."""

    def __init__(self, number):
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.code = 128 + number


def ending() -> list:
    """SIGTERM, and SIGHUP where a closed terminal sends one that `nohup` does not keep away."""
    hangup = getattr(signal, "SIGHUP", None)  # not on Windows
    ignored = hangup is None or signal.getsignal(hangup) is signal.SIG_IGN
    return [signal.SIGTERM, *([] if ignored else [hangup])]


@contextlib.contextmanager
def ending_raises():
    """Within it SIGTERM and SIGHUP raise `Ended`, so that what is half-written is removed.

    The second signal does what it does elsewhere.
    """

    def end(number, _):
        restore()
        _check_output()
        raise Ended(number)

    with _handled(ending(), end) as restore:
        yield


@contextlib.contextmanager
def stop_asked():
    """Within it SIGINT, SIGTERM and SIGHUP set a mark, so that the step is finished and saved.

    Yields a function that says whether they did. The second signal does what it does elsewhere.
    """
    asked = []

    def ask(*_):
        asked.append(True)
        restore()
        _check_output()
        with contextlib.suppress(RuntimeError):  # the signal came in the middle of another line
            print("Finishing this step, then saving.", flush=True)

    with _handled([signal.SIGINT, *ending()], ask) as restore:
        yield lambda: bool(asked)


@contextlib.contextmanager
def _handled(numbers, handler):
    """Yields a function that gives these signals back the handlers of before."""
    if threading.current_thread() is not threading.main_thread():  # Python's rule for handlers
        yield lambda: None
        return
    before = {number: signal.getsignal(number) for number in numbers}

    def restore():
        for number, old in before.items():
            signal.signal(number, old)

    for number in numbers:
        signal.signal(number, handler)
    try:
        yield restore
    finally:
        restore()


def _check_output():
    """Discards what is told from now on where the terminal is gone: an error would stop us."""
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
