"""Python's own http.server: `python examples/plain_service.py`."""

import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # 1.0 opens a connection for every request

    def do_GET(self) -> None:
        self.answer(b"ready\n" if self.path == "/ready" else f"order {self.path.rpartition('/')[2]}\n".encode())

    def do_POST(self) -> None:
        self.answer(b"ordered " + self.rfile.read(int(self.headers["content-length"])) + b"\n")

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("x-hostname", os.environ["HOSTNAME"])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


class Server(ThreadingHTTPServer):
    request_queue_size = 1024  # connections that wait to be accepted; 5 are too few for a load test


server = Server((os.environ.get("HOST", "0.0.0.0"), int(os.environ["PORT"])), Handler)


def drain(number: int, frame: FrameType | None) -> None:
    """Serve on: the gateway sends requests until its cache of the tasks has expired."""
    threading.Timer(float(os.environ.get("DRAIN_SECONDS", "20")), server.shutdown).start()


signal.signal(signal.SIGTERM, drain)
server.serve_forever()
