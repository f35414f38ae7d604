"""A service that answers with what it was asked: `python echo.py HOST PORT`.

The query says how: `status` (200), `delay` in seconds, `header` as `name:value`, `size` of a body instead of the echo.
"""

from __future__ import annotations

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        query = dict(parse_qsl(urlsplit(self.path).query))
        time.sleep(float(query.get("delay", 0)))
        headers = {name.lower(): ", ".join(self.headers.get_all(name, [])) for name in self.headers}
        said = {"method": self.command, "path": self.path, "headers": headers, "length": len(body)}
        text = b"x" * int(query["size"]) if "size" in query else json.dumps(said).encode()
        self.send_response(int(query.get("status", 200)))
        if "header" in query:
            name, _, value = query["header"].partition(":")
            self.send_header(name, value)
        self.send_header("x-hostname", os.environ["HOSTNAME"])
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = answer

    def log_message(self, format: str, *args: object) -> None:
        return


if __name__ == "__main__":
    ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Echo).serve_forever()
