"""A JWT issuer on this machine: its keys over HTTP, and tokens signed with them."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey


class Issuer:
    """Issues tokens for the audience `shop`, good for a minute."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "key-1"}, private=True)
        self.url = ""
        self.documents: dict[str, Any] = {}
        self.redirects: dict[str, str] = {}

    def serve(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        elliptic = ECKey.generate_key("P-256", {"kid": "key-2"}, private=True)
        self.documents = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": [key.as_dict(private=False) for key in (self.key, elliptic)]},
        }

    def token(self, *, key: RSAKey | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token; a claim that is None is left out."""
        now = int(time.time())
        given = {"iss": self.url, "aud": "shop", "iat": now, "exp": now + 60, **claims}
        named = {"alg": "RS256", "kid": "key-1", **(header or {})}
        keep = {name: value for name, value in given.items() if value is not None}
        return jwt.encode({n: v for n, v in named.items() if v is not None}, keep, key or self.key)


@contextlib.contextmanager
def issuer_at_work() -> Iterator[Issuer]:
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if to := issuer.redirects.get(self.path):
                self.send_response(302)
                self.send_header("location", to)
                self.send_header("content-length", "0")
                self.end_headers()
                return
            document = issuer.documents.get(self.path)
            body = json.dumps(document).encode()
            self.send_response(404 if document is None else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer.serve(server.server_port)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
