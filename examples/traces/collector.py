"""An OTLP/HTTP receiver that prints each span as a line of JSON: on the twin it stands in for a collector's container.

HOST=127.0.0.1 PORT=4318 python examples/traces/collector.py
"""

from __future__ import annotations

import gzip
import json
import os
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Receiver(BaseHTTPRequestHandler):
    """Answers POST /v1/traces with protobuf: https://opentelemetry.io/docs/specs/otlp/#otlphttp"""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = {one.key: one.value.string_value for one in resource.resource.attributes}.get("service.name", "")
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                written = {"service": service, "trace": span.trace_id.hex(), "span": span.name}
                print(json.dumps(written), flush=True)
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing but spans is written."""


def leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, leave)
    ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Receiver).serve_forever()
