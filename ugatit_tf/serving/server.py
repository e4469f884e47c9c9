"""The server in front of the application: connections, threads and their end."""

from __future__ import annotations

import http
import json
import logging
import socket
import sys
import threading
from typing import Any, Callable

import waitress
from waitress import channel, task, wasyncore

from ugatit_tf.serving.application import FORM_BYTES
from ugatit_tf.serving.options import MEGABYTE, ServeOptions

SPARE_THREADS = 4  # answer at once while all other requests wait for their translation
CONNECTIONS = 100  # beside those that wait
PATIENCE = 60  # seconds without a byte after which a connection is closed
SECONDS_TO_ANSWER = 2  # at the end, for what is translated already


class _ErrorTask(task.ErrorTask):
    """A request that is refused before the application sees it: too long, or not HTTP."""

    def execute(self) -> None:
        error = self.request.error
        sentence = f"{error.reason}: {error.body}."
        if error.code == http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            most = self.channel.adj.max_request_body_size // MEGABYTE
            sentence = f"The image file has more than {most} megabytes."
        body = json.dumps({"error": sentence}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [
            ("Content-Type", "application/json"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(channel.HTTPChannel):
    error_task_class = _ErrorTask


class Server:
    """Serves an application in threads of its own until it is stopped.

    Args:
        application: as WSGI defines it.
        listener: a socket that listens.
    """

    def __init__(
        self, application: Callable, listener: socket.socket, options: ServeOptions
    ) -> None:
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # waiting is no fault
        self._connections: dict[int, Any] = {}
        self._server = waitress.create_server(
            application,
            map=self._connections,
            sockets=[listener],
            threads=options.concurrency + 1 + SPARE_THREADS,
            connection_limit=CONNECTIONS + options.concurrency,
            channel_timeout=PATIENCE,
            max_request_body_size=options.max_upload_bytes + FORM_BYTES,
            # Requests and answers stay in memory, and no thread waits for a slow reader.
            inbuf_overflow=sys.maxsize,
            outbuf_overflow=sys.maxsize,
            outbuf_high_watermark=sys.maxsize,
            channel_request_lookahead=1,  # notices clients that leave while they wait
            log_socket_errors=False,  # clients may leave
            asyncore_use_poll=True,
            ident="ugatit_tf",
        )
        self._server.channel_class = _Channel
        self._thread = threading.Thread(target=self._server.run, name="server", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait(self) -> None:
        """Waits until the server ends, or a signal raises an exception."""
        while self._thread.is_alive():
            self._thread.join(1)  # on Windows, a signal waits for the end of it

    def stop(self) -> None:
        """Ends it; what is in work is answered if that takes a moment only."""
        self._server.task_dispatcher.shutdown(timeout=SECONDS_TO_ANSWER)
        self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._connections))
        self._thread.join(SECONDS_TO_ANSWER)
