"""Downloads one large file over HTTP(S), and continues where it was cut off.

No library that we require continues a download: `keras.utils.get_file` needs TensorFlow and starts
anew, as `pooch` does. The standard library has connections, redirects, proxies (of the
environment) and certificates; what is left for us is when a part may be continued.

FILE.part is what has arrived, FILE.part.json what the server said of the file. They are continued
only if the server still says the same.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ugatit_tf import atomic
from ugatit_tf.data import storage
from ugatit_tf.errors import Failure
from ugatit_tf.jsonfile import JSONFileError, read_json
from ugatit_tf.progress import Progress

LOG = logging.getLogger(__name__)

TIMEOUT = 30.0  # seconds without a byte, after which a connection is given up
TRIES = 4  # of an address, one after another, that bring nothing new
PAUSE = 2.0  # seconds before the next
CHUNK = 1 << 18  # bytes
MOST_BYTES = 100e9
LATER = (408, 429, 500, 502, 503, 504)  # what a server says if another try may succeed
AGENT = "ugatit-tf (dataset download)"


class Unreachable(Failure):
    """No address gives the file. The message has a line for each."""


class _Refused(Exception):  # noqa: N818
    """This address does not give the file. The message says why."""


class _Cut(Exception):  # noqa: N818
    """The connection ended too early. Another try may bring the rest."""


def download(
    urls: Sequence[str], path: str, *, num_bytes: int | None = None, sha256: str | None = None
) -> None:
    """Downloads a file to `path` from the first of `urls` that gives it.

    Args:
        urls: addresses of the same file; http and https alone.
        num_bytes, sha256: of the file, if they are known.

    Raises:
        Unreachable: no address gives it.
        Failure: the disk has no space, or another process downloads the file.
        OSError: the file cannot be written.
    """
    part = f"{path}.part"
    problems = []
    with _alone(part):
        for url in urls:
            try:
                _fetch(url, part, num_bytes)
                _check_sum(part, sha256)
            except _Refused as error:
                problems.append(f"  {url}: {error}")
                continue
            os.replace(part, path)
            _forget(part)
            return
        if os.path.exists(part) and not os.path.getsize(part):
            _forget(part)
    raise Unreachable("\n".join([f"{os.path.basename(path)} could not be downloaded:", *problems]))


@contextlib.contextmanager
def _alone(part: str) -> Iterator[None]:
    """Refuses to write a part that another process is writing."""
    os.makedirs(os.path.dirname(part) or ".", exist_ok=True)
    with open(f"{part}.lock", "ab") as lock:
        if not atomic.lock(lock.fileno()):
            raise Failure(f"Another process is downloading {part}. Wait for it, or stop it.")
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows removes no open file
                os.unlink(lock.name)


def _fetch(url, part, num_bytes):
    """Brings the whole file, in as many tries as bring something new."""
    tries = TRIES
    while True:
        before = _size(part)
        try:
            _receive(url, part, num_bytes)
            return
        except _Cut as error:
            tries = TRIES if _size(part) > before else tries - 1
            if not tries:
                raise _Refused(str(error)) from None
            time.sleep(PAUSE)


def _receive(url, part, num_bytes):
    known = _known(part)
    start = _size(part) if known else 0
    if start and start == known["length"]:
        return  # it ended just before the sum was checked
    with _open(url, start, known, part) as response:
        now = _facts(response, url)
        if response.status != 206:
            if start:
                LOG.warning("%s cannot be continued: it is downloaded from its start.", url)
            start = 0
        elif not _continues(response, start, known, now):
            _forget(part)
            raise _Cut("the file was changed on the server")
        _check_facts(response, now["length"], num_bytes)
        length = now["length"]
        if length is not None:
            packed_and_unpacked = 2 * length - start
            storage.check_space(os.path.dirname(part) or ".", packed_and_unpacked)
        if not start:
            _forget(part)
            with atomic.replacing(f"{part}.json") as file:
                file.write(json.dumps(now).encode())
        received = _copy(response, part, start, length)
    if length is not None and received < length:
        raise _Cut(f"the connection was cut after {received} of {length} bytes")


def _copy(response, part, start, length):
    """Appends what a response brings from byte `start` on. Returns the size of the part."""
    label = os.path.basename(part)[: -len(".part")]
    bar = Progress(length, unit="B", label=label, done=start, scaled=True, patience=1.0)
    with open(part, "ab" if start else "wb") as file, bar as progress:
        while chunk := _read(response):
            file.write(chunk)
            progress.update(len(chunk))
            if file.tell() > (length or MOST_BYTES):
                raise _Refused("the server sends more than it said")
        return file.tell()


def _read(response):
    try:
        return response.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _Cut(_cause(error)) from None


def _open(url, start, known, part):
    """The response to a request for the bytes from `start` on."""
    headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        validator = _validator(known, url)
        headers.update({"If-Range": validator} if validator else {})
    try:
        return _opener().open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        said = f"the server answers {error.code} {error.reason}"
        if error.code == 416 and start:
            _forget(part)
            raise _Cut("the file was changed on the server") from None
        raise (_Cut if error.code in LATER else _Refused)(said) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        is_late = isinstance(reason, TimeoutError) or "timed out" in str(reason)
        is_cut = isinstance(reason, (ConnectionResetError, http.client.RemoteDisconnected))
        raise (_Cut if is_late or is_cut else _Refused)(_cause(error)) from None


def _opener():
    """Opens http and https, also after a redirect; no files, no ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _facts(response, url) -> dict[str, Any]:
    """What a server says of the whole file."""
    if response.status == 206:
        length = (_range(response) or (None, None))[1]
    else:
        length = response.headers.get("Content-Length")
    return {
        "url": url,
        "etag": response.headers.get("ETag"),
        "modified": response.headers.get("Last-Modified"),
        "length": int(length) if str(length).isdigit() else None,
    }


