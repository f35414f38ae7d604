"""The HTTP server of the endpoint: a thread for each connection, of which there are so many and no more.

Any program of this machine can connect. None may keep the endpoint from others by connections that say nothing, nor
fill this process by what they send.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from typing import Any, BinaryIO

from moto.server import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

from twin.events import report

__all__ = ["MOST_CONNECTIONS", "Server"]

MOST_CONNECTIONS = 200
_TIMEOUT = 30.0  # seconds in which nothing comes, or nothing is taken
_PIECE = 65_536  # bytes


class Server(ThreadedWSGIServer):
    """Of more connections than MOST_CONNECTIONS it closes the oldest whose request has not come, else the newest."""

    def __init__(self, host: str, port: int, application: Any) -> None:
        super().__init__(host, port, application, _Handler)
        self._lock = threading.Lock()
        self._open: dict[socket.socket, None] = {}  # in the order in which they came
        self._waiting: dict[socket.socket, None] = {}  # those of them whose request has not come

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open[request] = self._waiting[request] = None
            if len(self._open) > MOST_CONNECTIONS:
                oldest = next(iter(self._waiting))
                self._waiting.pop(oldest)
                self._open.pop(oldest)
                with contextlib.suppress(OSError):  # its client has gone
                    oldest.shutdown(socket.SHUT_RDWR)  # its thread reads the end, and closes it
        super().process_request(request, client_address)

    def has_come(self, request: Any) -> None:
        """The head of that connection's request has been read."""
        with self._lock:
            self._waiting.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if error := sys.exception():
            report("the endpoint", error)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
            self._waiting.pop(request, None)
        super().shutdown_request(request)


class _Handler(MotoRequestHandler):  # type: ignore[misc]
    """Writes no line for each request, and answers what is no HTTP in JSON too."""

    rfile: Any
    timeout = _TIMEOUT
    error_message_format = '{"message": "%(code)d %(explain)s"}\n'
    error_content_type = "application/json"

    def log(self, type: str, message: str, *args: Any) -> None:
        return

    def make_environ(self) -> dict[str, Any]:
        self.server.has_come(self.request)
        environ: dict[str, Any] = super().make_environ()
        self.rfile = _Unread(self.rfile)
        return environ


class _Unread:
    """What an answered request has left: werkzeug reads it, so that its client sees the answer, 10 MB at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        """The last piece of the next *size* bytes; empty at their end."""
        piece = b""
        for _ in range(0, size, _PIECE):
            if not (piece := self._file.read(_PIECE)):
                break
        return piece

    def close(self) -> None:
        self._file.close()
