"""The workers that train together, as TF_CONFIG in the environment names them. No TensorFlow."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable

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
PAUSE = 0.5  # seconds between two attempts
PRINTER = """
import os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
while True:
    time.sleep(float(sys.argv[1]))
    print(sys.argv[2], flush=True)
"""  # prints a line again and again until its input ends


@dataclasses.dataclass(frozen=True)
class Cluster:
    """All workers, and which of them this process is; without TF_CONFIG one process."""

    addresses: tuple[str, ...] = ()  # HOST:PORT of each, the chief first
    index: int = 0

    @property
    def is_chief(self) -> bool:
        """Whether this is the worker that writes."""
        return self.index == 0

    @property
    def others(self) -> list[str]:
        """The addresses of the other workers."""
        return [a for index, a in enumerate(self.addresses) if index != self.index]


def from_environment(strategy: str = "auto") -> Cluster:
    """The cluster of TF_CONFIG, for a `--strategy` that uses it; one process for the others.

    Raises:
        Failure: TF_CONFIG is not what TensorFlow expects, or cannot work.
    """
    text = os.environ.get(VARIABLE, "")
    if strategy not in ("auto", "multi_worker"):
        return Cluster()
    try:
        content = parse_json(text, VARIABLE) if text.strip() else {}
    except JSONFileError as error:
        raise _failure(str(error).rstrip(".")) from None
    jobs = _jobs(content.get("cluster", {}))
    addresses = [address for job in JOBS for address in jobs.get(job, ())]
    if len(addresses) < 2 and strategy == "multi_worker":
        raise Failure(
            f"--strategy multi_worker needs {VARIABLE} in the environment, which names two "
            f"workers at least and says which of them this is; see docs/scaling.md."
        )
    if len(addresses) < 2:
        return Cluster()
    _check_addresses(addresses)
    return Cluster(tuple(addresses), _index(content.get("task"), jobs))


def gather(
    cluster: Cluster,
    seconds: float = SECONDS_BETWEEN_LINES,
    write: Callable[..., None] = print,
) -> None:
    """Returns once every other worker accepts connections; meanwhile names those that do not.

    This process accepts them at its own address while it waits. TensorFlow would wait as well,
    but print nothing and ignore Ctrl-C.

    Args:
        seconds: float. Between two lines.
        write: function that writes a line, as `print`.

    Raises:
        Failure: the address of this process cannot be used.
    """
    silent = dict.fromkeys(cluster.others, "")
    last_line = time.monotonic()
    with listening(cluster.addresses[cluster.index]) as listener:
        listener.settimeout(PAUSE)
        while True:
            reasons = {address: _reason(address) for address in silent}
            silent = {address: reason for address, reason in reasons.items() if reason}
            if not silent:
                return
            if time.monotonic() - last_line >= seconds:
                names = ", ".join(f"{address} ({reason})" for address, reason in silent.items())
                write(f"Still waiting for {names}.", flush=True)
                last_line = time.monotonic()
            with contextlib.suppress(socket.timeout):
                listener.accept()[0].close()


@contextlib.contextmanager
def connecting(cluster: Cluster, seconds: float = SECONDS_BETWEEN_LINES) -> Iterator[None]:
    """Within it a line every few seconds says that TensorFlow is waiting for the other workers.

    A worker that dies after `gather` keeps TensorFlow waiting without end. TensorFlow holds
    Python's lock meanwhile, so that no thread could print: a small process does.
    """
    line = (
        f"TensorFlow is still waiting for the other workers ({', '.join(cluster.others)}). "
        f"If one of them has ended, stop all and start them again."
    )
    command = [sys.executable, "-I", "-c", PRINTER, str(seconds), line]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as printer:
        try:
            yield
        finally:
            printer.kill()


def _jobs(jobs: Any) -> dict[str, list[str]]:
    """job -> addresses, with checked types."""
    if not isinstance(jobs, dict):
        raise _failure(f"'cluster' must be an object. Received: {jobs!r:.80}")
    unknown = sorted(set(jobs) - set(JOBS))
    if unknown:
        raise _failure(f"'cluster' names {unknown[0]!r}. Expected only chief and worker")
    for job, addresses in jobs.items():
        if not isinstance(addresses, list) or not all(isinstance(a, str) for a in addresses):
            raise _failure(f'{job!r} must be a list of "HOST:PORT". Received: {addresses!r:.80}')
    if len(jobs.get("chief", ())) > 1:
        raise _failure("there can be one chief at most")
    return jobs


def _index(task: Any, jobs: Mapping[str, Sequence[str]]) -> int:
    """The number of this process among all workers."""
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


def _check_addresses(addresses: Sequence[str]) -> None:
    for address in addresses:
        host, _, port = address.rpartition(":")
        is_valid = port.isascii() and port.isdigit() and 1 <= int(port) <= HIGHEST_PORT
        if not host.strip() or not is_valid:
            raise _failure(
                f"{address!r:.80} is not an address. Expected HOST:PORT with a port from 1 to "
                f"{HIGHEST_PORT}"
            )
    repeated = sorted({address for address in addresses if addresses.count(address) > 1})
    if repeated:
        raise _failure(f"{repeated[0]} is named twice. Every process needs an address of its own")


def _reason(address: str) -> str:
    """Why no connection can be made; empty where it can."""
    try:
        with socket.create_connection(_split(address), timeout=PATIENCE) as connection:
            is_itself = connection.getsockname() == connection.getpeername()
        return "connection refused" if is_itself else ""  # TCP may connect a free port to itself
    except (socket.gaierror, UnicodeError):
        return "unknown host name"
    except socket.timeout:
        return "no answer"
    except OSError as error:
        return (error.strerror or str(error)).lower()


def listening(address: str) -> socket.socket:
    """A socket that accepts connections at an address of this machine.

    Where the name is not one of this machine, as behind a router, it listens at all addresses.
    """
    host, port = _split(address)
    try:
        try:
            family, *_, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            return socket.create_server(target[:2], family=family)
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


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _failure(problem: str) -> Failure:
    return Failure(f"{VARIABLE} cannot be used: {problem}. Expected e.g. {EXAMPLE}")