def _range(response):
    """(first byte, length of the whole file) as texts; None if the server does not say."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    return found.groups() if found else None


def _continues(response, start, known: Mapping, now: Mapping) -> bool:
    """Whether a part of the file comes from `start` on, and the file is the one of before."""
    if (_range(response) or (None,))[0] != str(start):
        return False
    keys = ["length", "modified", *(["etag"] if known["url"] == now["url"] else [])]
    pairs = [(known[key], now[key]) for key in keys]
    compared = [a == b for a, b in pairs if a is not None and b is not None]
    return all(compared) and bool(compared)


def _validator(known, url):
    """What `If-Range` may hold: a strong ETag of this address, or the time of the last change."""
    etag = known["etag"] if known["url"] == url else None
    return etag if etag and etag.startswith('"') else known["modified"]


def _check_facts(response, length, num_bytes):
    if response.headers.get_content_type() == "text/html":
        raise _Refused("the server sends a web page, not the file")
    if num_bytes is not None and length not in (None, num_bytes):
        raise _Refused(f"the file has {length} bytes there, expected {num_bytes}")
    if length is not None and length > MOST_BYTES:
        raise _Refused(f"the file has {length} bytes there, which no dataset has")


def _check_sum(part, sha256):
    found = storage.digest_of_file(part)
    if sha256 not in (None, found):
        _forget(part)
        raise _Refused(f"the file has the sha256 {found}, expected {sha256}; it was removed")


def _known(part):
    """What the server said of the file of which a part is here; {} where it cannot be used."""
    try:
        known = read_json(f"{part}.json")
        return known if known.keys() == {"url", "etag", "modified", "length"} else {}
    except (OSError, JSONFileError):
        return {}


def _size(path):
    return os.path.getsize(path) if os.path.exists(path) else 0


def _forget(part):
    for path in (part, f"{part}.json"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _cause(error):
    """Why there is no connection, without the numbers of errors."""
    error = getattr(error, "reason", error)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
