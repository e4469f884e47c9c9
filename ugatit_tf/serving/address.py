"""The address that is listened at: a socket for it, its URL, and names by which it is called."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import urllib.parse

from ugatit_tf.errors import Failure

BACKLOG = 128
ANY = ("0.0.0.0", "::")  # all addresses of this computer


def listening(host: str, port: int) -> socket.socket:
    """Returns a socket that listens.

    Raises:
        Failure: it cannot, and why.
    """
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError):
        raise Failure(
            f"--host {host}: there is no such address. Expected an address of this computer: "
            f"127.0.0.1, or 0.0.0.0 for all of them."
        ) from None
    try:
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        raise _refusal(host, port, error) from None


def check_free(host: str, port: int) -> None:
    """Raises a `Failure` where nothing can listen at this address."""
    listening(host, port).close()


def url_of(listener: socket.socket) -> str:
    """The URL at which people on this computer open it."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_own_name(header: str | None, host: str) -> bool:
    """Whether the Host header of a request names this computer.

    A page of the internet can let its own name point to 127.0.0.1, and could then read what is
    served here. Its browser still sends that name. A number cannot be pointed elsewhere.

    Args:
        header: the Host header, with or without a port.
        host: of `--host`.
    """
    try:
        name = urllib.parse.urlsplit(f"//{header or ''}").hostname or ""
    except ValueError:
        return False
    if name in ("localhost", host.lower()):
        return True
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    return False


def _refusal(host, port, error) -> Failure:
    if error.errno == errno.EADDRINUSE:
        return Failure(
            f"--port {port}: another program listens at {host}:{port} already. Choose another "
            f"port, or 0 for one that is free."
        )
    if error.errno == errno.EACCES:
        return Failure(f"--port {port}: no right to listen at it. Ports from 1024 on need none.")
    if error.errno == errno.EADDRNOTAVAIL:
        return Failure(
            f"--host {host}: this computer does not have this address. Expected 127.0.0.1, or "
            f"0.0.0.0 for all that it has."
        )
    return Failure(f"Cannot listen at {host}:{port}: {os.strerror(error.errno).lower()}.")
