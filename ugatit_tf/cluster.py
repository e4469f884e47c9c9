"""The processes that train together, as the environment's TF_CONFIG names them. No TensorFlow."""

import contextlib
import dataclasses
import errno
import os
import socket
import time

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
PAUSE = 0.5  # seconds between two tries


@dataclasses.dataclass(frozen=True)
class Cluster:
    """All processes and which of them this is; without TF_CONFIG one process."""

    addresses: tuple = ()  # HOST:PORT of each, the chief first
    index: int = 0

    @property
    def is_chief(self) -> bool:
        return self.index == 0


def from_environment(strategy="auto") -> Cluster:
    """What TF_CONFIG says, for a `--strategy`; one process for those that do not look at it.

    Raises:
        Failure: it is not what TensorFlow wants, or cannot work.
    """
    text = os.environ.get(VARIABLE, "")
    if strategy not in ("auto", "multi_worker"):
        return Cluster()
    try:
        told = parse_json(text, VARIABLE) if text.strip() else {}
    except JSONFileError as error:
        raise _failure(str(error).rstrip(".")) from None
    jobs = _jobs(told.get("cluster", {}))
    addresses = [address for job in JOBS for address in jobs.get(job, ())]
    if len(addresses) < 2 and strategy == "multi_worker":
        raise Failure(
            f"--strategy multi_worker needs {VARIABLE} in the environment, which names two "
            f"workers at least and says which of them this is; see docs/scaling.md."
        )
    if len(addresses) < 2:
        return Cluster()
    _check_addresses(addresses)
    return Cluster(tuple(addresses), _index(told.get("task"), jobs))


def gather(cluster, seconds=SECONDS_BETWEEN_LINES, tell=print):
    """Returns once every other process accepts connections, and says meanwhile who does not.

    This process accepts them at its own address while it waits. TensorFlow would wait as well,
    but without a word and deaf to Ctrl-C.

    Args:
        seconds: between two lines.
        tell: function of a line, as `print`.

    Raises:
        Failure: the address of this process cannot be used.
    """
    own = cluster.addresses[cluster.index]
    silent = {address: "" for address in cluster.addresses if address != own}
    told = time.monotonic()
    with _listening(own) as listener:
        listener.settimeout(PAUSE)
        while True:
            reasons = {address: _reason(address) for address in silent}
            silent = {address: reason for address, reason in reasons.items() if reason}
            if not silent:
                return
            if time.monotonic() - told >= seconds:
                named = ", ".join(f"{address} ({reason})" for address, reason in silent.items())
                tell(f"Still waiting for {named}.", flush=True)
                told = time.monotonic()
            with contextlib.suppress(socket.timeout):
                listener.accept()[0].close()


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
    try:
        with socket.create_connection(_split(address), timeout=PATIENCE) as connection:
            itself = connection.getsockname() == connection.getpeername()
        return "connection refused" if itself else ""  # TCP may connect a free port to itself
    except (socket.gaierror, UnicodeError):
        return "no machine of this name is known"
    except socket.timeout:
        return "no answer"
    except OSError as error:
        return (error.strerror or str(error)).lower()


def _listening(address):
    """A socket that accepts connections at an address of this machine.

    Where the name is not one of this machine, as behind a router, it is at any address.
    """
    host, port = _split(address)
    try:
        try:
            family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            return socket.create_server(place[:2], family=family)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                raise
            return socket.create_server(("", port))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Failure(
            f"{VARIABLE} gives this process the address {address}, which cannot be used: "
            f"{reason}. Choose another port, or end the process that has it."
        ) from None


def _split(address):
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _failure(what):
    return Failure(f"{VARIABLE} cannot be used: {what}. Expected e.g. {EXAMPLE}")
