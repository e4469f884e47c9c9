"""SIGTERM and SIGHUP end what runs so that it can clean up, or request a stop."""

import io
import os
import signal
import threading

import pytest

from ugatit_tf import signals

ENDING = [signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def handlers():
    """As in a shell that ignores nothing; the handlers of before come back."""
    before = {number: signal.getsignal(number) for number in [signal.SIGINT, *ENDING]}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_an_ending_signal_raises_and_means_again_what_it_meant(number):
    before = [signal.getsignal(number) for number in ENDING]
    cleaned = []
    with pytest.raises(signals.Ended) as caught, signals.ending_raises():
        try:
            os.kill(os.getpid(), number)
            pytest.fail("went on")
        finally:
            cleaned.append([signal.getsignal(number) for number in ENDING])
    assert caught.value.code == 128 + number
    assert str(caught.value) == f"ended by {number.name}"
    assert cleaned == [before]  # a second signal ends the clean-up
    assert [signal.getsignal(number) for number in ENDING] == before


@pytest.mark.parametrize("within", [signals.ending_raises, signals.stop_requests])
def test_a_hangup_that_nohup_ignores_stays_ignored(within):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with within() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not (stop and stop.requested)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL


@pytest.mark.parametrize("number", [signal.SIGINT, *ENDING])
def test_a_stop_is_requested_once_and_then_the_signal_means_what_it_meant(number, capsys):
    before = signal.getsignal(number)
    with signals.ending_raises(), signals.stop_requests() as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
        expected = KeyboardInterrupt if number == signal.SIGINT else signals.Ended
        if number != signal.SIGINT or callable(before):
            with pytest.raises(expected):
                os.kill(os.getpid(), number)
    assert "Finishing this step, then saving.\n" in capsys.readouterr().out
    assert signal.getsignal(number) == before


def test_in_another_thread_nothing_is_handled():
    answers = []

    def handle():
        with signals.ending_raises(), signals.stop_requests() as stop:
            answers.append(stop.requested)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=handle)
    thread.start()
    thread.join()
    assert answers == [False]
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_terminal_that_is_gone_does_not_keep_a_stop_from_being_requested(monkeypatch):
    ours, theirs = os.openpty()
    terminal = open(theirs, "w")  # noqa: SIM115
    os.close(ours)  # the window is closed: writing is an error from now on
    with pytest.raises(OSError):
        os.write(theirs, b"x")
    monkeypatch.setattr(signals.sys, "stdout", terminal)
    monkeypatch.setattr(signals.sys, "stderr", io.StringIO())
    with signals.stop_requests() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert stop.requested
    print("and nothing that is printed later fails", flush=True)
    terminal.close()
