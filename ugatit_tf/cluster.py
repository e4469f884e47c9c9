"""The processes that train together, as the environment's TF_CONFIG names them. No TensorFlow."""

import contextlib
import dataclasses
import os
import signal
import socket
import threading

from ugatit_tf.errors import Failure
from ugatit_tf.jsonfile import JSONFileError, parse_json

VARIABLE = "TF_CONFIG"
EXAMPLE = (
    '{"cluster": {"worker": ["ada:2222", "bob:2222"]}, "task": {"type": "worker", "index": 0}}'
)
JOBS = ("chief", "worker")  # in the order of their numbers
HIGHEST_PORT = 65535
SECONDS_BETWEEN_LINES = 30  # while others are waited for
PATIENCE = 2  # seconds in which another machine must accept a connection


@dataclasses.dataclass(frozen=True)
class Cluster:
    """All processes and which of them this is; without TF_CONFIG one process."""

    addresses: tuple = ()  # HOST:PORT of each, the chief first
    index: int = 0

    @property
    def is_chief(self) -> bool:
        return self.index == 0

    def unreachable(self) -> list:
        """ "HOST:PORT (reason)" of every other process that accepts no connection."""
        others = [a for number, a in enumerate(self.addresses) if number != self.index]
        reasons = [(address, _reason(address)) for address in others]
        return [f"{address} ({reason})" for address, reason in reasons if reason]


def from_environment(strategy="auto") -> Cluster:
    """What TF_CONFIG says, for a `--strategy`; one process for those that do not look at it.

    Raises:
        Failure: it is not what TensorFlow wants, or cannot work.
    """
    text = os.environ.get(VARIABLE, "")
    if strategy not in ("auto", "multi_worker") or not text.strip():
        return Cluster()
    try:
        told = parse_json(text, VARIABLE)
    except JSONFileError as error:
        raise _failure(str(error).rstrip(".")) from None
    jobs = _jobs(told.get("cluster", {}))
    addresses = [address for job in JOBS for address in jobs.get(job, ())]
    if len(addresses) < 2:
        return Cluster()
    _check_addresses(addresses)
    return Cluster(tuple(addresses), _index(told.get("task"), jobs))


@contextlib.contextmanager
def waiting(cluster, seconds=SECONDS_BETWEEN_LINES, tell=print):
    """Says, while the body waits for the other processes, which of them do not answer.

    Ctrl-C ends the process at once: TensorFlow does not return to Python while it waits.
    """
    done = threading.Event()

    def watch():
        while not done.wait(seconds):
            silent = cluster.unreachable()
            if silent:
                tell(f"Still waiting for {', '.join(silent)}.", flush=True)
            else:
                tell("All workers can be reached; waiting until they are ready.", flush=True)

    threading.Thread(target=watch, daemon=True).start()
    try:
        with _interrupt_ends():
            yield
    finally:
        done.set()


@contextlib.contextmanager
def _interrupt_ends():
    if threading.current_thread() is not threading.main_thread():  # Python's rule for handlers
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _jobs(jobs) -> dict:
    """job -> list of addresses, checked for their types."""
    if not isinstance(jobs, dict):
        raise _failure(f"'cluster' must be an object. Received: {jobs!r:.80}")
    other = sorted(set(jobs) - set(JOBS))
    if other:
        raise _failure(f"'cluster' names {other[0]!r}; all who train are of chief and worker")
    for job, addresses in jobs.items():
        if not isinstance(addresses, list) or not all(isinstance(a, str) for a in addresses):
            raise _failure(f'{job!r} must be a list of "HOST:PORT". Received: {addresses!r:.80}')
    if len(jobs.get("chief", ())) > 1:
        raise _failure("there can be one chief at most")
    return jobs


def _index(task, jobs) -> int:
    """The number of this process among all."""
    if not isinstance(task, dict):
        raise _failure(f"'task' must be an object with type and index. Received: {task!r:.80}")
    kind, index = task.get("type"), task.get("index")
    if not isinstance(kind, str) or kind not in jobs:
        names = " or ".join(job for job in JOBS if job in jobs)
        raise _failure(f"the type of 'task' must be {names}. Received: {kind!r:.80}")
    count = len(jobs[kind])
    if type(index) is not int or not 0 <= index < count:
        raise _failure(
            f"the index of 'task' must be a whole number from 0 to {count - 1}, as there are "
            f"{count} of {kind}. Received: {index!r:.80}"
        )
    return index + (len(jobs.get("chief", ())) if kind == "worker" else 0)


def _check_addresses(addresses):
    for address in addresses:
        host, _, port = address.rpartition(":")
        valid = port.isascii() and port.isdigit() and 1 <= int(port) <= HIGHEST_PORT
        if not host.strip() or not valid:
            raise _failure(
                f"{address!r:.80} is no address. Expected HOST:PORT with a port from 1 to "
                f"{HIGHEST_PORT}"
            )
    twice = sorted({address for address in addresses if addresses.count(address) > 1})
    if twice:
        raise _failure(f"{twice[0]} is named twice. Every process needs an address of its own")


def _reason(address):
    """Why no connection can be made; empty where it can."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
    except (socket.gaierror, UnicodeError):
        return "no machine of this name is known"
    except (socket.timeout, TimeoutError):
        return "no answer"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return ""


def _failure(what):
    return Failure(f"{VARIABLE} cannot be used: {what}. Expected e.g. {EXAMPLE}")
