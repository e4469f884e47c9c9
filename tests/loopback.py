"""A web server on this computer, with the faults that servers have."""

import contextlib
import dataclasses
import hashlib
import io
import re
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from ugatit_tf.data import download
from ugatit_tf.images import image_file


@dataclasses.dataclass
class Served:
    """What is answered under one path."""

    content: bytes = b""
    etag: str = '"1"'
    modified: str = "Thu, 01 Jan 2026 00:00:00 GMT"
    kind: str = "application/zip"
    ranges: bool = True
    checks: bool = True  # whether it heeds If-Range
    cuts: list = dataclasses.field(default_factory=list)  # bytes after which an answer ends
    seconds: float = 0.0  # before the first byte
    status: int = 200
    location: str = ""


class Server:
    """Serves `files`, path -> `Served`, and keeps the (path, headers) of the requests."""

    def __init__(self):
        self.files, self.requests = {}, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802
                outer.requests.append((self.path, self.headers))
                with contextlib.suppress(OSError):  # the client may go
                    answer(self, outer.files.get(self.path, Served(status=404)))

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    def put(self, path, content=b"", **facts):
        self.files[path] = Served(content, **facts)
        return self.address + path

    @property
    def starts(self):
        """The first byte that each request asked for."""
        ranges = [headers.get("Range", "bytes=0-") for _, headers in self.requests]
        return [int(re.fullmatch(r"bytes=(\d+)-", text)[1]) for text in ranges]

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@contextlib.contextmanager
def serving(monkeypatch):
    """A `Server`, which downloads ask without a proxy, and again without a pause."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(download, "PAUSE", 0.0)
    with contextlib.closing(Server()) as server:
        yield server


def answer(handler, file):
    time.sleep(file.seconds)
    if file.location:
        handler.send_response(302)
        handler.send_header("Location", file.location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    start, asked = 0, handler.headers.get("Range")
    expected = handler.headers.get("If-Range")
    if asked and file.ranges:
        is_same = expected in (None, file.etag, file.modified)
        start = int(asked[6:-1]) if is_same or not file.checks else 0
    body, status = file.content[start:], file.status
    if start:
        status = 206 if body else 416
    handler.send_response(status)
    if status == 206:
        size = len(file.content)
        handler.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
    for name, value in (("ETag", file.etag), ("Last-Modified", file.modified)):
        if value:
            handler.send_header(name, value)
    handler.send_header("Content-Type", file.kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: file.cuts.pop(0)] if file.cuts else body)


def png(shade, side=4):
    """The bytes of an image of one color."""
    return image_file.encode(np.full([side, side, 3], shade, np.uint8))


def zip_of(files):
    """The bytes of a zip of name -> content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def dataset(counts, top=""):
    """name -> content of a small dataset; the shade of an image tells its split and number."""
    return {
        f"{top}{folder}/{number}.png": png(40 * place + number)
        for place, (folder, count) in enumerate(counts.items())
        for number in range(count)
    }


def sha256(content):
    return hashlib.sha256(content).hexdigest()
